/* A smaller program that still fails: textual IR with lines, results, writes and extents taken
 * away for as long as `fails` says yes.
 *
 * A node is replaced by an argument or, inside a body, by a constant; lines that no one reads are
 * dropped.  Candidates that are no valid program are refused by `fails`, so none is
 * checked here. */
#ifndef TESTS_NUMERIC_RANDOM_SHRINK_H
#define TESTS_NUMERIC_RANDOM_SHRINK_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/vector.h"

typedef bool (*RandomFails)(void *user, const char *text);

typedef struct ShrinkLines {
    VECTOR(const char *) line;
} ShrinkLines;

static inline ShrinkLines shrink_split(Arena *arena, const char *text) {
    ShrinkLines lines = {0};
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        vector_push(arena, &lines.line, arena_printf(arena, "%.*s", (int)(end - text), text));
    return lines;
}
static inline const char *shrink_join(Arena *arena, const ShrinkLines *lines) {
    Text text = text_new(arena);
    for (int i = 0; i < lines->line.count; i++)
        if (lines->line.data[i]) text_printf(&text, "%s\n", lines->line.data[i]);
    return text.data;
}

/* The label that a line defines: "%12" of "    %12: f32 = ..." or NULL. */
static inline const char *shrink_label(Arena *arena, const char *line) {
    while (*line == ' ') line++;
    size_t n = strcspn(line, ": ");
    return *line == '%' ? arena_printf(arena, "%.*s", (int)n, line) : NULL;
}
static inline bool shrink_reads(const char *line, const char *label) {
    size_t n = strlen(label);
    for (const char *at = line; (at = strstr(at, label)); at += n)
        if (at[n] < '0' || at[n] > '9') return true;
    return false;
}
static inline int shrink_depth(const ShrinkLines *lines, int at) {
    int depth = 0;
    for (int i = 0; i < at; i++)
        for (const char *c = lines->line.data[i] ? lines->line.data[i] : ""; *c; c++)
            depth += (*c == '{') - (*c == '}');
    return depth;
}
/* The last line of the statement that begins at `at`. */
static inline int shrink_end(const ShrinkLines *lines, int at) {
    int depth = 0, i = at;
    for (; i < lines->line.count; i++) {
        for (const char *c = lines->line.data[i] ? lines->line.data[i] : ""; *c; c++)
            depth += (*c == '{') - (*c == '}');
        if (depth <= 0) break;
    }
    return i;
}

/* Without the definitions of the entry that no later line reads. */
static inline const char *shrink_clean(Arena *arena, const char *text) {
    ShrinkLines lines = shrink_split(arena, text);
    for (int i = lines.line.count; i-- > 0;) {
        const char *line = lines.line.data[i], *label = line ? shrink_label(arena, line) : NULL;
        if (!label || (strstr(line, " = input ") && shrink_depth(&lines, i) > 2)) continue;
        int end = shrink_end(&lines, i);
        bool read = false;
        for (int k = end + 1; k < lines.line.count && !read; k++)
            read = lines.line.data[k] && shrink_reads(lines.line.data[k], label);
        for (int k = i; k <= end && k < lines.line.count && !read; k++) lines.line.data[k] = NULL;
    }
    for (int i = 0; i < lines.line.count; i++) { /* cells that no one names */
        const char *line = lines.line.data[i];
        if (!line || strncmp(line, "  cell ", 7)) continue;
        const char *name = arena_printf(arena, "%.*s", (int)strcspn(line + 7, ":"), line + 7);
        bool read = false;
        for (int k = i + 1; k < lines.line.count && !read; k++) {
            const char *other = lines.line.data[k];
            read = other && (strstr(other, arena_printf(arena, "cell %s", name)) ||
                             strstr(other, arena_printf(arena, "write %s", name)));
        }
        if (!read) lines.line.data[i] = NULL;
    }
    return shrink_join(arena, &lines);
}

typedef struct Shrinker {
    Arena *arena;
    const char *text;
    RandomFails fails;
    void *user;
} Shrinker;

static inline bool shrink_try(Shrinker *s, const char *candidate) {
    candidate = shrink_clean(s->arena, candidate);
    if (!strcmp(candidate, s->text) || !s->fails(s->user, candidate)) return false;
    s->text = candidate;
    return true;
}

