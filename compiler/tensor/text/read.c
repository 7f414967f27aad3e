/* Reader of the textual IR (ir.h): graphs, entries, roots, programs. */
#include <string.h>

#include "tensor/text/read_internal.h"

static void complain(void *user, const char *message) {
    reader_fail(user, "%s", message);
}

static Reader reader_new(Arena *arena, DimTable *dims, const char *text, Scope *scope) {
    return (Reader){.arena = arena, .dims = dims, .at = text, .line = 1, .scope = scope};
}

static Graph *open_graph(Reader *r, Scope *scope) {
    Graph *g = graph_new(r->arena, r->dims);
    g->complain = complain;
    g->complain_user = r;
    scope->graph = g;
    return g;
}

/* The reader does not outlive the graph. */
static void close_graph(Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) g->nodes.data[i]->info = NULL;
    g->complain = NULL;
    g->complain_user = NULL;
}

Cell *reader_find_cell(Reader *r, Name name) {
    for (Scope *s = r->scope; s; s = s->outer)
        for (int i = 0; i < s->cells.count; i++)
            if (s->cells.data[i]->name == name) return s->cells.data[i];
    return NULL;
}

/* After the word `dims`: N in 1..1024 % 8, T */
void reader_dims_line(Reader *r) {
    do {
        Name name = reader_name(r);
        if (r->error) return;
        const Dim *d = NULL;
        for (Scope *s = r->scope; s && !d; s = s->outer)
            for (int i = 0; i < s->symbols.count && !d; i++)
                if (dim_as_symbol(s->symbols.data[i])->name == name) d = s->symbols.data[i];
        if (!d) {
            d = r->table_symbols ? reader_symbol(r, name) : dim_symbol(r->dims, name);
            vector_push(r->arena, &r->scope->symbols, d);
        }
        bool good = true;
        /* The next line may start with %label: a divisor stands on the line of the name. */
        if (reader_more_on_line(r) && reader_accept_word(r, "in")) {
            int64_t lower = reader_integer(r), upper = INT64_MAX;
            reader_expect(r, "..");
            if (!r->error && reader_more_on_line(r) &&
                ((*r->at >= '0' && *r->at <= '9') || *r->at == '-'))
                upper = reader_integer(r);
            if (!r->error) good = dim_assume_bounds(r->dims, d, lower, upper);
        }
        if (!r->error && reader_more_on_line(r) && reader_accept(r, "%"))
            good &= dim_assume_divisible(r->dims, d, reader_integer(r));
        if (!r->error && !good) reader_fail(r, "what is stated of %s contradicts", name->text);
    } while (reader_accept(r, ","));
}

/* After the word `cell`: NAME: TYPE ROLE unsaved of=NAME alias=[A, B] default=0.1 */
Cell *reader_cell_line(Reader *r) {
    Cell *cell = NEW(r->arena, Cell);
    cell->name = reader_name(r);
    reader_expect(r, ":");
    cell->type = reader_type(r);
    bool found = false;
    for (int i = CELL_PARAMETER; i <= CELL_SCALAR && !found; i++) {
        found = reader_accept_word(r, ir_role_name((CellRole)i));
        if (found) cell->role = (CellRole)i;
    }
    if (!found) reader_fail(r, "cell %s has no role", cell->name->text);
    cell->unsaved = reader_accept_word(r, "unsaved");
    if (reader_accept_word(r, "of")) {
        reader_expect(r, "=");
        Name of = reader_name(r);
        cell->gradient_of = reader_find_cell(r, of);
        if (!r->error && !cell->gradient_of) reader_fail(r, "cell %s is not declared", of->text);
    }
    if (reader_accept_word(r, "alias")) {
        VECTOR(Name) names = {0};
        reader_expect(r, "=");
        reader_expect(r, "[");
        while (!r->error && !reader_accept(r, "]")) {
            if (names.count) reader_expect(r, ",");
            Name name = reader_name(r);
            vector_push(r->arena, &names, name);
        }
        cell->aliases = names.data;
        cell->alias_count = names.count;
    }
    if (reader_accept_word(r, "default")) {
        reader_expect(r, "=");
        cell->default_value = true;
        cell->default_number = reader_double(r);
    }
    if (!r->error && reader_find_cell(r, cell->name))
        reader_fail(r, "cell %s is declared twice", cell->name->text);
    cell->index = r->scope->cells.count;
    vector_push(r->arena, &r->scope->cells, cell);
    return cell;
}

