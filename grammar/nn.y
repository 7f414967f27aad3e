/* Grammar of the language.  Actions only build nodes (compiler/syntax/build.h); meaning comes later.
 * Tokens come from compiler/syntax/filter.c: newlines are already resolved, `{` of a block and `{` of a
 * dict are two tokens, and a word that is a keyword only in some places arrives as a NAME elsewhere.
 * One statement grammar serves the file, modules and functions; what may stand where is checked by sema. */
%define api.pure full
%define api.prefix {nn_}
%define api.token.prefix {TOKEN_}
%define api.location.type {Span}
%define parse.error custom
%locations
%expect 0
%param {Parser *parser}

%code requires {
#include "syntax/build.h"
}

%union {
    const Token *token;
    Expr *expr;
    ExprVector *exprs;
    ChainBuilder *chain;
    ArgVector *args;
    ClauseVector *clauses;
    Stmt *stmt;
    StmtVector *stmts;
    StmtList block;
    TypeExpr *type;
    Param param;
    ParamVector *params;
    Header header;
    ResultDecl result;
    ResultVector *results;
    Results signature;
    ImportVector *imports;
    Operator op;
}

%token <token> NAME "a name" INT "a number" FLOAT STRING "a string"
%token NEWLINE "end of line"
%token BLOCK_OPEN "{" BLOCK_CLOSE "}" DICT_OPEN DICT_CLOSE
%token <token> AND "and" AS "as" ASSERT "assert" BREAK "break" CONTINUE "continue" DEF "def" ELIF "elif"
    ELSE "else" FALSE "False" FOR "for" FROM "from" IF "if" IMPORT "import" IN "in" IS "is" NONE "None"
    NOT "not" OR "or" PASS "pass" RETURN "return" TRUE "True" YIELD "yield"
%token <token> NOT_IN "not in" IS_NOT "is not"
%token <token> MODULE "module" OPTIMIZER "optimizer" TRAIN "train" PARAM "param" BUFFER "buffer" STATE "state"
    EXPORT "export" VJP "vjp" SCAN "scan" WHERE "where" NO_GRAD "no_grad"
%token ELLIPSIS "..." ARROW "->" POW "**" FLOORDIV "//" EQ "==" NE "!=" LE "<=" GE ">="
%token ADD_ASSIGN "+=" SUB_ASSIGN "-=" MUL_ASSIGN "*=" DIV_ASSIGN "/=" FLOORDIV_ASSIGN "//=" MOD_ASSIGN "%="
    POW_ASSIGN "**=" MATMUL_ASSIGN "@=" AND_ASSIGN "&=" OR_ASSIGN "|=" XOR_ASSIGN "^="
%token <token> CLASS "class" WHILE "while" WITH "with" TRY "try" EXCEPT "except" FINALLY "finally"
    LAMBDA "lambda" RAISE "raise" DEL "del" GLOBAL "global" NONLOCAL "nonlocal" ASYNC "async" AWAIT "await"

%type <stmts> statements
%type <stmt> statement simple compound if_statement scan
%type <block> block
%type <expr> expression or_test and_test not_test comparison bit_or bit_xor bit_and shift arithmetic term
    unary power postfix atom expressions slice_item slice_part target targets list_item result_plain
    conditional strings
%type <exprs> expression_items slice_items target_items list_items or_items and_items dict_items where
    where_items assignment_targets conditions
%type <chain> comparison_items bit_or_items bit_xor_items bit_and_items arithmetic_items term_items
%type <op> compare_operator additive multiplicative augmented
%type <args> arguments argument_items
%type <clauses> for_clauses
%type <type> type type_annotation
%type <param> parameter
%type <params> parameters parameter_items
%type <header> header
%type <result> result_item
%type <results> result_items
%type <signature> signature
%type <imports> import_items
%type <token> declare_keyword definition_keyword alias

%%

unit: statements                    { build_unit(parser, $1); }
    ;

statements:
      %empty                        { $$ = build_statements(parser); }
    | statements statement          { $$ = build_statements_add(parser, $1, $2); }
    ;

statement:
      simple NEWLINE
    | compound
    | error NEWLINE                 { $$ = build_error(parser, @$); yyerrok; }
    | error block                   { $$ = build_error(parser, @$); yyerrok; }
    ;

block: BLOCK_OPEN statements BLOCK_CLOSE     { $$ = build_block(parser, @$, $2); }
    ;

