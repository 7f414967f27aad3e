/* The story of a shape: how a tensor that is at fault came to have the shape it has.
 *
 * Every call that gives a tensor, and every argument of an entry, is a step that remembers the one
 * before (value_with_story); a shape error prints the chain beside itself (lower_tell_story):
 * "shape of x: x f32[N, 784] :3 -> flatten [N, 784] :7".  Invariant: stories change nothing but
 * what is said. */
#include "lower/internal.h"

Value value_with_story(Lowerer *lw, Node *node, const Value *from, const char *step, Span span) {
    if (!node) return value_error();
    Value v = value_tensor(node);
    Story *story = NEW(lw->arena, Story);
    story->previous = from ? from->story : NULL;
    story->step = step;
    story->span = span;
    story->node = node;
    v.story = story;
    return v;
}

static void print_location(Text *text, Span span) {
    if (span.file) text_printf(text, " :%d", span_line(span));
}

void lower_tell_story(Lowerer *lw, Diagnostic *d, const char *what, const Value *tensor) {
    if (tensor->kind != VALUE_TENSOR || !tensor->story) return;
    const Story *steps[64];
    int count = 0;
    for (const Story *s = tensor->story; s && count < 64; s = s->previous) steps[count++] = s;
    Text text = text_new(lw->arena);
    text_printf(&text, "shape of %s: ", what);
    for (int i = count - 1; i >= 0; i--) {
        if (count > 6 && i == count - 3) {
            text_append(&text, " \xe2\x86\x92 \xe2\x80\xa6");
            i = 2;
            continue;
        }
        if (i < count - 1) text_append(&text, " \xe2\x86\x92 ");
        text_append(&text, steps[i]->step);
        text_char(&text, ' ');
        if (i == count - 1)
            type_print(&text, &steps[i]->node->type);
        else
            shape_print(&text, &steps[i]->node->type.shape);
        print_location(&text, steps[i]->span);
    }
    diagnostic_story(d, "%s", text.data);
}

void lower_tell_arguments(Lowerer *lw, Diagnostic *d) {
    const Frame *call = NULL;
    for (const Frame *frame = lw->frame; frame && frame->closure; frame = frame->caller) {
        if (!frame->closure->home->is_prelude) break;
        call = frame;
    }
    if (!call) return;
    const Function *f = call->closure->function;
    for (int i = 0; i < f->param_count; i++) {
        const Binding *given = scope_find_binding(call->scope, f->params[i].name);
        if (given) lower_tell_story(lw, d, f->params[i].name->text, &given->value);
    }
}
