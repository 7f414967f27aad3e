/* Convolutions whose windows are reduced: emitted C equals the interpreter.
 *
 * Integers as floats make sums exact and ties frequent, so results (positions of the largest, too)
 * must be equal.  Where windows do not overlap the whole is one kernel, which is asserted. */
#include "numeric/numeric.h"

enum { AXES_MAX = 3 };

typedef struct Pooled {
    const char *name;
    int axes;           /* spatial */
    int channels, outs; /* of the convolution */
    int size[AXES_MAX], kernel[AXES_MAX], dilation, pad, groups;
    int window[AXES_MAX], stride[AXES_MAX];
    const char *kinds; /* m: max, a: argmax, s: sum, M: max of relu(x + bias), A: argmax of it */
    bool after;        /* a relu after the reduction */
    bool whole;        /* the convolution is a result, too */
    int steps;         /* kernels of the entry; 0: any number */
    const char *dtype; /* NULL: f32 */
} Pooled;

static const Pooled pooled[] = {
    {"lenet1", 2, 1, 6, {32, 32}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "M", false, false, 1},
    {"lenet2", 2, 6, 16, {15, 15}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "M", false, false, 1},
    {"positions", 2, 6, 16, {15, 15}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "MA", false, true, 1},
    {"plain_and_relu", 2, 2, 5, {9, 8}, {2, 3}, 1, 0, 1, {2, 2}, {2, 2}, "mMsA", false, true, 1},
    {"after", 2, 3, 4, {11, 13}, {3, 3}, 1, 0, 1, {3, 2}, {3, 2}, "m", true, false, 1},
    {"apart", 2, 3, 7, {12, 17}, {3, 2}, 1, 0, 1, {2, 2}, {3, 4}, "ms", false, false, 1},
    {"overlap", 2, 3, 7, {12, 17}, {3, 2}, 1, 0, 1, {3, 3}, {2, 2}, "m", false, false, 2},
    {"rows", 2, 2, 3, {14, 9}, {3, 3}, 1, 0, 1, {4, 1}, {4, 1}, "M", false, false, 1},
    {"columns", 2, 2, 3, {14, 9}, {3, 3}, 1, 0, 1, {1, 7}, {1, 7}, "Ms", false, false, 1},
    {"whole_image", 2, 2, 3, {6, 5}, {3, 3}, 1, 0, 1, {4, 3}, {4, 3}, "MA", false, false, 0},
    {"dilated", 2, 2, 30, {13, 12}, {3, 2}, 2, 0, 1, {2, 2}, {2, 2}, "M", false, false, 1},
    {"padded", 2, 2, 8, {10, 11}, {3, 3}, 1, 1, 1, {2, 2}, {2, 2}, "MA", false, true, 2},
    {"grouped", 2, 4, 6, {10, 11}, {3, 3}, 1, 0, 2, {2, 2}, {2, 2}, "M", false, false, 0},
    {"line", 1, 3, 8, {40}, {5}, 1, 0, 1, {3}, {3}, "MA", false, true, 1},
    {"line_one", 1, 3, 1, {9}, {2}, 1, 0, 1, {2}, {2}, "M", false, false, 0},
    {"many_rows", 1, 40, 70, {37}, {3}, 1, 0, 1, {2}, {2}, "Ms", true, false, 1},
    {"volume", 3, 2, 5, {7, 8, 6}, {2, 3, 2}, 1, 0, 1, {2, 2, 2}, {2, 2, 2}, "M", false, true, 1},
    {"point", 2, 5, 18, {8, 6}, {1, 1}, 1, 0, 1, {2, 3}, {2, 3}, "M", false, false, 1},
    {"wide", 2, 1, 3, {8, 700}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "M", false, false, 0},
    {"f64", 2, 3, 6, {12, 11}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "MA", false, true, 1, "f64"},
    {"f16", 2, 3, 6, {8, 9}, {3, 3}, 1, 0, 1, {2, 2}, {2, 2}, "M", false, false, 0, "f16"},
};

/* "[N, 3, 2, 5]" of the batch and up to three lists. */
static const char *shape(Arena *arena, const char *head, const int *a, int count_a, const int *b,
                         int count_b) {
    Text t = text_new(arena);
    text_printf(&t, "[%s", head);
    for (int i = 0; i < count_a; i++) text_printf(&t, ", %d", a[i]);
    for (int i = 0; i < count_b; i++) text_printf(&t, ", %d", b[i]);
    text_append(&t, "]");
    return t.data;
}

/* Appends unfolds of all spatial axes (from axis `first`) of %value; the last value's number. */
static int unfolds(Text *t, int *next, int value, int first, int axes, const int *size,
                   const int *stride, int dilation) {
    for (int i = 0; i < axes; i++) {
        text_printf(t, " %%%d = unfold %%%d axis=%d size=%d stride=%d dilation=%d\n", *next, value,
                    first + i, size[i], stride ? stride[i] : 1, dilation);
        value = (*next)++;
    }
    return value;
}