simple:
      expressions                            { $$ = build_value_statement(parser, @$, STMT_EXPR, $1); }
    | assignment_targets '=' expressions     { $$ = build_assign(parser, @$, $1, $3); }
    | expressions augmented expressions      { $$ = build_augmented(parser, @$, $1, $2, $3); }
    | RETURN                                 { $$ = build_value_statement(parser, @$, STMT_RETURN, NULL); }
    | RETURN expressions                     { $$ = build_value_statement(parser, @$, STMT_RETURN, $2); }
    | YIELD expressions                      { $$ = build_value_statement(parser, @$, STMT_YIELD, $2); }
    | ASSERT expression                      { $$ = build_assert(parser, @$, $2, NULL, false); }
    | ASSERT expression ',' expression       { $$ = build_assert(parser, @$, $2, $4, false); }
    | ASSERT expression ':' expression       { $$ = build_assert(parser, @$, $2, $4, true); }
    | PASS                                   { $$ = build_value_statement(parser, @$, STMT_PASS, NULL); }
    | BREAK                                  { $$ = build_value_statement(parser, @$, STMT_BREAK, NULL); }
    | CONTINUE                               { $$ = build_value_statement(parser, @$, STMT_CONTINUE, NULL); }
    | declare_keyword NAME type_annotation   { $$ = build_declare(parser, @$, $1, $2, $3, NULL); }
    | declare_keyword NAME type_annotation '=' expression
                                             { $$ = build_declare(parser, @$, $1, $2, $3, $5); }
    | EXPORT expression alias                { $$ = build_export(parser, @$, $2, $3); }
    | IMPORT STRING alias                    { $$ = build_import(parser, @$, $2, $3); }
    | FROM STRING IMPORT import_items        { $$ = build_from(parser, @$, $2, $4); }
    | FROM STRING IMPORT '(' import_items comma ')'    { $$ = build_from(parser, @$, $2, $5); }
    ;

assignment_targets:
      expressions                            { $$ = build_exprs(parser, $1); }
    | assignment_targets '=' expressions     { $$ = build_exprs_add(parser, $1, $3); }
    ;

augmented:
      ADD_ASSIGN { $$ = OPERATOR_ADD; }       | SUB_ASSIGN { $$ = OPERATOR_SUB; }
    | MUL_ASSIGN { $$ = OPERATOR_MUL; }       | DIV_ASSIGN { $$ = OPERATOR_DIV; }
    | FLOORDIV_ASSIGN { $$ = OPERATOR_FLOORDIV; } | MOD_ASSIGN { $$ = OPERATOR_MOD; }
    | POW_ASSIGN { $$ = OPERATOR_POW; }       | MATMUL_ASSIGN { $$ = OPERATOR_MATMUL; }
    | AND_ASSIGN { $$ = OPERATOR_BITAND; }    | OR_ASSIGN { $$ = OPERATOR_BITOR; }
    | XOR_ASSIGN { $$ = OPERATOR_BITXOR; }
    ;

declare_keyword: PARAM | BUFFER | STATE;
definition_keyword: MODULE | OPTIMIZER | TRAIN;
alias: %empty { $$ = NULL; } | AS NAME { $$ = $2; };
comma: %empty | ',';

import_items:
      NAME alias                             { $$ = build_imports(parser, NULL, $1, $2); }
    | import_items ',' NAME alias            { $$ = build_imports(parser, $1, $3, $4); }
    ;

type_annotation: %empty { $$ = NULL; } | ':' type { $$ = $2; };
type: bit_or { $$ = build_type(parser, $1); };

compound:
      if_statement
    | scan
    | assignment_targets '=' scan            { $$ = build_scan_targets(parser, @$, $1, $3); }
    | FOR targets IN expressions block       { $$ = build_for(parser, @$, $2, $4, $5); }
    | NO_GRAD block                          { $$ = build_no_grad(parser, @$, $2); }
    | definition_keyword NAME header block   { $$ = build_definition(parser, @$, $1, $2, $3, $4); }
    | DEF NAME '(' parameters ')' signature where block
                                             { $$ = build_function(parser, @$, $1, $2, $4, $6, $7, $8); }
    | VJP NAME '(' parameters ')' signature where block
                                             { $$ = build_function(parser, @$, $1, $2, $4, $6, $7, $8); }
    ;

if_statement:
      IF expression block                    { $$ = build_if(parser, @$, $2, $3); }
    | IF expression block ELSE block         { $$ = build_if_else(parser, @$, $2, $3, $5); }
    | IF expression block ELSE if_statement  { $$ = build_if_chain(parser, @$, $2, $3, $5); }
    | IF expression block elif_tail          { $$ = build_if_chain(parser, @$, $2, $3, $4); }
    ;

