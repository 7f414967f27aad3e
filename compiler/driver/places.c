/* Files are compared by their names in the file system, with links followed: that is what a rename
 * replaces.  Devices and pipes are written through and hold nothing that could be lost. */
#define _XOPEN_SOURCE 700
#include "driver/places.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Place {
    int option; /* or -1 */
    bool written;
    const char *what, *path; /* as the user knows them */
    const char *file;        /* its name in the file system; NULL: no file */
} Place;
typedef VECTOR(Place) Places;

static const struct {
    OptionId option;
    bool written;
} of_options[] = {{OPTION_OUTPUT, true},  {OPTION_SAVE, true},          {OPTION_CHECKPOINT, true},
                  {OPTION_LOG, true},     {OPTION_TRACE, true},         {OPTION_WEIGHTS, false},
                  {OPTION_LABELS, false}, {OPTION_INIT_WEIGHTS, false}, {OPTION_RESUME, false},
                  {OPTION_INPUT, false},  {OPTION_DATA, false},         {OPTION_TEST, false}};

/* A state that goes on where it was. */
static const struct {
    OptionId written, read;
} continued[] = {{OPTION_CHECKPOINT, OPTION_RESUME},
                 {OPTION_SAVE, OPTION_WEIGHTS},
                 {OPTION_SAVE, OPTION_INIT_WEIGHTS}};

/* The name of what is there, or would be; NULL: nothing to lose is or could be there. */
static const char *file_at(Arena *arena, const char *path) {
    struct stat status;
    char room[PATH_MAX];
    if (!strcmp(path, "-")) return NULL;
    if (stat(path, &status) == 0)
        return S_ISREG(status.st_mode) && realpath(path, room) ? arena_strdup(arena, room) : NULL;
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : arena_strdup(arena, "./");
    if (!realpath(folder, room)) return arena_strdup(arena, path); /* not made yet */
    return arena_printf(arena, "%s/%s", room, slash ? slash + 1 : path);
}

/* What a reader makes of FILE, FILE:NAME or FILE:COLUMNS: the longest part that is there. */
static const char *file_read_at(Arena *arena, const char *spec) {
    for (size_t length = strlen(spec); length > 0; length--) {
        if (spec[length] && spec[length] != ':') continue;
        const char *path = arena_strndup(arena, spec, length);
        struct stat status;
        if (stat(path, &status) == 0) return file_at(arena, path);
    }
    return NULL;
}

static void add(Arena *arena, Places *places, int option, bool written, const char *what,
                const char *path) {
    const char *file = written ? file_at(arena, path) : file_read_at(arena, path);
    Place place = {option, written, what, path, file};
    if (file) vector_push(arena, places, place);
}

static void add_option(Places *places, const CommandLine *line, OptionId id, bool written) {
    const char *what = arena_printf(line->arena, "--%s", option_rows[id].name);
    if (line->value[id]) add(line->arena, places, (int)id, written, what, line->value[id]);
    for (int i = 0; i < line->list[id].count; i++) {
        const char *text = line->list[id].data[i], *equals = strchr(text, '=');
        add(line->arena, places, (int)id, written, what, equals ? equals + 1 : text);
    }
}

static bool goes_on(const Place *a, const Place *b) {
    for (size_t i = 0; i < sizeof continued / sizeof *continued; i++)
        if (a->option == (int)continued[i].written && b->option == (int)continued[i].read)
            return true;
    return false;
}

static bool clash(const Place *a, const Place *b) {
    return a->written && (b->written ? a < b : !goes_on(a, b)) && a != b &&
           !strcmp(a->file, b->file);
}

int places_check(const CommandLine *line, const Program *program, const char *const *made,
                 int made_count) {
    Arena *arena = line->arena;
    Places places = {0};
    for (int i = 0; i < line->operands.count; i++)
        add(arena, &places, -1, false, "the model", line->operands.data[i]);
    for (int i = 0; program && i < program->imports.count; i++)
        add(arena, &places, -1, false, "what the model imports", program->imports.data[i]);
    for (size_t i = 0; i < sizeof of_options / sizeof *of_options; i++)
        add_option(&places, line, of_options[i].option, of_options[i].written);
    for (int i = 0; i < made_count; i++)
        add(arena, &places, -1, true, "a file that is made", made[i]);
    for (int i = 0; i < places.count; i++)
        for (int k = 0; k < places.count; k++) {
            const Place *a = &places.data[i], *b = &places.data[k];
            if (!clash(a, b)) continue;
            if (b->written)
                return options_misuse(line, "%s and %s would both be %s", a->what, b->what,
                                      a->path);
            return options_misuse(line, "%s %s would replace %s%s", a->what, a->path,
                                  b->option < 0 ? "" : "the file of ", b->what);
        }
    return 0;
}
