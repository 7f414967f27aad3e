/* Templates without the sections that a program does not use.
 *
 * Input: template files, and the text that will stand behind them.  Output: the files' text less
 * unused sections.  A section begins with a comment "section: NAMES" and ends where the next one
 * begins; "section" alone begins text that is always pasted.  NAMES are beginnings of the names
 * that it defines, or their ends after a star.  A section is used if the text behind it, pasted
 * sections included, has such a name. */
#include "emit/common/common.h"

#include "base/embedded.h"

#include <string.h>

typedef struct Part {
    const char *text, *end;
    const char *names, *names_end; /* NULL: always pasted */
} Part;

/* A name of generated code; pasted: what ## continues. */
typedef struct Used {
    const char *text;
    size_t length;
    uint32_t hash;
    bool pasted;
    int next; /* of those in the same list, plus 1 */
} Used;

typedef struct Sections {
    Arena *arena;
    VECTOR(Part) parts;
    VECTOR(Used) used;
    int *slots; /* of the names used, plus 1; 0: free */
    int slot_count;
    int lists[256]; /* of the names used, plus 1, by the letter where most begin to differ */
} Sections;

enum { BEGINNING = 4 }; /* nns_, nnv_ and the like; shorter names are in the list of no letter */

/* Characters of names. */
static const bool in_name[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
    ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
    ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1,
    ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1,
    ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['_'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,
    ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1,
    ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
    ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1};

static void insert(Sections *s, int index) {
    int at = (int)(s->used.data[index].hash & (uint32_t)(s->slot_count - 1));
    while (s->slots[at]) at = (at + 1) & (s->slot_count - 1);
    s->slots[at] = index + 1;
}

static void add_name(Sections *s, const char *text, size_t length, bool pasted) {
    /* Both ends tell nearly all names apart. */
    uint64_t first = 0, last = 0;
    memcpy(&first, text, length < 8 ? length : 8);
    memcpy(&last, text + (length < 8 ? 0 : length - 8), length < 8 ? length : 8);
    first = (first ^ last * 0x9E3779B97F4A7C15u ^ (length << 1 | pasted)) * 0xD6E8FEB86659FD93u;
    uint32_t hash = (uint32_t)(first >> 32);
    int at = (int)(hash & (uint32_t)(s->slot_count - 1));
    for (; s->slots[at]; at = (at + 1) & (s->slot_count - 1)) {
        const Used *u = &s->used.data[s->slots[at] - 1];
        if (u->hash == hash && u->length == length && u->pasted == pasted &&
            !memcmp(u->text, text, length))
            return;
    }
    int *list = &s->lists[length > BEGINNING ? (unsigned char)text[BEGINNING] : 0];
    vector_push(s->arena, &s->used, ((Used){text, length, hash, pasted, *list}));
    *list = s->used.count;
    if (2 * s->used.count > s->slot_count) {
        s->slot_count *= 2;
        s->slots = NEW_ARRAY(s->arena, (size_t)s->slot_count, int);
        for (int i = 0; i < s->used.count; i++) insert(s, i);
    } else {
        insert(s, s->used.count - 1);
    }
}

/* Every name that begins as those of generated code do. */
static void add_names(Sections *s, const char *text, const char *end) {
    for (const char *p = text; p + 3 < end;) {
        if (p[1] != 'n' && p[1] != 'N') {
            p += 2; /* neither begins a name */
            continue;
        }
        if (p[0] != p[1] || (p > text && in_name[(unsigned char)p[-1]])) {
            p++;
            continue;
        }
        const char *begin = p;
        while (p < end && in_name[(unsigned char)*p]) p++;
        size_t length = (size_t)(p - begin);
        bool pasted = end - p > 2 && p[0] == '#' && p[1] == '#';
        if (!(pasted && length <= 4)) add_name(s, begin, length, pasted);
    }
}

static bool name_fits(const Used *u, const char *name, size_t length) {
    if (name[0] == '*')
        return u->length >= --length && !memcmp(u->text + u->length - length, name + 1, length);
    size_t common = u->pasted && u->length < length ? u->length : length;
    return u->length >= common && !memcmp(u->text, name, common);
}

static bool list_fits(const Sections *s, int first, const char *name, size_t length) {
    for (int at = first; at; at = s->used.data[at - 1].next)
        if (name_fits(&s->used.data[at - 1], name, length)) return true;
    return false;
}

static bool name_is_used(const Sections *s, const char *name, size_t length) {
    if (*name != '*' && length > BEGINNING)
        return list_fits(s, s->lists[(unsigned char)name[BEGINNING]], name, length) ||
               list_fits(s, s->lists[0], name, length);
    for (int i = 0; i < s->used.count; i++)
        if (name_fits(&s->used.data[i], name, length)) return true;
    return false;
}

static bool part_is_used(const Sections *s, const Part *part) {
    for (const char *p = part->names; p < part->names_end;) {
        const char *begin = p;
        while (p < part->names_end && (in_name[(unsigned char)*p] || *p == '*')) p++;
        size_t length = (size_t)(p - begin);
        if (length && name_is_used(s, begin, length)) return true;
        if (!length) p++;
    }
    return false;
}

static void split(Sections *s, const char *text) {
    static const char marker[] = "/* section";
    const char *end = text + strlen(text);
    Part part = {text, end, NULL, NULL};
    for (const char *p = text; (p = strstr(p, marker));) {
        part.end = p;
        vector_push(s->arena, &s->parts, part);
        const char *close = strstr(p, "*/"), *names = p + sizeof marker - 1;
        p = close ? close + 2 : end;
        if (*p == '\n') p++;
        part = (Part){p, end, NULL, NULL};
        if (*names == ':') part.names = names + 1, part.names_end = close;
    }
    vector_push(s->arena, &s->parts, part);
}

void emit_template_sections(Text *out, const char *const *names, int count, const Text *behind) {
    Sections sections = {.arena = out->arena, .slot_count = 512}, *s = &sections;
    s->slots = NEW_ARRAY(s->arena, (size_t)s->slot_count, int);
    for (int i = 0; i < count; i++)
        for (const EmbeddedFile *f = templates_files; f->name; f++)
            if (!strcmp(f->name, names[i])) split(s, f->text);
    add_names(s, behind->data, behind->data + behind->length);
    bool *used = NEW_ARRAY(s->arena, (size_t)s->parts.count, bool);
    for (int i = s->parts.count - 1; i >= 0; i--) {
        const Part *part = &s->parts.data[i];
        used[i] = !part->names || part_is_used(s, part);
        if (used[i]) add_names(s, part->text, part->end);
    }
    for (int i = 0; i < s->parts.count; i++) {
        const Part *part = &s->parts.data[i];
        for (const char *line = part->text; used[i] && line < part->end;) {
            const char *end = memchr(line, '\n', (size_t)(part->end - line));
            size_t length = end ? (size_t)(end - line) + 1 : (size_t)(part->end - line);
            if (strncmp(line, "#include \"", 10)) text_append_n(out, line, length);
            line += length;
        }
    }
}