%type <stmt> elif_tail;
elif_tail:
      ELIF expression block                  { $$ = build_if(parser, @$, $2, $3); }
    | ELIF expression block ELSE block       { $$ = build_if_else(parser, @$, $2, $3, $5); }
    | ELIF expression block ELSE if_statement    { $$ = build_if_chain(parser, @$, $2, $3, $5); }
    | ELIF expression block elif_tail        { $$ = build_if_chain(parser, @$, $2, $3, $4); }
    ;

scan: SCAN target_items '=' expression_items FOR target_items IN expression_items block
                                             { $$ = build_scan(parser, @$, $2, $4, $6, $8, $9); }
    ;

header:
      %empty                                 { $$ = (Header){0}; }
    | '(' parameters ')'                     { $$ = build_header($2); }
    ;

parameters:
      %empty                                 { $$ = build_params(parser); }
    | parameter_items comma
    ;

parameter_items:
      parameter                              { $$ = build_params_add(parser, build_params(parser), $1); }
    | parameter_items ',' parameter          { $$ = build_params_add(parser, $1, $3); }
    ;

parameter:
      NAME type_annotation                   { $$ = build_param(parser, @$, $1, $2, NULL, false); }
    | NAME type_annotation '=' expression    { $$ = build_param(parser, @$, $1, $2, $4, false); }
    | '*' NAME type_annotation               { $$ = build_param(parser, @$, $2, $3, NULL, true); }
    ;

signature:
      %empty                                 { $$ = (Results){0}; }
    | ARROW result_plain                     { $$ = build_result_plain(parser, $2); }
    | ARROW '(' ')'                          { $$ = build_results_list(NULL); }
    | ARROW '(' result_items comma ')'       { $$ = build_results_list($3); }
    ;

/* A result type without parentheses around it. */
result_plain:
      NAME                                   { $$ = build_name(parser, $1); }
    | NONE                                   { $$ = build_constant(parser, @$, EXPR_NONE); }
    | result_plain '.' NAME                  { $$ = build_attribute(parser, @$, $1, $3); }
    | result_plain '[' ']'                   { $$ = build_subscript(parser, @$, $1, NULL); }
    | result_plain '[' slice_items comma ']' { $$ = build_subscript(parser, @$, $1, $3); }
    ;

result_items:
      result_item                            { $$ = build_results_add(parser, NULL, $1); }
    | result_items ',' result_item           { $$ = build_results_add(parser, $1, $3); }
    ;

result_item:
      type                                   { $$ = build_result(@$, NULL, $1); }
    | NAME ':' type                          { $$ = build_result(@$, $1, $3); }
    ;

where:
      %empty                                 { $$ = NULL; }
    | WHERE where_items comma                { $$ = $2; }
    ;

where_items:
      expression                             { $$ = build_exprs(parser, $1); }
    | where_items ',' expression             { $$ = build_exprs_add(parser, $1, $3); }
    ;

expressions:
      list_item
    | list_items ','                         { $$ = build_sequence(parser, @$, EXPR_TUPLE, $1); }
    | list_items ',' list_item
              { $$ = build_sequence(parser, @$, EXPR_TUPLE, build_exprs_add(parser, $1, $3)); }
    ;

list_items:
      list_item                              { $$ = build_exprs(parser, $1); }
    | list_items ',' list_item               { $$ = build_exprs_add(parser, $1, $3); }
    ;

list_item:
      expression
    | '*' bit_or                             { $$ = build_star(parser, @$, $2); }
    ;

expression_items:
      expression                             { $$ = build_exprs(parser, $1); }
    | expression_items ',' expression        { $$ = build_exprs_add(parser, $1, $3); }
    ;

targets: target_items                        { $$ = build_targets(parser, @$, $1); }
    ;

target_items:
      target                                 { $$ = build_exprs(parser, $1); }
    | target_items ',' target                { $$ = build_exprs_add(parser, $1, $3); }
    ;

target:
      postfix
    | '*' postfix                            { $$ = build_star(parser, @$, $2); }
    ;

expression:
      or_test
    | conditional
    ;

conditional: or_test IF or_test ELSE expression { $$ = build_conditional(parser, @$, $1, $3, $5); }
    ;

or_test:
      and_test
    | or_items                               { $$ = build_sequence(parser, @$, EXPR_OR, $1); }
    ;
