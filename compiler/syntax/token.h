/* Tokens between scanner, filter and parser.  Kinds are bison's (nn_parser.h). */
#ifndef NNC_SYNTAX_TOKEN_H
#define NNC_SYNTAX_TOKEN_H

#include "base/diagnostic.h"
#include "syntax/ast.h"

typedef struct Token {
    int kind;
    Span span;
    bool newline_before; /* first token of its line */
    bool is_float;
    bool reported;    /* a mistake here has been reported already */
    Name name;        /* words, keywords too (after `.` they are names) */
    const char *text; /* strings: value; numbers: spelling */
    size_t length;
    int64_t integer;
    double number;
} Token;
typedef VECTOR(Token) TokenVector;
typedef VECTOR(Span) SpanVector;
typedef VECTOR(Trivia) TriviaVector;

/* State of one scan. */
typedef struct Scanner {
    Arena *arena;
    Arena *scratch; /* of what no tree reads: the tokens themselves */
    const SourceFile *file;
    DiagnosticSink *sink;
    uint32_t offset;
    bool at_line_start, too_long;
    int blank_lines;
    TokenVector tokens; /* ends in a token of kind 0 */
    TriviaVector trivia;
} Scanner;

/* Resolves newlines, blocks, contextual keywords, brackets and pasted Python (filter.c).
 * `lost` receives the places of text that was left out and may define names. */
void tokens_filter(Arena *arena, const SourceFile *file, const TokenVector *raw,
                   DiagnosticSink *sink, TokenVector *out, SpanVector *lost, bool *abandoned);

#endif
