/* Diagnostics: the three printed forms.
 *
 * Text form: head line, `-->` place, excerpts of every line that a span or label touches in the
 * order of the file, each underlined (^^^ the place itself, --- labels), story lines, help lines.
 * Output is sorted by file (first mention), then place, then order of report. */
#include "base/diagnostic_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct Colors {
    const char *error, *warning, *bold, *blue, *green, *off;
} Colors;
static const Colors colors_on = {"\033[1;31m", "\033[1;33m", "\033[1m",
                                 "\033[1;34m", "\033[1;32m", "\033[0m"};
static const Colors colors_off = {"", "", "", "", "", ""};

static int compare_place(const void *pa, const void *pb) {
    const Diagnostic *a = *(Diagnostic *const *)pa, *b = *(Diagnostic *const *)pb;
    if (a->file_order != b->file_order) return a->file_order < b->file_order ? -1 : 1;
    if (a->span.begin != b->span.begin) return a->span.begin < b->span.begin ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* One underlined piece of one line. */
typedef struct Mark {
    int line, order;
    uint32_t begin, end; /* bytes within the file, cut to the line */
    bool main;
    const char *text;
} Mark;
typedef VECTOR(Mark) Marks;

static uint32_t line_end(const SourceFile *file, int line) {
    uint32_t begin = file->line_starts[line - 1];
    uint32_t end = line < file->line_count ? file->line_starts[line] : (uint32_t)file->length;
    while (end > begin && (file->text[end - 1] == '\n' || file->text[end - 1] == '\r')) end--;
    return end;
}

static void add_mark(Arena *arena, Marks *marks, Span span, bool main, const char *text) {
    int line, column;
    source_position(span.file, span.begin, &line, &column);
    uint32_t end = line_end(span.file, line);
    Mark mark = {line, marks->count, span.begin, span.end < end ? span.end : end, main, text};
    if (mark.begin > end) mark.begin = end;
    if (mark.end < mark.begin) mark.end = mark.begin;
    vector_push(arena, marks, mark);
}

static int compare_mark(const void *pa, const void *pb) {
    const Mark *a = pa, *b = pb;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    if (a->main != b->main) return a->main ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

enum { EXCERPT_WIDTH = 160, EXCERPT_BEFORE = 60 };

/* The part of a line that is shown: all of it, or a window around the mark. */
static void window(const SourceFile *file, const Mark *mark, uint32_t *begin, uint32_t *end) {
    *begin = file->line_starts[mark->line - 1];
    *end = line_end(file, mark->line);
    if (*end - *begin <= EXCERPT_WIDTH) return;
    if (mark->begin - *begin > EXCERPT_BEFORE) *begin = mark->begin - EXCERPT_BEFORE;
    if (*end - *begin > EXCERPT_WIDTH) *end = *begin + EXCERPT_WIDTH;
    while (((unsigned char)file->text[*begin] & 0xC0) == 0x80) ++*begin;
    while (((unsigned char)file->text[*end] & 0xC0) == 0x80) --*end;
}

/* Control characters would move the cursor: they are shown as spaces. */
static void print_excerpt(FILE *out, const SourceFile *file, uint32_t begin, uint32_t end) {
    for (uint32_t p = begin; p < end; p++) {
        unsigned char c = (unsigned char)file->text[p];
        putc(c < 0x20 || c == 0x7f ? ' ' : c, out);
    }
    putc('\n', out);
}

static void print_underline(FILE *out, const SourceFile *file, const Mark *mark, uint32_t begin,
                            uint32_t end, const char *color, const char *off) {
    for (uint32_t p = begin; p < mark->begin; p++)
        if (((unsigned char)file->text[p] & 0xC0) != 0x80) putc(' ', out);
    fputs(color, out);
    char sign = mark->main ? '^' : '-';
    int drawn = 0;
    for (uint32_t p = mark->begin; p < mark->end && p < end; p++)
        if (((unsigned char)file->text[p] & 0xC0) != 0x80) {
            putc(sign, out);
            drawn++;
        }
    if (!drawn) putc(sign, out);
    if (mark->text && mark->text[0]) fprintf(out, " %s", mark->text);
    fprintf(out, "%s\n", off);
}

static void print_marks(FILE *out, const SourceFile *file, Marks *marks, int width, const Colors *c,
                        const char *main_color) {
    qsort(marks->data, (size_t)marks->count, sizeof(Mark), compare_mark);
    uint32_t begin = 0, end = 0;
    int last = 0;
    for (int i = 0; i < marks->count; i++) {
        const Mark *mark = &marks->data[i];
        bool shown = mark->line == last && mark->begin >= begin && mark->begin <= end;
        if (!shown) {
            window(file, mark, &begin, &end);
            fprintf(out, "%s%*d |%s ", c->blue, width, mark->line, c->off);
            print_excerpt(out, file, begin, end);
        }
        last = mark->line;
        fprintf(out, "%s%*s |%s ", c->blue, width, "", c->off);
        print_underline(out, file, mark, begin, end, mark->main ? main_color : c->blue, c->off);
    }
}

static void print_text(Arena *arena, FILE *out, const Diagnostic *d, bool color) {
    const Colors *c = color ? &colors_on : &colors_off;
    bool error = d->severity == SEVERITY_ERROR;
    const char *main_color = error ? c->error : c->warning;
    fprintf(out, "%s%s[%s]%s%s: %s%s\n", main_color, error ? "error" : "warning",
            diagnostic_rows[d->code].code, c->off, c->bold, d->message, c->off);
    int width = 2;
    if (d->span.file) {
        int line, column, most = 0;
        source_position(d->span.file, d->span.begin, &line, &column);
        fprintf(out, "%s  -->%s %s:%d:%d\n", c->blue, c->off, d->span.file->path, line, column);
        most = line;
        Marks marks = {0};
        const char *marker = d->marker;
        add_mark(arena, &marks, d->span, true, marker);
        for (int i = 0; i < d->labels.count; i++) {
            const DiagnosticLabel *label = &d->labels.data[i];
            if (label->span.file != d->span.file) continue;
            if (label->span.begin == d->span.begin && label->span.end == d->span.end) {
                marks.data[0].text = label->text;
                continue;
            }
            int at = span_line(label->span);
            if (at > most) most = at;
            add_mark(arena, &marks, label->span, false, label->text);
        }
        for (int n = most; n >= 100; n /= 10) width++;
        print_marks(out, d->span.file, &marks, width, c, main_color);
        for (int i = 0; i < d->labels.count; i++) {
            const DiagnosticLabel *label = &d->labels.data[i];
            if (!label->span.file || label->span.file == d->span.file) continue;
            source_position(label->span.file, label->span.begin, &line, &column);
            fprintf(out, "%s  ::>%s %s:%d:%d\n", c->blue, c->off, label->span.file->path, line,
                    column);
            Marks other = {0};
            add_mark(arena, &other, label->span, false, label->text);
            print_marks(out, label->span.file, &other, width, c, main_color);
        }
    }
    for (int i = 0; i < d->story.count; i++)
        fprintf(out, "%*s = %s\n", width, "", d->story.data[i]);
    for (int i = 0; i < d->help.count; i++)
        fprintf(out, "%shelp:%s %s\n", c->green, c->off, d->help.data[i]);
}

static void print_short(FILE *out, const Diagnostic *d) {
    int line = 0, column = 0;
    if (d->span.file) {
        source_position(d->span.file, d->span.begin, &line, &column);
        fprintf(out, "%s:%d:%d: ", d->span.file->path, line, column);
    }
    fprintf(out, "%s[%s]: %s\n", d->severity == SEVERITY_ERROR ? "error" : "warning",
            diagnostic_rows[d->code].code, d->message);
}

static void json_string(FILE *out, const char *s) {
    putc('"', out);
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p == '\n')
            fputs("\\n", out);
        else if (*p == '\t')
            fputs("\\t", out);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(out, "\\u%04x", *p);
        else
            putc(*p, out);
    }
    putc('"', out);
}