or_items:
      and_test OR and_test                   { $$ = build_exprs_add(parser, build_exprs(parser, $1), $3); }
    | or_items OR and_test                   { $$ = build_exprs_add(parser, $1, $3); }
    ;

and_test:
      not_test
    | and_items                              { $$ = build_sequence(parser, @$, EXPR_AND, $1); }
    ;
and_items:
      not_test AND not_test                  { $$ = build_exprs_add(parser, build_exprs(parser, $1), $3); }
    | and_items AND not_test                 { $$ = build_exprs_add(parser, $1, $3); }
    ;

not_test:
      comparison
    | NOT not_test                           { $$ = build_unary(parser, @$, OPERATOR_NOT, $2); }
    ;

comparison:
      bit_or
    | comparison_items                       { $$ = build_chain(parser, @$, EXPR_COMPARE, $1); }
    ;
comparison_items:
      bit_or compare_operator bit_or         { $$ = build_link(parser, build_chain_of(parser, $1), $2, $3); }
    | comparison_items compare_operator bit_or    { $$ = build_link(parser, $1, $2, $3); }
    ;
compare_operator:
      EQ { $$ = OPERATOR_EQ; } | NE { $$ = OPERATOR_NE; } | '<' { $$ = OPERATOR_LT; }
    | LE { $$ = OPERATOR_LE; } | '>' { $$ = OPERATOR_GT; } | GE { $$ = OPERATOR_GE; }
    | IN { $$ = OPERATOR_IN; } | NOT_IN { $$ = OPERATOR_NOT_IN; }
    | IS { $$ = OPERATOR_IS; } | IS_NOT { $$ = OPERATOR_IS_NOT; }
    ;

bit_or:
      bit_xor
    | bit_or_items                           { $$ = build_chain(parser, @$, EXPR_CHAIN, $1); }
    ;
bit_or_items:
      bit_xor '|' bit_xor      { $$ = build_link(parser, build_chain_of(parser, $1), OPERATOR_BITOR, $3); }
    | bit_or_items '|' bit_xor { $$ = build_link(parser, $1, OPERATOR_BITOR, $3); }
    ;

bit_xor:
      bit_and
    | bit_xor_items                          { $$ = build_chain(parser, @$, EXPR_CHAIN, $1); }
    ;
bit_xor_items:
      bit_and '^' bit_and       { $$ = build_link(parser, build_chain_of(parser, $1), OPERATOR_BITXOR, $3); }
    | bit_xor_items '^' bit_and { $$ = build_link(parser, $1, OPERATOR_BITXOR, $3); }
    ;

bit_and:
      shift
    | bit_and_items                          { $$ = build_chain(parser, @$, EXPR_CHAIN, $1); }
    ;
bit_and_items:
      shift '&' shift         { $$ = build_link(parser, build_chain_of(parser, $1), OPERATOR_BITAND, $3); }
    | bit_and_items '&' shift { $$ = build_link(parser, $1, OPERATOR_BITAND, $3); }
    ;

shift: arithmetic;

arithmetic:
      term
    | arithmetic_items                       { $$ = build_chain(parser, @$, EXPR_CHAIN, $1); }
    ;
arithmetic_items:
      term additive term                     { $$ = build_link(parser, build_chain_of(parser, $1), $2, $3); }
    | arithmetic_items additive term         { $$ = build_link(parser, $1, $2, $3); }
    ;
additive: '+' { $$ = OPERATOR_ADD; } | '-' { $$ = OPERATOR_SUB; };

term:
      unary
    | term_items                             { $$ = build_chain(parser, @$, EXPR_CHAIN, $1); }
    ;
term_items:
      unary multiplicative unary             { $$ = build_link(parser, build_chain_of(parser, $1), $2, $3); }
    | term_items multiplicative unary        { $$ = build_link(parser, $1, $2, $3); }
    ;
multiplicative:
      '*' { $$ = OPERATOR_MUL; } | '/' { $$ = OPERATOR_DIV; } | FLOORDIV { $$ = OPERATOR_FLOORDIV; }
    | '%' { $$ = OPERATOR_MOD; } | '@' { $$ = OPERATOR_MATMUL; }
    ;

unary:
      power
    | '-' unary                              { $$ = build_unary(parser, @$, OPERATOR_NEG, $2); }
    | '+' unary                              { $$ = build_unary(parser, @$, OPERATOR_POS, $2); }
    | '~' unary                              { $$ = build_unary(parser, @$, OPERATOR_INVERT, $2); }
    ;

