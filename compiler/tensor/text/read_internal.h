/* What the files of the textual IR's reader share: the cursor, and its error.
 *
 * After the first error every reading function returns an empty value at once and reads nothing. */
#ifndef NNC_TENSOR_READ_INTERNAL_H
#define NNC_TENSOR_READ_INTERNAL_H

#include "tensor/ir.h"

typedef struct Label {
    Name name;
    Node *node;
    struct Label *next;
} Label;

typedef struct Scope {
    struct Scope *outer; /* dims and cells are seen through; labels are not */
    Graph *graph;
    VECTOR(Label *) labels;
    VECTOR(const Dim *) symbols;
    VECTOR(Cell *) cells;
} Scope;

typedef struct Reader {
    Arena *arena;
    DimTable *dims;
    const char *at;
    int line;
    const char *error;
    Scope *scope;
    bool table_symbols; /* symbols that the table already has are seen by name */
    int depth;
} Reader;

void reader_fail(Reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Tokens.  Spaces, line ends and comments are skipped before each. */
bool reader_accept(Reader *r, const char *punctuation);
void reader_expect(Reader *r, const char *punctuation);
bool reader_at_end(Reader *r);
bool reader_more_on_line(Reader *r); /* than a comment */
/* A bare word [A-Za-z0-9_.]+ if it is `word`. */
bool reader_accept_word(Reader *r, const char *word);
Name reader_name(Reader *r); /* a word or a string */
bool reader_peek_name(Reader *r);
const char *reader_string(Reader *r); /* "..." */
int64_t reader_integer(Reader *r);
double reader_double(Reader *r);
const Dim *reader_dim(Reader *r);
const Dim *reader_symbol(Reader *r, Name name);
TensorType reader_type(Reader *r);
/* What follows up to white space. */
const char *reader_raw(Reader *r);

/* Lines of nodes into r->scope->graph until something else stands there. */
bool reader_node(Reader *r);
Node *reader_label(Reader *r); /* %x, known */
void reader_dims_line(Reader *r);
Cell *reader_cell_line(Reader *r);
Cell *reader_find_cell(Reader *r, Name name);

#endif