static const char *body_of(Arena *arena, const Pooled *p) {
    const char *type = p->dtype ? p->dtype : "f32";
    Text t = text_new(arena);
    int out[AXES_MAX], count[AXES_MAX], next = 3, taps = 1;
    for (int i = 0; i < p->axes; i++) {
        out[i] = p->size[i] + 2 * p->pad - (p->kernel[i] - 1) * p->dilation;
        count[i] = (out[i] - p->window[i]) / p->stride[i] + 1;
        taps *= p->window[i];
    }
    int inner = p->channels / p->groups, outs = p->outs / p->groups;
    const char *grouped = p->groups > 1 ? ", 2" : "";
    const char *pair = p->groups > 1 ? "2, " : "";
    const char *shapes[3] = {
        shape(arena, arena_printf(arena, "N%s, %d", grouped, inner), p->size, p->axes, NULL, 0),
        shape(arena, arena_printf(arena, "%s%d, %d", pair, outs, inner), p->kernel, p->axes, NULL,
              0),
        arena_printf(arena, "[%s%d]", pair, outs)};
    text_append(&t, "dims N\n");
    for (int i = 0; i < 3; i++) text_printf(&t, " %%%d: i8%s = input %c\n", i, shapes[i], "xwb"[i]);
    for (int i = 0; i < 3; i++)
        text_printf(&t, " %%%d: %s%s = cast %%%d\n", next++, type, shapes[i], i);
    int x = 3, w = 4, bias = 5, first = p->groups > 1 ? 3 : 2;
    if (p->pad) {
        text_printf(&t, " %%%d: %s = const 0\n", next, type);
        text_printf(&t, " %%%d = pad %%%d, %%%d low=[0, 0", next + 1, x, next);
        for (int i = 0; i < p->axes; i++) text_printf(&t, ", %d", p->pad);
        text_append(&t, "] high=[0, 0");
        for (int i = 0; i < p->axes; i++) text_printf(&t, ", %d", p->pad);
        text_append(&t, "]\n");
        x = next + 1;
        next += 2;
    }
    x = unfolds(&t, &next, x, first, p->axes, p->kernel, NULL, p->dilation);
    const char *places = "hij", *tap = "klm", *group = p->groups > 1 ? "g" : "";
    text_printf(&t, " %%%d = contract %%%d, %%%d labels=n%sc%.*s%.*s,%soc%.*s->n%so%.*s\n", next, x,
                w, group, p->axes, places, p->axes, tap, group, p->axes, tap, group, p->axes,
                places);
    int product = next++;
    text_printf(&t, " %%%d: %s%s = expand %%%d axes=[%s]\n", next, type,
                shape(arena, arena_printf(arena, "N%s, %d", grouped, outs), out, p->axes, NULL, 0),
                bias, p->groups > 1 ? "1, 2" : "1");
    text_printf(&t, " %%%d = add %%%d, %%%d\n", next + 1, product, next);
    text_printf(&t, " %%%d: %s%s = const 0\n", next + 2, type,
                shape(arena, arena_printf(arena, "N%s, %d", grouped, outs), out, p->axes, NULL, 0));
    text_printf(&t, " %%%d = le %%%d, %%%d\n %%%d = select %%%d, %%%d, %%%d\n", next + 3, next + 1,
                next + 2, next + 4, next + 3, next + 2, next + 1);
    int relu = next + 4;
    next += 5;
    int results[8], made = 0;
    for (const char *k = p->kinds; *k; k++) {
        bool upper = *k == 'M' || *k == 'A', arg = *k == 'a' || *k == 'A';
        int value =
            unfolds(&t, &next, upper ? relu : product, first, p->axes, p->window, p->stride, 1);
        text_printf(
            &t, " %%%d: %s%s = reshape %%%d\n", next, type,
            shape(arena, arena_printf(arena, "N%s, %d", grouped, outs), count, p->axes, &taps, 1),
            value);
        value = next++;
        text_printf(&t, " %%%d = reduce %%%d kind=%s axes=[%d]\n", next, value,
                    arg         ? "argmax"
                    : *k == 's' ? "sum"
                                : "max",
                    first + p->axes);
        value = next++;
        if (p->after && !arg) {
            text_printf(&t, " %%%d: %s%s = const 0\n", next, type,
                        shape(arena, arena_printf(arena, "N%s, %d", grouped, outs), count, p->axes,
                              NULL, 0));
            text_printf(&t, " %%%d = maximum %%%d, %%%d\n", next + 1, value, next);
            value = next + 1;
            next += 2;
        }
        results[made++] = value;
    }
    if (p->whole) results[made++] = product;
    text_append(&t, " return");
    for (int i = 0; i < made; i++) text_printf(&t, "%s y%d=%%%d", i ? "," : "", i, results[i]);
    return t.data;
}

static void test_agrees(void **state) {
    Arena *arena = arena_new();
    int count = (int)(sizeof pooled / sizeof *pooled);
    Case *cases = NEW_ARRAY(arena, (size_t)count, Case);
    for (int i = 0; i < count; i++)
        cases[i] = (Case){pooled[i].name, body_of(arena, &pooled[i]), 0, -3, 4};
    run_cases("pooled", cases, count, "gcc -march=native -Wno-psabi");
    arena_free(arena);
}

/* Casts of the operands are kernels of their own: without them the windows join the product. */
static void test_windows_join_the_product(void **state) {
    for (size_t i = 0; i < sizeof pooled / sizeof *pooled; i++) {
        if (!pooled[i].steps) continue;
        Arena *arena = arena_new();
        Text text = text_new(arena), header, source;
        text_printf(&text, "root test infer {\nentry infer e symbol=e {\n%s\n}\n}\n",
                    body_of(arena, &pooled[i]));
        names_init(arena);
        const KernelEntry *e = emit_program(arena, text.data, &header, &source)
                                   ->kernels->roots.data[0]
                                   ->entries.data[0];
        int casts = 0;
        for (int s = 0; s < e->steps.count; s++)
            casts += strstr(e->steps.data[s]->kernel->what, "contract") == NULL &&
                     strstr(e->steps.data[s]->kernel->what, "max") == NULL;
        if (e->steps.count - casts + (pooled[i].pad > 0) != pooled[i].steps)
            fail_msg("%s: %d kernels, %d of them casts", pooled[i].name, e->steps.count, casts);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows_join_the_product),
                                       cmocka_unit_test(test_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
