/* Builders of tree nodes, called by grammar actions only.
 * Every builder computes spans and depths; a node that would be deeper than AST_MAX_DEPTH is
 * reported once and becomes EXPR_ERROR or STMT_ERROR. */
#ifndef NNC_SYNTAX_BUILD_H
#define NNC_SYNTAX_BUILD_H

#include "syntax/token.h"

typedef struct Parser {
    Arena *arena;
    const SourceFile *file;
    DiagnosticSink *sink;
    TokenVector tokens;
    int position;
    const TriviaVector *trivia;
    StmtList top;
    SpanVector errors; /* of statements that were given up */
    Text joined;       /* of the neighbouring strings that were read last */
    bool too_deep;     /* reported */
    bool silent;       /* no more syntax errors: the rest follows from a reported one */
} Parser;

typedef VECTOR(Expr *) ExprVector;
typedef VECTOR(Stmt *) StmtVector;
typedef VECTOR(CallArg) ArgVector;
typedef VECTOR(ForClause) ClauseVector;
typedef VECTOR(Param) ParamVector;
typedef VECTOR(ResultDecl) ResultVector;
typedef VECTOR(ImportName) ImportVector;
typedef struct ChainBuilder {
    ExprVector items;
    VECTOR(Operator) operators;
} ChainBuilder;
typedef struct Header {
    bool written;
    ParamVector *params;
} Header;
typedef struct Results {
    bool written, parenthesised;
    ResultVector *items;
} Results;

/* Expressions (build.c). */
Expr *build_name(Parser *p, const Token *name);
Expr *build_number(Parser *p, const Token *token);
Expr *build_string(Parser *p, Expr *before, const Token *token);
Expr *build_constant(Parser *p, Span span, ExprKind kind);
Expr *build_ellipsis(Parser *p, Span span, const Token *name);
Expr *build_attribute(Parser *p, Span span, Expr *left, const Token *name);
Expr *build_call(Parser *p, Span span, Expr *left, const ArgVector *args);
Expr *build_subscript(Parser *p, Span span, Expr *left, const ExprVector *items);
Expr *build_slice(Parser *p, Span span, Expr *begin, Expr *end, Expr *step);
Expr *build_unary(Parser *p, Span span, Operator op, Expr *right);
Expr *build_power(Parser *p, Span span, Expr *left, Expr *right);
Expr *build_star(Parser *p, Span span, Expr *value);
Expr *build_conditional(Parser *p, Span span, Expr *value, Expr *condition, Expr *otherwise);
Expr *build_sequence(Parser *p, Span span, ExprKind kind, const ExprVector *items);
Expr *build_parenthesised(Parser *p, Span span, Expr *inner);
Expr *build_comprehension(Parser *p, Span span, Expr *value, const ClauseVector *clauses,
                          bool generator);
Expr *build_targets(Parser *p, Span span, const ExprVector *items);
ChainBuilder *build_chain_of(Parser *p, Expr *first);
ChainBuilder *build_link(Parser *p, ChainBuilder *chain, Operator op, Expr *next);
Expr *build_chain(Parser *p, Span span, ExprKind kind, const ChainBuilder *chain);
ExprVector *build_exprs(Parser *p, Expr *first);
ExprVector *build_exprs_add(Parser *p, ExprVector *items, Expr *next); /* items may be NULL */
ArgVector *build_args(Parser *p);
ArgVector *build_args_add(Parser *p, ArgVector *args, const Token *keyword, Expr *value);
ArgVector *build_args_generator(Parser *p, Span span, Expr *value, const ClauseVector *clauses);
ClauseVector *build_clause(Parser *p, ClauseVector *clauses, Expr *target, Expr *iterable,
                           const ExprVector *conditions);

/* Statements, types, headers (build_statement.c). */
TypeExpr *build_type(Parser *p, const Expr *expr);
ParamVector *build_params(Parser *p);
ParamVector *build_params_add(Parser *p, ParamVector *params, Param next);
Param build_param(Parser *p, Span span, const Token *name, TypeExpr *type, Expr *value, bool star);
Header build_header(ParamVector *params);
ResultDecl build_result(Span span, const Token *name, TypeExpr *type);
ResultVector *build_results_add(Parser *p, ResultVector *results, ResultDecl next);
Results build_result_plain(Parser *p, const Expr *type);
Results build_results_list(ResultVector *results);
ImportVector *build_imports(Parser *p, ImportVector *imports, const Token *name,
                            const Token *alias);

StmtVector *build_statements(Parser *p);
StmtVector *build_statements_add(Parser *p, StmtVector *statements, Stmt *next);
StmtList build_block(Parser *p, Span span, const StmtVector *statements);
void build_unit(Parser *p, const StmtVector *statements);
Stmt *build_error(Parser *p, Span span);
Stmt *build_value_statement(Parser *p, Span span, StmtKind kind, Expr *value);
Stmt *build_assign(Parser *p, Span span, const ExprVector *targets, Expr *value);
Stmt *build_augmented(Parser *p, Span span, Expr *target, Operator op, Expr *value);
Stmt *build_assert(Parser *p, Span span, Expr *condition, Expr *message, bool colon);
Stmt *build_declare(Parser *p, Span span, const Token *keyword, const Token *name, TypeExpr *type,
                    Expr *value);
Stmt *build_export(Parser *p, Span span, Expr *value, const Token *alias);
Stmt *build_import(Parser *p, Span span, const Token *path, const Token *alias);
Stmt *build_from(Parser *p, Span span, const Token *path, const ImportVector *imports);
Stmt *build_for(Parser *p, Span span, Expr *target, Expr *iterable, StmtList body);
Stmt *build_no_grad(Parser *p, Span span, StmtList body);
Stmt *build_if(Parser *p, Span span, Expr *condition, StmtList body);
Stmt *build_if_else(Parser *p, Span span, Expr *condition, StmtList body, StmtList otherwise);
Stmt *build_if_chain(Parser *p, Span span, Expr *condition, StmtList body, Stmt *otherwise);
Stmt *build_scan(Parser *p, Span span, const ExprVector *carries, const ExprVector *inits,
                 const ExprVector *elements, const ExprVector *sequences, StmtList body);
Stmt *build_scan_targets(Parser *p, Span span, const ExprVector *targets, Stmt *scan);
Stmt *build_definition(Parser *p, Span span, const Token *keyword, const Token *name, Header header,
                       StmtList body);
Stmt *build_function(Parser *p, Span span, const Token *keyword, const Token *name,
                     const ParamVector *params, Results results, const ExprVector *where,
                     StmtList body);

#endif
