/* The formatter's printer, shared by print.c (expressions), format.c (statements). */
#ifndef NNC_SYNTAX_PRINT_H
#define NNC_SYNTAX_PRINT_H

#include "syntax/parse.h"

enum { PRINT_WIDTH = 100, PRINT_INDENT = 4 };

/* With `unit` NULL, expressions are printed on one line, without comments: for messages. */
typedef struct Printer {
    Text *out;
    const SourceUnit *unit;
    bool *used; /* per trivia: already printed */
    int indent; /* columns */
    bool flat;  /* measuring: groups never break */
} Printer;

void print_expr(Printer *p, const Expr *e);
void print_type(Printer *p, const TypeExpr *type);
void print_param(Printer *p, const Param *param);

/* A bracketed list: on one line, or one item per line with comments.  `item` prints the ith. */
typedef struct Group {
    const char *open, *close;
    Span span; /* with the brackets */
    int count;
    bool lone_comma; /* a tuple of one: the comma stays */
    bool never_breaks;
    void (*item)(Printer *p, const void *owner, int index);
    Span (*place)(const void *owner, int index);
    const void *owner;
} Group;
void print_group(Printer *p, const Group *group);

int print_column(const Printer *p);
void print_newline(Printer *p, int indent);
void print_comment(Printer *p, int index);
/* First trivia at or after an offset. */
int print_trivia_from(const Printer *p, uint32_t offset);
bool print_has_comment(const Printer *p, uint32_t begin, uint32_t end);

#endif
