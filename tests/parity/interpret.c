/* Runs train blocks of a program in the interpreter, in f64, on numbers from standard input.
 *   root NAME | set CELL VALUES | argument RANK EXTENTS VALUES | call ENTRY | get CELL
 * VALUES is their count and the numbers.  `root` prints the names of saved cells; `call` and `get`
 * print tensors: dtype, rank, extents, numbers.  Arguments are forgotten after a call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diagnostic.h"
#include "base/file.h"
#include "lower/lower.h"
#include "sema/sema.h"
#include "syntax/parse.h"
#include "tensor/interpret/interpret.h"

enum { MAX_WORD = 256, MAX_ARGUMENTS = 64, MAX_TEXT = 1 << 26 };

typedef struct Values {
    int64_t count;
    double *numbers;
} Values;

typedef struct Given {
    int rank;
    int64_t extents[SHAPE_MAX_RANK];
    Values values;
} Given;

typedef struct Session {
    Arena *arena;
    const Program *program;
    const Root *root;
    Environment *environment;
    Given arguments[MAX_ARGUMENTS];
    int argument_count;
} Session;

static void stop(const char *what, const char *name) {
    fprintf(stderr, "%s: %s\n", what, name);
    exit(1);
}

static const char *read_word(void) {
    static char word[MAX_WORD];
    if (scanf("%255s", word) != 1) stop("input ends early", "a word is missing");
    return word;
}

static Values read_values(Session *s) {
    Values v = {0};
    if (scanf("%ld", &v.count) != 1 || v.count < 0) stop("input", "a count is missing");
    v.numbers = NEW_ARRAY(s->arena, v.count + 1, double);
    for (int64_t i = 0; i < v.count; i++) v.numbers[i] = strtod(read_word(), NULL);
    return v;
}

static void fill(Tensor *t, const Values *v, const char *name) {
    if (t->count != v->count) stop("another count of numbers", name);
    for (int64_t i = 0; i < t->count; i++) tensor_set(t, i, v->numbers[i]);
}

static void print_tensor(const Tensor *t) {
    printf("%s %d", dtype_name(t->dtype), t->rank);
    for (int i = 0; i < t->rank; i++) printf(" %ld", t->extents[i]);
    for (int64_t i = 0; i < t->count; i++) printf(" %a", tensor_get(t, i));
    printf("\n");
}

static const Entry *find_entry(const Session *s, const char *name) {
    for (int i = 0; i < s->root->entries.count; i++)
        if (!strcmp(s->root->entries.data[i]->name->text, name)) return s->root->entries.data[i];
    stop("no entry", name);
    return NULL;
}

static Tensor *find_cell(const Session *s, const char *name) {
    for (int i = 0; i < s->root->cells.count; i++)
        if (!strcmp(s->root->cells.data[i]->name->text, name)) return s->environment->cells[i];
    stop("no cell", name);
    return NULL;
}

static void open_root(Session *s, const char *name) {
    s->root = NULL;
    for (int i = 0; i < s->program->roots.count; i++)
        if (!strcmp(s->program->roots.data[i]->name->text, name))
            s->root = s->program->roots.data[i];
    if (!s->root) stop("no root", name);
    s->environment = environment_new(s->arena, s->root, s->program->dims);
    s->environment->seed = 1;
    const char *error =
        interpret_entry(s->environment, INTERPRET_VALUE, find_entry(s, "init"), NULL, NULL, NULL);
    if (error) stop("init", error);
    for (int i = 0; i < s->root->cells.count; i++) {
        const Cell *cell = s->root->cells.data[i];
        if (cell->role == CELL_PARAMETER || cell->role == CELL_BUFFER)
            printf("%s ", cell->name->text);
    }
    printf("\n");
}

static void read_argument(Session *s) {
    if (s->argument_count == MAX_ARGUMENTS) stop("input", "too many arguments");
    Given *given = &s->arguments[s->argument_count++];
    if (scanf("%d", &given->rank) != 1 || given->rank < 0 || given->rank > SHAPE_MAX_RANK)
        stop("input", "a rank is missing");
    for (int i = 0; i < given->rank; i++)
        if (scanf("%ld", &given->extents[i]) != 1) stop("input", "an extent is missing");
    given->values = read_values(s);
}

static void call(Session *s, const char *name) {
    const Entry *entry = find_entry(s, name);
    if (entry->arguments.count != s->argument_count) stop("another count of arguments", name);
    Tensor *arguments[MAX_ARGUMENTS];
    for (int i = 0; i < s->argument_count; i++) {
        const Given *given = &s->arguments[i];
        DType dtype = entry->arguments.data[i].node->type.dtype;
        arguments[i] = tensor_new(s->arena, dtype, given->rank, given->extents);
        fill(arguments[i], &given->values, name);
    }
    Tensor **results = NEW_ARRAY(s->arena, entry->results.count + 1, Tensor *);
    const char *error =
        interpret_entry(s->environment, INTERPRET_VALUE, entry, NULL, arguments, results);
    if (error) stop(name, error);
    for (int i = 0; i < entry->results.count; i++) print_tensor(results[i]);
    s->argument_count = 0;
}

static const Program *lower_file(Arena *arena, const char *path) {
    names_init(arena);
    size_t length;
    const char *error;
    char *text = file_read_all(arena, path, MAX_TEXT, &length, &error);
    if (!text) stop(path, error);
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceUnit *unit = syntax_parse(arena, source_new(arena, path, text, length), sink);
    static const char *const words[] = {"u32", NULL};
    SemaOptions sema = {.visit_library = lower_visit_library, .words = words};
    if (!diagnostics_errors(sink)) sema_check(arena, unit, &sema, sink);
    LowerOptions options = {.default_dtype = DTYPE_F64};
    Program *program = diagnostics_errors(sink) ? NULL : lower_program(arena, unit, &options, sink);
    if (program && !diagnostics_errors(sink)) return program;
    diagnostics_print(sink, stderr, FORM_TEXT, false);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 2) stop("usage", "nnc_parity FILE.nn <commands");
    Session s = {.arena = arena_new()};
    s.program = lower_file(s.arena, argv[1]);
    char command[MAX_WORD];
    while (fflush(stdout) == 0 && scanf("%255s", command) == 1) {
        if (!strcmp(command, "argument")) {
            read_argument(&s);
            continue;
        }
        char *name = arena_strdup(s.arena, read_word());
        if (!strcmp(command, "root")) {
            open_root(&s, name);
        } else if (!s.root) {
            stop("no root is open", command);
        } else if (!strcmp(command, "set")) {
            Values v = read_values(&s);
            fill(find_cell(&s, name), &v, name);
        } else if (!strcmp(command, "call")) {
            call(&s, name);
        } else if (!strcmp(command, "get")) {
            print_tensor(find_cell(&s, name));
        } else {
            stop("unknown command", command);
        }
    }
    arena_free(s.arena);
    return 0;
}