power:
      postfix
    | postfix POW unary                      { $$ = build_power(parser, @$, $1, $3); }
    ;

postfix:
      atom
    | postfix '.' NAME                       { $$ = build_attribute(parser, @$, $1, $3); }
    | postfix '(' arguments ')'              { $$ = build_call(parser, @$, $1, $3); }
    | postfix '[' ']'                        { $$ = build_subscript(parser, @$, $1, NULL); }
    | postfix '[' slice_items comma ']'      { $$ = build_subscript(parser, @$, $1, $3); }
    ;

arguments:
      %empty                                 { $$ = build_args(parser); }
    | argument_items comma
    | expression for_clauses                 { $$ = build_args_generator(parser, @$, $1, $2); }
    ;
argument_items:
      expression                             { $$ = build_args_add(parser, build_args(parser), NULL, $1); }
    | NAME '=' expression                    { $$ = build_args_add(parser, build_args(parser), $1, $3); }
    | '*' expression           { $$ = build_args_add(parser, build_args(parser), NULL, build_star(parser, @$, $2)); }
    | argument_items ',' expression          { $$ = build_args_add(parser, $1, NULL, $3); }
    | argument_items ',' NAME '=' expression { $$ = build_args_add(parser, $1, $3, $5); }
    | argument_items ',' '*' expression
              { $$ = build_args_add(parser, $1, NULL, build_star(parser, span_join(@3, @4), $4)); }
    ;

slice_items:
      slice_item                             { $$ = build_exprs(parser, $1); }
    | slice_items ',' slice_item             { $$ = build_exprs_add(parser, $1, $3); }
    ;
slice_item:
      list_item
    | slice_part ':' slice_part              { $$ = build_slice(parser, @$, $1, $3, NULL); }
    | slice_part ':' slice_part ':' slice_part    { $$ = build_slice(parser, @$, $1, $3, $5); }
    ;
slice_part: %empty { $$ = NULL; } | expression;

for_clauses:
      FOR targets IN or_test conditions
                    { $$ = build_clause(parser, NULL, $2, $4, $5); }
    | for_clauses FOR targets IN or_test conditions
                    { $$ = build_clause(parser, $1, $3, $5, $6); }
    ;
conditions:
      %empty                                 { $$ = NULL; }
    | conditions IF or_test                  { $$ = build_exprs_add(parser, $1, $3); }
    ;

atom:
      NAME                                   { $$ = build_name(parser, $1); }
    | INT                                    { $$ = build_number(parser, $1); }
    | FLOAT                                  { $$ = build_number(parser, $1); }
    | strings
    | TRUE                                   { $$ = build_constant(parser, @$, EXPR_TRUE); }
    | FALSE                                  { $$ = build_constant(parser, @$, EXPR_FALSE); }
    | NONE                                   { $$ = build_constant(parser, @$, EXPR_NONE); }
    | ELLIPSIS                               { $$ = build_ellipsis(parser, @$, NULL); }
    | ELLIPSIS NAME                          { $$ = build_ellipsis(parser, @$, $2); }
    | '(' ')'                                { $$ = build_sequence(parser, @$, EXPR_TUPLE, NULL); }
    | '(' expressions ')'                    { $$ = build_parenthesised(parser, @$, $2); }
    | '(' expression for_clauses ')'         { $$ = build_comprehension(parser, @$, $2, $3, true); }
    | '[' ']'                                { $$ = build_sequence(parser, @$, EXPR_LIST, NULL); }
    | '[' list_items comma ']'               { $$ = build_sequence(parser, @$, EXPR_LIST, $2); }
    | '[' expression for_clauses ']'         { $$ = build_comprehension(parser, @$, $2, $3, false); }
    | DICT_OPEN DICT_CLOSE                   { $$ = build_sequence(parser, @$, EXPR_DICT, NULL); }
    | DICT_OPEN dict_items comma DICT_CLOSE  { $$ = build_sequence(parser, @$, EXPR_DICT, $2); }
    ;

strings:
      STRING                                 { $$ = build_string(parser, NULL, $1); }
    | strings STRING                         { $$ = build_string(parser, $1, $2); }
    ;

dict_items:
      expression ':' expression    { $$ = build_exprs_add(parser, build_exprs(parser, $1), $3); }
    | dict_items ',' expression ':' expression
                    { $$ = build_exprs_add(parser, build_exprs_add(parser, $1, $3), $5); }
    ;

%%
