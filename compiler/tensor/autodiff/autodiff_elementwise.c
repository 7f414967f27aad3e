/* Derivatives of elementwise operators: reads the text of gradients.def and builds its nodes.
 *
 * The text is parsed where it is used (a few characters each time); operands are evaluated from
 * left to right, so node ids are the same whichever compiler built this one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/autodiff/autodiff_rules.h"

static const char *const rules[OP_COUNT][3] = {
#define NONE NULL
#define GRADIENT(e, by_a, by_b, by_c) [OP_##e] = {by_a, by_b, by_c},
#include "tensor/autodiff/gradients.def"
#undef GRADIENT
#undef NONE
};

static const Op elementwise[] = {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) OP_##e,
#include "tensor/ops.def"
#undef ELEMENTWISE
};

const char *autodiff_rule_text(Op op, int operand) {
    return operand >= 0 && operand < 3 ? rules[op][operand] : NULL;
}

typedef struct Reader {
    Reverse *r;
    const char *at;
} Reader;

static Node *read_sum(Reader *reader);

/* The table is ours: a mistake in it is a bug of the compiler. */
static void malformed(const Reader *reader) {
    (void)reader;
    abort();
}

static char peek(Reader *reader) {
    while (*reader->at == ' ') reader->at++;
    return *reader->at;
}

static bool take(Reader *reader, char c) {
    if (peek(reader) != c) return false;
    reader->at++;
    return true;
}

static Node *read_number(Reader *reader, double sign) {
    const char *begin = reader->at;
    while (isdigit((unsigned char)*reader->at) || *reader->at == '.') reader->at++;
    double value;
    if (!text_parse_double(begin, (size_t)(reader->at - begin), &value)) malformed(reader);
    return op_const(reader->r->g, sign * value, reader->r->node->type);
}

static bool is_word(const char *word, size_t length, const char *text) {
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

static Node *read_application(Reader *reader, const char *name, size_t length) {
    for (size_t k = 0; k < sizeof elementwise / sizeof *elementwise; k++) {
        if (!is_word(name, length, op_info(elementwise[k])->name)) continue;
        Node *operands[3];
        int count = 0;
        do {
            if (count == 3) malformed(reader);
            operands[count++] = read_sum(reader);
        } while (take(reader, ','));
        if (!take(reader, ')')) malformed(reader);
        return op_elementwise(reader->r->g, elementwise[k], operands, count);
    }
    malformed(reader);
    return NULL;
}

static Node *read_primary(Reader *reader) {
    char c = peek(reader);
    if (take(reader, '(')) {
        Node *inner = read_sum(reader);
        if (!take(reader, ')')) malformed(reader);
        return inner;
    }
    if (isdigit((unsigned char)c)) return read_number(reader, 1.0);
    const char *begin = reader->at;
    while (isalnum((unsigned char)*reader->at)) reader->at++;
    size_t length = (size_t)(reader->at - begin);
    if (take(reader, '(')) return read_application(reader, begin, length);
    Reverse *r = reader->r;
    if (is_word(begin, length, "dy")) return r->dy;
    if (is_word(begin, length, "y")) return r->node;
    if (length != 1 || *begin < 'a' || *begin >= 'a' + r->node->input_count) malformed(reader);
    return r->node->inputs[*begin - 'a'];
}

static Node *read_unary(Reader *reader) {
    if (!take(reader, '-')) return read_primary(reader);
    if (isdigit((unsigned char)peek(reader))) return read_number(reader, -1.0);
    return op_unary(reader->r->g, OP_NEG, read_unary(reader));
}

static Node *read_product(Reader *reader) {
    Node *left = read_unary(reader);
    for (;;) {
        Op op = peek(reader) == '*' ? OP_MUL : OP_DIV;
        if (!take(reader, '*') && !take(reader, '/')) return left;
        Node *right = read_unary(reader);
        left = op_binary(reader->r->g, op, left, right);
    }
}

static Node *read_sum(Reader *reader) {
    Node *left = read_product(reader);
    for (;;) {
        Op op = peek(reader) == '+' ? OP_ADD : OP_SUB;
        if (!take(reader, '+') && !take(reader, '-')) return left;
        Node *right = read_product(reader);
        left = op_binary(reader->r->g, op, left, right);
    }
}

bool autodiff_rule_elementwise(Reverse *r) {
    for (int i = 0; i < r->node->input_count; i++) {
        if (!r->wanted[i] || !rules[r->node->op][i]) continue;
        Reader reader = {r, rules[r->node->op][i]};
        r->adjoint[i] = read_sum(&reader);
        if (peek(&reader) != '\0') malformed(&reader);
    }
    return true;
}
