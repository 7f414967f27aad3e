/* The syntax tree: what a .nn file says, with a place for every node and every comment.
 *
 * Made by grammar actions only (no folding, no checks); read by the formatter, sema and lowering.
 * Lists are arrays in the arena.  `depth` is 1 + the deepest child, refused above AST_MAX_DEPTH;
 * long left-associative chains are stored flat (EXPR_CHAIN), so every recursion is bounded. */
#ifndef NNC_SYNTAX_AST_H
#define NNC_SYNTAX_AST_H

#include "base/source.h"
#include "base/text.h"
#include "base/vector.h"

enum { AST_MAX_DEPTH = 1000 };

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct TypeExpr TypeExpr;

typedef struct ExprList {
    Expr **items;
    int count;
} ExprList;
typedef struct StmtList {
    Stmt **items;
    int count;
    Span span;    /* with braces */
    bool has_vjp; /* one of them is a vjp */
} StmtList;

typedef enum ExprKind {
    EXPR_INT,    /* integer */
    EXPR_FLOAT,  /* number; `text` keeps the spelling for fmt */
    EXPR_STRING, /* text = value after escapes; adjacent literals joined */
    EXPR_TRUE,
    EXPR_FALSE,
    EXPR_NONE,
    EXPR_NAME,      /* name */
    EXPR_ELLIPSIS,  /* ... in subscripts and types */
    EXPR_ATTRIBUTE, /* left . name */
    EXPR_CALL,      /* left ( args ) */
    EXPR_SUBSCRIPT, /* left [ items ]; items may hold EXPR_SLICE, EXPR_ELLIPSIS, EXPR_NONE */
    EXPR_SLICE,     /* left : right : third, each may be NULL */
    EXPR_UNARY,     /* op, right: - + ~ not */
    EXPR_CHAIN,     /* n-ary, left-associative: items[0] ops[0] items[1] ops[1] ..., one precedence
                       level */
    EXPR_POWER,     /* left ** right */
    EXPR_COMPARE,   /* chained comparison: items, ops */
    EXPR_AND,
    EXPR_OR,          /* items (flat) */
    EXPR_CONDITIONAL, /* left if third else right: left = value, third = condition, right =
                         otherwise */
    EXPR_TUPLE,
    EXPR_LIST,          /* items */
    EXPR_DICT,          /* items = keys and values alternating */
    EXPR_COMPREHENSION, /* [left for target in right if third ...]: clauses */
    EXPR_STAR,          /* *left in a call, a list, or a header */
    EXPR_ERROR          /* placeholder after a syntax error; never lowered */
} ExprKind;

typedef enum Operator {
    OPERATOR_ADD,
    OPERATOR_SUB,
    OPERATOR_MUL,
    OPERATOR_DIV,
    OPERATOR_FLOORDIV,
    OPERATOR_MOD,
    OPERATOR_MATMUL,
    OPERATOR_POW,
    OPERATOR_BITAND,
    OPERATOR_BITOR,
    OPERATOR_BITXOR,
    OPERATOR_NEG,
    OPERATOR_POS,
    OPERATOR_INVERT,
    OPERATOR_NOT,
    OPERATOR_EQ,
    OPERATOR_NE,
    OPERATOR_LT,
    OPERATOR_LE,
    OPERATOR_GT,
    OPERATOR_GE,
    OPERATOR_IN,
    OPERATOR_NOT_IN,
    OPERATOR_IS,
    OPERATOR_IS_NOT,
    OPERATOR_NONE
} Operator;
const char *operator_text(Operator op);

typedef struct CallArg {
    Name keyword; /* NULL: positional */
    Span keyword_span;
    Expr *value; /* EXPR_STAR for *args */
} CallArg;

typedef struct ForClause {
    Expr *target, *iterable;
    ExprList conditions;
} ForClause;

struct Expr {
    ExprKind kind;
    Span span;
    int depth;
    bool parenthesised;
    Name name;
    Span name_span;   /* ATTRIBUTE: of the word after the dot */
    const char *text; /* STRING value; numbers: spelling */
    size_t text_length;
    int64_t integer;
    double number;
    Operator op;
    Expr *left, *right, *third;
    ExprList items;
    const Operator *operators;
    const CallArg *args;
    int arg_count;
    const ForClause *clauses;
    int clause_count;
};

/* f32[N, ...S, 4*H]; int | (int, int); list[int]; (f32[N], i64[N]); a bare word may be a dtype or a
 * host type. */
