/* Walks of the instance tree: cells in torch's order, and views for summary. */
#include "lower/internal.h"

#include <string.h>

static const char *join(Arena *arena, const char *path, const char *name) {
    return path[0] ? arena_printf(arena, "%s.%s", path, name) : name;
}

/* Own parameters, own buffers and states, then children: torch's state_dict order. */
static void walk(Arena *arena, Instance *self, const char *path, CellVisitor visit, void *user) {
    static const CellRole roles[] = {CELL_PARAMETER, CELL_BUFFER, CELL_STATE};
    for (size_t role = 0; role < sizeof roles / sizeof *roles; role++) {
        for (int i = 0; i < self->members.count; i++) {
            const Member *m = &self->members.data[i];
            if (m->value.kind != VALUE_CELL) continue;
            CellState *c = cell_resolve(m->value.as.cell);
            if (c->cell->role == roles[role]) visit(user, c, join(arena, path, m->name->text));
        }
    }
    for (int i = 0; i < self->members.count; i++) {
        const Member *m = &self->members.data[i];
        if (m->value.kind == VALUE_INSTANCE &&
            m->value.as.instance->class_->kind != CLASS_KIND_OPTIMIZER)
            walk(arena, m->value.as.instance, join(arena, path, m->name->text), visit, user);
    }
}

void module_visit_cells(Instance *self, CellVisitor visit, void *user) {
    Arena *names = arena_new();
    walk(names, self, "", visit, user);
    arena_free(names);
}

/* ---- views ---- */

static bool is_module(const Value *v) {
    return v->kind == VALUE_INSTANCE && v->as.instance->class_->kind == CLASS_KIND_MODULE;
}

static const char *extra_repr(Lowerer *lw, Instance *self) {
    const Value *method = instance_method(self, "extra_repr");
    if (!method) return "";
    Value text = eval_call_values(lw, method, NULL, 0, self->span);
    return text.kind == VALUE_STR ? text.as.text : "";
}

static InstanceView *build_view(Lowerer *lw, Instance *self, const char *member_name) {
    InstanceView *view = NEW(lw->arena, InstanceView);
    VECTOR(const InstanceView *) children = {0};
    VECTOR(const Cell *) cells = {0};
    for (int i = 0; i < self->members.count; i++) {
        const Member *m = &self->members.data[i];
        if (is_module(&m->value))
            vector_push(lw->arena, &children, build_view(lw, m->value.as.instance, m->name->text));
        else if (m->value.kind == VALUE_CELL)
            vector_push(lw->arena, &cells, cell_resolve(m->value.as.cell)->cell);
    }
    *view = (InstanceView){
        .class_name = self->class_->name->text,
        .member_name = member_name,
        .path = self->path ? self->path : "",
        .extra_repr = extra_repr(lw, self),
        .is_container_list = module_find_member(self, name_of("_is_list")) != NULL,
        .called = self->called,
        .input = self->input_type,
        .output = self->output_type,
        .child_count = children.count,
        .children = children.data,
        .cell_count = cells.count,
        .cells = cells.data,
        .span = self->span,
    };
    self->extra = view;
    return view;
}

void module_build_view(Lowerer *lw, Instance *root) {
    build_view(lw, root, NULL);
}

const InstanceView *lower_instance_view(Arena *arena, void *instance) {
    (void)arena;
    return instance ? ((Instance *)instance)->extra : NULL;
}