Graph *graph_read(Arena *arena, DimTable *dims, const char *text, const char **error) {
    Scope scope = {0};
    Reader r = reader_new(arena, dims, text, &scope);
    r.table_symbols = true;
    Graph *g = open_graph(&r, &scope);
    bool braces = reader_accept_word(&r, "graph");
    if (braces) reader_expect(&r, "{");
    for (;;) {
        if (reader_accept_word(&r, "dims"))
            reader_dims_line(&r);
        else if (reader_accept_word(&r, "cell"))
            reader_cell_line(&r);
        else if (!reader_node(&r))
            break;
    }
    if (reader_accept_word(&r, "return")) {
        while (!reader_at_end(&r) && *r.at != '}' &&
               reader_accept(&r, g->results.count ? "," : "")) {
            Node *node = reader_label(&r);
            if (r.error) break;
            vector_push(arena, &g->results, node);
        }
    }
    if (braces) reader_expect(&r, "}");
    if (!r.error && !reader_at_end(&r)) reader_fail(&r, "unexpected '%.12s'", r.at);
    close_graph(g);
    *error = r.error;
    return r.error ? NULL : g;
}

/* ---- entries ---- */

static void read_check(Reader *r, Entry *entry) {
    Check check = {0};
    if (reader_accept_word(r, "dim")) {
        check.kind = CHECK_DIM;
        check.left = reader_dim(r);
        check.relation = reader_accept(r, "<=") ? '<' : reader_accept(r, "%") ? '%' : '=';
        if (check.relation == '=') reader_expect(r, "=");
        check.right = reader_dim(r);
    } else if (reader_accept_word(r, "range")) {
        check.kind = CHECK_RANGE;
        check.node = reader_label(r);
        if (!reader_accept_word(r, "in")) reader_fail(r, "expected 'in'");
        check.low = reader_dim(r);
        reader_expect(r, "..");
        check.high = reader_dim(r);
        if (reader_accept_word(r, "ignore")) {
            reader_expect(r, "=");
            check.has_ignore = true;
            check.ignore = reader_integer(r);
        }
    } else {
        reader_fail(r, "a check is of a dim or of a range");
    }
    check.message = reader_string(r);
    if (reader_accept_word(r, "argument")) {
        reader_expect(r, "=");
        check.argument = reader_name(r);
    }
    if (!r->error) vector_push(r->arena, &entry->checks, check);
}

static void read_results(Reader *r, Entry *entry) {
    while (!r->error && !reader_at_end(r)) {
        if (entry->results.count ? !reader_accept(r, ",") : (*r->at == '}' || !reader_peek_name(r)))
            return;
        /* `return` without results: the next word starts another line. */
        const char *start = r->at;
        int line = r->line;
        Result result = {.name = reader_name(r)};
        if (!entry->results.count && !r->error && !reader_accept(r, "=")) {
            r->at = start;
            r->line = line;
            return;
        }
        if (entry->results.count) reader_expect(r, "=");
        result.node = reader_label(r);
        if (r->error) return;
        vector_push(r->arena, &entry->results, result);
    }
}