static inline bool shrink_results(Shrinker *s) {
    bool any = false;
    for (int at = 0;; at++) { /* keep one result */
        ShrinkLines lines = shrink_split(s->arena, s->text);
        int i = 0;
        while (i < lines.line.count && strncmp(lines.line.data[i], "    return", 10)) i++;
        if (i == lines.line.count) break;
        const char *line = lines.line.data[i], *item = line + 10;
        int k = 0;
        for (; item && k < at; k++) item = strchr(item + 1, ',');
        if (!item || !strchr(line, '=')) break;
        const char *next = strchr(item + 1, ',');
        const char *only =
            arena_printf(s->arena, "    return %.*s",
                         (int)(next ? next - item - 1 : (long)strlen(item) - 1), item + 1);
        if (!strcmp(only, line)) break;
        lines.line.data[i] = only;
        if (shrink_try(s, shrink_join(s->arena, &lines))) return true;
    }
    for (int i = 0;; i++) {
        ShrinkLines lines = shrink_split(s->arena, s->text);
        if (i >= lines.line.count) return any;
        const char *line = lines.line.data[i];
        if (!strncmp(line, "    return r", 12)) { /* no result at all */
            lines.line.data[i] = "    return";
            any |= shrink_try(s, shrink_join(s->arena, &lines));
        } else if (!strncmp(line, "    write ", 10)) {
            lines.line.data[i] = NULL;
            if (shrink_try(s, shrink_join(s->arena, &lines))) any = true, i--;
        }
    }
}

static inline bool shrink_nodes(Shrinker *s) {
    bool any = false;
    for (int i = shrink_split(s->arena, s->text).line.count; i-- > 0;) {
        ShrinkLines lines = shrink_split(s->arena, s->text);
        if (i >= lines.line.count) continue;
        const char *line = lines.line.data[i], *label = shrink_label(s->arena, line);
        const char *equals = strstr(line, " = ");
        if (!label || !equals || strchr(line, '{')) continue;
        if (!strncmp(equals, " = input", 8) || !strncmp(equals, " = const", 8)) continue;
        int depth = shrink_depth(&lines, i);
        const char *colon = strchr(line, ':');
        bool is_float = colon && (colon[2] == 'f' || !strncmp(colon + 2, "bf16", 4));
        const char *value = depth > 2  ? (is_float ? "const 0.75" : "const 1")
                            : is_float ? arena_printf(s->arena, "input xs%s", label + 1)
                                       : arena_printf(s->arena, "input xi%s", label + 1);
        lines.line.data[i] = arena_printf(s->arena, "%.*s = %s", (int)(equals - line), line, value);
        any |= shrink_try(s, shrink_join(s->arena, &lines));
    }
    return any;
}

/* Every extent `from` inside types becomes `to`. */
static inline const char *shrink_extent(Arena *arena, const char *text, long from, long to) {
    Text out = text_new(arena);
    int inside = 0;
    for (const char *c = text; *c;) {
        if (*c == '[') inside++;
        if (*c == ']') inside--;
        bool word = c > text && (c[-1] == '[' || c[-1] == ' ' || c[-1] == '=');
        if (word && *c >= '0' && *c <= '9' && (inside || c[-1] == '=')) {
            char *end;
            long value = strtol(c, &end, 10);
            bool whole = *end == ']' || *end == ',' || *end == ' ' || *end == '\n';
            text_printf(&out, "%ld", whole && value == from ? to : value);
            c = end;
            continue;
        }
        text_char(&out, *c++);
    }
    return out.data;
}

static inline bool shrink_extents(Shrinker *s) {
    bool any = false;
    for (long from = 130; from >= 2; from--) {
        char number[16];
        snprintf(number, sizeof number, "%ld", from);
        if (!strstr(s->text, number)) continue;
        const long smaller[] = {1, 2, from / 2, from - 1};
        for (int k = 0; k < 4; k++)
            if (smaller[k] < from &&
                shrink_try(s, shrink_extent(s->arena, s->text, from, smaller[k]))) {
                any = true;
                break;
            }
    }
    return any;
}

static inline const char *random_shrink(Arena *arena, const char *text, RandomFails fails,
                                        void *user) {
    Shrinker s = {arena, text, fails, user};
    for (bool again = true; again;) {
        again = shrink_results(&s);
        again |= shrink_nodes(&s);
        again |= shrink_extents(&s);
    }
    return s.text;
}

#endif