typedef enum TypeKind { TYPE_TENSOR, TYPE_NAME, TYPE_LIST, TYPE_TUPLE, TYPE_UNION } TypeKind;
typedef struct TypeDim {
    Expr *expr;  /* NULL when spread */
    Name spread; /* ...S; "" for a bare ... */
    Span span;
} TypeDim;
struct TypeExpr {
    TypeKind kind;
    Span span;
    Name name;           /* TENSOR: dtype; NAME: the word */
    const TypeDim *dims; /* TENSOR */
    int dim_count;
    TypeExpr **items; /* LIST (1), TUPLE, UNION */
    int item_count;
};

typedef struct Param {
    Name name;
    Span span;
    TypeExpr *type;      /* NULL: none */
    Expr *default_value; /* NULL: none */
    bool star;           /* *args */
    const char *doc;
} Param;
typedef struct ResultDecl {
    Name name; /* NULL: unnamed */
    TypeExpr *type;
    Span span;
} ResultDecl;

/* def f(...) -> (...) where ... { } ; vjp f(...) { }; init-less: a `def` in an optimizer or train
 * block too. */
typedef struct Function {
    Name name;
    Span span, name_span;
    bool is_vjp;
    const Param *params;
    int param_count;
    bool has_results;
    bool results_parenthesised;
    const ResultDecl *results;
    int result_count;
    ExprList where; /* conditions */
    StmtList body;
    const char *doc; /* ## comments above, or the docstring */
} Function;

typedef enum StmtKind {
    STMT_EXPR,      /* value */
    STMT_ASSIGN,    /* targets = value; targets.count > 1 for a = b = e (each may be a tuple) */
    STMT_AUGMENTED, /* target op= value */
    STMT_RETURN,    /* value or NULL */
    STMT_YIELD,     /* value; only in scan bodies */
    STMT_IF,        /* value, body, otherwise (else / elif as a nested IF) */
    STMT_FOR,       /* targets[0] in value, body */
    STMT_SCAN,      /* [targets =] scan carries = inits for elements in sequences { body } */
    STMT_NO_GRAD,   /* no_grad { body } */
    STMT_ASSERT,    /* value, message or NULL; assert_colon keeps `:` for fmt */
    STMT_PASS,
    STMT_BREAK,
    STMT_CONTINUE,
    STMT_DECLARE,  /* param | buffer | state name: type = value   (in modules, optimizers, train) */
    STMT_FUNCTION, /* def in a module, or nested */
    /* top level only */
    STMT_MODULE,
    STMT_OPTIMIZER,
    STMT_TRAIN,  /* name, params, body */
    STMT_EXPORT, /* export value as name (name NULL without `as`) */
    STMT_IMPORT, /* import "path" as name */
    STMT_FROM,   /* from "path" import a as b, ... : imports */
    STMT_ERROR
} StmtKind;

typedef enum DeclareKind { DECLARE_PARAM, DECLARE_BUFFER, DECLARE_STATE } DeclareKind;
typedef struct ImportName {
    Name name, alias;
    Span span;
} ImportName;
typedef struct ScanCarry {
    Name name;
    Span span;
    Expr *init;
} ScanCarry;

struct Stmt {
    StmtKind kind;
    Span span;
    int depth;
    Expr *value;
    ExprList targets;
    Operator op;
    StmtList body, otherwise;
    bool has_otherwise, assert_colon;
    Expr *message;
    Function *function; /* FUNCTION */
    DeclareKind declare;
    TypeExpr *type; /* DECLARE */
    Name name;      /* DECLARE, MODULE, OPTIMIZER, TRAIN, EXPORT alias, IMPORT alias */
    Span name_span;
    const Param *params; /* MODULE, OPTIMIZER, TRAIN header */
    int param_count;
    bool has_params; /* parentheses written */
    const char *doc;
    const char *path; /* IMPORT, FROM */
    Span path_span;
    const ImportName *imports;
    int import_count;
    const ScanCarry *carries; /* SCAN */
    int carry_count;
    ExprList elements; /* SCAN: element targets, one per sequence */
    ExprList sequences;
};

/* A comment or blank line, for the formatter: attached by position, not to nodes. */
typedef struct Trivia {
    Span span;
    bool doc;
    bool own_line;
    int blank_lines_before;
} Trivia;

typedef struct SourceUnit {
    const SourceFile *file;
    StmtList top;
    const Trivia *trivia;
    int trivia_count;
    const char *doc;  /* the file's leading doc comment or docstring */
    const Name *lost; /* sorted for syntax_is_lost: names inside STMT_ERRORs */
    int lost_count;
} SourceUnit;

#endif