/* After the word `entry`. */
static Entry *read_entry(Reader *r) {
    Entry *entry = NEW(r->arena, Entry);
    Scope scope = {.outer = r->scope};
    r->scope = &scope;
    Graph *g = entry->graph = open_graph(r, &scope);
    bool found = false;
    for (int i = ENTRY_INFER; i <= ENTRY_RESET && !found; i++) {
        found = reader_accept_word(r, ir_entry_kind_name((EntryKind)i));
        if (found) entry->kind = (EntryKind)i;
    }
    if (!found) reader_fail(r, "an entry is infer, train, init or reset");
    entry->name = reader_name(r);
    entry->symbol = entry->name->text;
    if (reader_accept_word(r, "symbol")) {
        reader_expect(r, "=");
        entry->symbol = reader_name(r)->text;
    }
    entry->uses_random = reader_accept_word(r, "random");
    reader_expect(r, "{");
    if (reader_accept_word(r, "dims")) {
        const char *start = r->at;
        int line = r->line;
        reader_dims_line(r);
        /* The names again, in their order: facts of a symbol may have come from an outer scope. */
        const char *end = r->at;
        int end_line = r->line;
        r->at = start;
        r->line = line;
        while (!r->error && r->at < end) {
            const Dim *d = reader_symbol(r, reader_name(r));
            vector_push(r->arena, &entry->dims, d);
            while (r->at < end && *r->at != ',') r->at++;
            if (r->at < end) r->at++;
        }
        r->at = end;
        r->line = end_line;
    }
    while (!r->error && !reader_accept(r, "}")) {
        if (reader_accept_word(r, "return")) {
            read_results(r, entry);
        } else if (reader_accept_word(r, "write")) {
            CellWrite write = {0};
            Name name = reader_name(r);
            write.cell = reader_find_cell(r, name);
            if (!r->error && !write.cell) reader_fail(r, "cell %s is not declared", name->text);
            reader_expect(r, "=");
            write.node = reader_label(r);
            if (!r->error) vector_push(r->arena, &entry->writes, write);
        } else if (reader_accept_word(r, "check")) {
            read_check(r, entry);
        } else if (!reader_node(r) && !r->error) {
            reader_fail(r, "unexpected '%.12s'", r->at);
        }
    }
    for (int i = 0; i < entry->results.count; i++)
        vector_push(r->arena, &g->results, entry->results.data[i].node);
    for (int i = 0; i < entry->writes.count; i++)
        vector_push(r->arena, &g->results, entry->writes.data[i].node);
    for (int i = 0; i < g->inputs.count; i++) {
        Node *node = g->inputs.data[i];
        Argument argument = {
            .name = node->attr.input.name, .node = node, .shape = node->type.shape};
        vector_push(r->arena, &entry->arguments, argument);
    }
    close_graph(g);
    r->scope = scope.outer;
    return entry;
}

Entry *entry_read(Arena *arena, DimTable *dims, Root *root, const char *text, const char **error) {
    Scope scope = {0};
    for (int i = 0; i < root->cells.count; i++)
        vector_push(arena, &scope.cells, root->cells.data[i]);
    Reader r = reader_new(arena, dims, text, &scope);
    r.table_symbols = true;
    if (!reader_accept_word(&r, "entry")) reader_fail(&r, "expected 'entry'");
    Entry *entry = r.error ? NULL : read_entry(&r);
    if (!r.error && !reader_at_end(&r)) reader_fail(&r, "unexpected '%.12s'", r.at);
    *error = r.error;
    if (r.error) return NULL;
    vector_push(arena, &root->entries, entry);
    return entry;
}

/* After the word `root`. */
static Root *read_root(Reader *r) {
    Root *root = NEW(r->arena, Root);
    Scope scope = {0};
    r->scope = &scope;
    root->name = reader_name(r);
    root->is_train = reader_accept_word(r, "train");
    if (!root->is_train && !reader_accept_word(r, "infer"))
        reader_fail(r, "a root is train or infer");
    reader_expect(r, "{");
    while (reader_accept_word(r, "cell")) {
        Cell *cell = reader_cell_line(r);
        vector_push(r->arena, &root->cells, cell);
    }
    while (reader_accept_word(r, "entry")) {
        Entry *entry = read_entry(r);
        vector_push(r->arena, &root->entries, entry);
    }
    reader_expect(r, "}");
    r->scope = NULL;
    return root;
}

Program *program_read(Arena *arena, const char *text, const char **error) {
    Program *program = NEW(arena, Program);
    program->arena = arena;
    program->dims = dim_table_new(arena);
    program->source_path = "";
    Reader r = reader_new(arena, program->dims, text, NULL);
    while (reader_accept_word(&r, "root")) {
        Root *root = read_root(&r);
        vector_push(arena, &program->roots, root);
    }
    if (!r.error && !reader_at_end(&r)) reader_fail(&r, "unexpected '%.12s'", r.at);
    *error = r.error;
    return r.error ? NULL : program;
}
