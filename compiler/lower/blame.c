/* Where a mistake is reported: whose line is to blame, error creation, graphs whose complaints
 * become diagnostics.  Invariant: after an error the caller returns VALUE_ERROR or false, and
 * everything made of that is silent. */
#include "lower/internal.h"

#include <stdarg.h>
#include <string.h>

Span lower_blame(Lowerer *lw, Span span) {
    const Frame *frame = lw->frame;
    while (frame && (!span.file || span.file->is_prelude)) {
        span = frame->call_span;
        frame = frame->caller;
    }
    return span;
}

Span lower_argument_place(Lowerer *lw, Name *name, const Function **f) {
    for (const Frame *frame = lw->frame; *name && frame && frame->closure; frame = frame->caller) {
        *f = frame->closure->function;
        const Binding *binding = NULL;
        for (int i = 0; i < (*f)->param_count; i++)
            if ((*f)->params[i].name == *name) binding = scope_find_binding(frame->scope, *name);
        if (!binding || !(*f)->name_span.file || !(*f)->name_span.file->is_prelude) break;
        Span span = binding->span;
        if (!span.file || !span.file->is_prelude) return span;
        *name = name_of_n(span.file->text + span.begin, span.end - span.begin);
    }
    return (Span){0};
}

Diagnostic *lower_error(Lowerer *lw, DiagnosticCode code, Span span, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Text text = text_new(lw->arena);
    text_vprintf(&text, format, args);
    va_end(args);
    Diagnostic *d = diagnose(lw->sink, code, lower_blame(lw, span), "%s", text.data);
    const char *path = lw->instance ? lw->instance->path : NULL;
    if (path && path[0]) diagnostic_story(d, "in module %s", path);
    return d;
}

static void graph_complains(void *user, const char *message) {
    Lowerer *lw = user;
    Span span = lw->graph ? lw->graph->span : (Span){0};
    lower_error(lw, NN_ARGUMENT_TYPE, span, "%s", message);
}

Graph *lower_graph_new(Lowerer *lw) {
    Graph *g = graph_new(lw->arena, lw->dims);
    g->complain = graph_complains;
    g->complain_user = lw;
    g->path = "";
    return g;
}

bool lower_check_reach(Lowerer *lw, const Node *node, Span span) {
    const Graph *g = lw->graph;
    if (g && node->id >= 0 && node->id < g->nodes.count && g->nodes.data[node->id] == node)
        return true;
    Diagnostic *d =
        lower_error(lw, NN_FOREIGN_TENSOR, span, "this tensor was made in another computation");
    diagnostic_help(d, "tensors live inside one entry or one scan body; keep a value between calls "
                       "in `state` or `buffer`, and let it out of a scan by `yield` or a carry");
    return false;
}