static void json_place(FILE *out, Span span) {
    if (!span.file) {
        fputs("null", out);
        return;
    }
    int line, column, end_line, end_column;
    source_position(span.file, span.begin, &line, &column);
    source_position(span.file, span.end, &end_line, &end_column);
    fputs("{\"file\": ", out);
    json_string(out, span.file->path);
    fprintf(out, ", \"line\": %d, \"column\": %d, \"end_line\": %d, \"end_column\": %d}", line,
            column, end_line, end_column);
}

static void json_strings(FILE *out, const char *const *items, int count) {
    putc('[', out);
    for (int i = 0; i < count; i++) {
        if (i) fputs(", ", out);
        json_string(out, items[i]);
    }
    putc(']', out);
}

static void print_json(FILE *out, const Diagnostic *d) {
    fprintf(out, "  {\"code\": \"%s\", \"severity\": \"%s\", \"message\": ",
            diagnostic_rows[d->code].code, d->severity == SEVERITY_ERROR ? "error" : "warning");
    json_string(out, d->message);
    fputs(", \"place\": ", out);
    json_place(out, d->span);
    fputs(", \"labels\": [", out);
    for (int i = 0; i < d->labels.count; i++) {
        fputs(i ? ", {\"text\": " : "{\"text\": ", out);
        json_string(out, d->labels.data[i].text);
        fputs(", \"place\": ", out);
        json_place(out, d->labels.data[i].span);
        putc('}', out);
    }
    fputs("], \"story\": ", out);
    json_strings(out, d->story.data, d->story.count);
    fputs(", \"help\": ", out);
    json_strings(out, d->help.data, d->help.count);
    putc('}', out);
}

void diagnostics_print(const DiagnosticSink *sink, FILE *out, DiagnosticForm form, bool color) {
    int count = 0;
    Diagnostic **sorted = NEW_ARRAY(sink->arena, (size_t)sink->items.count + 1, Diagnostic *);
    for (int i = 0; i < sink->items.count; i++)
        if (!sink->items.data[i]->hidden) sorted[count++] = sink->items.data[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_place);
    if (form == FORM_JSON) fputs(count ? "[\n" : "[", out);
    for (int i = 0; i < count; i++) {
        switch (form) {
        case FORM_TEXT:
            if (i) putc('\n', out);
            print_text(sink->arena, out, sorted[i], color);
            break;
        case FORM_SHORT: print_short(out, sorted[i]); break;
        case FORM_JSON:
            print_json(out, sorted[i]);
            fputs(i + 1 < count ? ",\n" : "\n", out);
            break;
        }
    }
    if (form == FORM_JSON) fputs("]\n", out);
    int hidden = sink->hidden_errors;
    if (hidden > 0 && form == FORM_TEXT)
        fprintf(out, "\nnnc: %d more error%s not shown\n", hidden, hidden > 1 ? "s" : "");
}
