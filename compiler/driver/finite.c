/* The first value of a call that is not finite, found by the interpreter.
 *
 * A value is to blame when it has a NaN that none of its operands has, or an infinity while all of
 * its operands are finite.  Constants are not: a mask of -inf is meant. */
#include "driver/finite.h"

#include <math.h>
#include <string.h>
#include "tensor/interpret/interpret.h"

typedef struct Finding {
    Arena *arena;
    const Entry *entry;
    const char *text;
} Finding;

static bool has(const Tensor *t, bool nan, int64_t *where) {
    if (!t || !t->floats) return false;
    for (int64_t i = 0; i < t->count; ++i)
        if (nan ? isnan(t->floats[i]) : !isfinite(t->floats[i])) {
            *where = i;
            return true;
        }
    return false;
}

static bool is_argument(const Entry *entry, const Node *node) {
    for (int i = 0; i < entry->arguments.count; ++i)
        if (entry->arguments.data[i].node == node) return true;
    return false;
}

static void describe(Finding *finding, const Node *node, const Tensor *value, int64_t at) {
    Text text = text_new(finding->arena);
    if (node->op == OP_INPUT)
        text_printf(&text, "the argument %s", node->attr.input.name->text);
    else if (node->op == OP_CELL)
        text_printf(&text, "%s, as it was before the call", node->attr.cell->name->text);
    else
        text_printf(&text, "%s%s", node->backward ? "the derivative's " : "",
                    op_info(node->op)->name);
    if (node->op != OP_CELL && node->path && node->path[0])
        text_printf(&text, " of %s", node->path);
    if (node->span.file)
        text_printf(&text, " (%s:%d)", node->span.file->path, span_line(node->span));
    text_append(&text, ": element ");
    tensor_print_index(&text, value, at);
    text_printf(&text, " is %s",
                isnan(value->floats[at]) ? "nan"
                : value->floats[at] < 0  ? "-inf"
                                         : "inf");
    finding->text = text.data;
}

static void see(void *user, const Node *node, Tensor *const *inputs, const Tensor *value) {
    Finding *finding = user;
    int64_t at, ignored;
    if (finding->text || node->op == OP_CONST || !has(value, false, &at)) return;
    if (node->op == OP_INPUT && !is_argument(finding->entry, node)) return;
    bool nan = has(value, true, &at), spoilt = false;
    for (int i = 0; i < node->input_count; ++i) spoilt = spoilt || has(inputs[i], nan, &ignored);
    if (!spoilt) describe(finding, node, value, at);
}

const char *finite_explain(Arena *arena, const FiniteCall *call, const char **error) {
    Arena *scratch = arena_new();
    Finding finding = {.arena = arena, .entry = call->entry};
    Watch watch = {see, &finding};
    Environment *env = environment_new(scratch, call->root, call->program->dims);
    const nnc_entry_info *info = call->info;
    env->seed = call->seed;
    env->step = call->step;
    env->watch = &watch;
    for (int c = 0; c < call->root->cells.count; ++c) {
        const NncArray *array = &call->cells[c];
        if (!array->data) continue;
        env->cells[c] = tensor_new(scratch, (DType)call->root->cells.data[c]->type.dtype,
                                   array->rank, array->dims);
        if (env->cells[c]) tensor_from_bytes(env->cells[c], array->data);
    }
    Tensor **arguments = NEW_ARRAY(scratch, (size_t)info->argument_count + 1, Tensor *);
    Tensor **results = NEW_ARRAY(scratch, (size_t)info->result_count + 1, Tensor *);
    const char *reason = NULL;
    for (int a = 0; !reason && a < info->argument_count; ++a) {
        int64_t extents[NNC_MAX_RANK];
        if (info->shape(call->dims, a, extents) == NNC_OK)
            arguments[a] = tensor_new(scratch, call->entry->arguments.data[a].node->type.dtype,
                                      info->arguments[a].rank, extents);
        if (arguments[a])
            tensor_from_bytes(arguments[a], call->in[a]);
        else
            reason = arena_printf(scratch, "%s is too large", info->arguments[a].name);
    }
    if (!reason)
        reason = interpret_entry(env, INTERPRET_TYPED, call->entry, call->dims, arguments, results);
    *error = reason && !finding.text ? arena_strdup(arena, reason) : NULL;
    arena_free(scratch);
    return finding.text;
}

bool finite_cells(const NncSession *session, NncArray *cells, NncError *error) {
    for (int c = 0; c < session->model->cell_count; ++c) {
        bool none;
        nnc_array_free(&cells[c]);
        if (!nnc_session_get(session, c, &cells[c], &none, error) && !none) return false;
    }
    return true;
}
