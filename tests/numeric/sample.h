/* Sample entries for every primitive at many dtypes and shapes, as bodies of entries in textual IR.
 *
 * samples_make gives bodies like "dims N\n %x: f32[N, 17] = input x\n ... return y=%y" with the
 * range that their inputs are drawn from and the tolerance of another way of computing them.
 * Extents come from 0 1 2 3 7 8 9 16 17 31 33 and the symbol N; the output is deterministic.  No
 * test framework is needed. */
#ifndef NNC_TESTS_NUMERIC_SAMPLE_H
#define NNC_TESTS_NUMERIC_SAMPLE_H

#include <string.h>

#include "base/text.h"
#include "base/vector.h"
#include "tensor/graph.h"

typedef struct Sample {
    const char *name; /* an identifier: "add_f32_3" */
    const char *body;
    double tolerance; /* relative to 1 + |expected|, of emitted code against typed interpretation */
    int64_t low, high; /* of integer inputs: [low, high) */
    double from, to;   /* of float inputs */
    int smallest;      /* N below this has no meaning (max of nothing) */
} Sample;

typedef struct SampleList {
    Arena *arena;
    int count, capacity;
    Sample *data;
    int turn; /* picks shapes in rotation */
} SampleList;

static const char *const sample_extents[] = {"1",  "2",  "3",  "7",  "8", "9",
                                             "16", "17", "31", "33", "0"};
enum { SAMPLE_EXTENTS = sizeof sample_extents / sizeof *sample_extents };

/* Unit roundoff, a few times over: what one operation may be off. */
static inline double sample_tolerance(DType t) {
    switch ((int)t) {
    case DTYPE_F16: return 2e-3;
    case DTYPE_BF16: return 1.6e-2;
    case DTYPE_F32: return 1e-6;
    case DTYPE_F64: return 1e-14;
    default: return 0;
    }
}

static inline Sample *sample_add(SampleList *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The body; name and ranges are filled by the caller. */
static inline Sample *sample_add(SampleList *list, const char *format, ...) {
    Text text = text_new(list->arena);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    Sample sample = {.body = text.data, .high = 4, .from = -2, .to = 2};
    vector_push(list->arena, list, sample);
    return &list->data[list->count - 1];
}

static inline void sample_name(SampleList *list, Sample *s, const char *what, DType t) {
    s->name = arena_printf(list->arena, "%s_%s_%d", what, dtype_name(t), list->count);
    s->tolerance = sample_tolerance(t);
}

/* Shapes in rotation: ranks 0 to 4, the symbol at every place, zero-sized ones too. */
static inline const char *sample_shape(SampleList *list) {
    int turn = list->turn++;
    const char *a = sample_extents[turn % SAMPLE_EXTENTS];
    const char *b = sample_extents[(turn * 5 + 2) % SAMPLE_EXTENTS];
    switch (turn % 7) {
    case 0: return "[N]";
    case 1: return arena_printf(list->arena, "[N, %s]", a);
    case 2: return arena_printf(list->arena, "[%s, N]", a);
    case 3: return arena_printf(list->arena, "[2, %s, N]", a);
    case 4: return arena_printf(list->arena, "[%s, %s]", a, b);
    case 5: return arena_printf(list->arena, "[N, 2, %s, 3]", a);
    default: return "";
    }
}

typedef struct SampleRange {
    const char *op;
    double from, to;
} SampleRange;

static inline void sample_range(const char *op, Sample *s) {
    static const SampleRange ranges[] = {
        {"sqrt", 0, 4},      {"rsqrt", 0.1, 4},   {"log", 0.1, 4},      {"log1p", -0.9, 4},
        {"asin", -0.9, 0.9}, {"acos", -0.9, 0.9}, {"acosh", 1.1, 4},    {"atanh", -0.9, 0.9},
        {"pow", 0.3, 2},     {"div", 0.5, 3},     {"floordiv", 0.5, 3}, {"mod", 0.5, 3},
        {"round", -9, 9},    {"floor", -9, 9},    {"ceil", -9, 9},      {"trunc", -9, 9},
        {"tan", -1.2, 1.2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (strcmp(ranges[i].op, op) == 0) s->from = ranges[i].from, s->to = ranges[i].to;
}

/* One elementwise operator at one dtype; floating ones also at the small floats. */
static inline void sample_elementwise(SampleList *list, const char *op, int arity, const char *rule,
                                      DType t) {
    bool is_float = dtype_is_float(t), is_bool = t == DTYPE_BOOL;
    bool extreme = strcmp(op, "maximum") == 0 || strcmp(op, "minimum") == 0;
    if (strcmp(rule, "FLOAT") == 0 && !is_float) return;
    if (strcmp(rule, "SAME") == 0 && is_bool && !extreme) return;
    if (strcmp(rule, "BITS") == 0 && is_float) return;
    const char *dt = dtype_name(t), *sh = sample_shape(list);
    Sample *s;
    if (strcmp(rule, "SELECT") == 0)
        s = sample_add(
            list,
            " dims N\n %%c: bool%s = input c\n %%a: %s%s = input a\n %%b: %s%s = input b\n"
            " %%y = select %%c, %%a, %%b\n return y=%%y",
            sh, dt, sh, dt, sh);
    else if (arity == 1)
        s = sample_add(list, " dims N\n %%a: %s%s = input a\n %%y = %s %%a\n return y=%%y", dt, sh,
                       op);
    else
        s = sample_add(list,
                       " dims N\n %%a: %s%s = input a\n %%b: %s%s = input b\n %%y = %s %%a, %%b\n"
                       " return y=%%y",
                       dt, sh, dt, sh, op);
    sample_name(list, s, op, t);
    sample_range(op, s);
    if (!is_float && !is_bool) {
        bool divides = strcmp(op, "floordiv") == 0 || strcmp(op, "mod") == 0;
        s->low = t == DTYPE_U8 ? 0 : -50;
        s->high = t == DTYPE_U8 ? 200 : 120;
        if (divides) s->low = 1;
    }
    if (is_float && strcmp(rule, "BOOL") != 0) s->tolerance *= 4; /* a few units for functions */
}

static inline void sample_elementwise_all(SampleList *list) {
    for (int t = 0; t < DTYPE_COUNT; t++) {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) \
    sample_elementwise(list, name, arity, #rule, (DType)t);
#include "tensor/ops.def"
#undef ELEMENTWISE
    }
    for (int from = 0; from < DTYPE_COUNT; from++) {
        for (int to = 0; to < DTYPE_COUNT; to++) {
            if (from == to) continue;
            const char *shape = sample_shape(list);
            Sample *s = sample_add(
                list, " dims N\n %%a: %s%s = input a\n %%y: %s%s = cast %%a\n return y=%%y",
                dtype_name((DType)from), shape, dtype_name((DType)to), shape);
            sample_name(list, s, arena_printf(list->arena, "cast_%s", dtype_name((DType)from)),
                        (DType)to);
            s->low = from == DTYPE_U8 ? 0 : -100;
            s->high = from == DTYPE_BOOL ? 2 : 120;
            s->from = -70;
            s->to = 70;
            s->tolerance = 0;
        }
    }
}

/* Index maps: each text holds its own shapes; the dtype is put in. */
static inline void sample_views(SampleList *list, DType t) {
    static const struct {
        const char *name, *in, *rest;
    } views[] = {
        {"reshape", "[N, 6]", " %y: $[N, 2, 3] = reshape %x"},
        {"reshape_flat", "[2, N, 17]", " %y: $[34*N] = reshape %x"},
        {"reshape_scalar", "[1, 1]", " %y: $ = reshape %x"},
        {"permute", "[N, 7, 3]", " %y = permute %x axes=[2, 0, 1]"},
        {"transpose", "[33, N]", " %y = permute %x axes=[1, 0]"},
        {"permute_4", "[2, N, 9, 3]", " %y = permute %x axes=[0, 3, 2, 1]"},
        {"expand", "[N]", " %y: $[3, N, 8] = expand %x axes=[1]"},
        {"stretch", "[1, 17]", " %y: $[N, 17] = expand %x"},
        {"expand_scalar", "", " %y: $[N, 2] = expand %x"},
        {"slice", "[N, 33]", " %y: $[N, 16] = slice %x begin=[0, 1] step=[1, 2]"},
        {"flip", "[N, 9]", " %y: $[N, 9] = slice %x begin=[N - 1, 8] step=[-1, -1]"},
        {"slice_empty", "[N, 9]", " %y: $[N, 0] = slice %x begin=[0, 4] step=[1, 1]"},
        {"pad", "[N, 7]", " %z: $ = const 1\n %y = pad %x, %z low=[1, 2] high=[0, 3]"},
        {"crop", "[N, 9]", " %z: $ = const 1\n %y = pad %x, %z low=[0, -2] high=[0, -3]"},
        {"crop_and_pad", "[N, 9]", " %z: $ = const 1\n %y = pad %x, %z low=[2, -3] high=[0, 5]"},
        {"concat", "[N, 7]", " %y = concat %x, %x axis=0"},
        {"concat_last", "[N, 3]", " %e: $[N, 0] = const 0\n %y = concat %x, %e, %x axis=1"},
        {"unfold", "[N, 9]", " %y = unfold %x axis=1 size=3 stride=2"},
        {"unfold_dilated", "[2, 17]", " %y = unfold %x axis=1 size=3 dilation=3"},
        {"unfold_two", "[N, 8, 9]",
         " %a = unfold %x axis=1 size=3\n %y = unfold %a axis=2 size=2 stride=2"},
        {"view_chain", "[N, 6]",
         " %a: $[N, 2, 3] = reshape %x\n %b = permute %a axes=[2, 0, 1]\n"
         " %c: $[3, N, 2] = slice %b begin=[2, 0, 0] step=[-1, 1, 1]\n %y: $[6*N] = reshape %c"},
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        Text rest = text_new(list->arena);
        for (const char *c = views[i].rest; *c; c++) {
            if (*c == '$')
                text_append(&rest, dtype_name(t));
            else
                text_char(&rest, *c);
        }
        Sample *s = sample_add(list, " dims N\n %%x: %s%s = input x\n%s\n return y=%%y",
                               dtype_name(t), views[i].in, rest.data);
        sample_name(list, s, views[i].name, t);
        s->high = t == DTYPE_BOOL ? 2 : 100;
        s->tolerance = 0;
    }
}

static inline void sample_reductions(SampleList *list, DType t) {
    static const char *const kinds[] = {"sum", "prod", "max",    "min",
                                        "any", "all",  "argmax", "argmin"};
    static const char *const forms[][2] = {{"[N, 17]", "[1]"},      {"[33, N]", "[0]"},
                                           {"[N, 3, 9]", "[0, 2]"}, {"[2, N, 8]", "[1]"},
                                           {"[N]", "[0]"},          {"[N, 2, 7]", "[0, 1, 2]"},
                                           {"[3, 0, 2]", "[1]"}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool logic = k == 4 || k == 5, ordered = k == 2 || k == 3, argument = k >= 6;
        if (logic != (t == DTYPE_BOOL) && !ordered && !argument) continue;
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
            if (argument && strchr(forms[f][1], ',')) continue;
            if ((argument || ordered) && f == 6) continue;
            Sample *s = sample_add(list,
                                   " dims N\n %%x: %s%s = input x\n"
                                   " %%y = reduce %%x kind=%s axes=%s\n return y=%%y",
                                   dtype_name(t), forms[f][0], kinds[k], forms[f][1]);
            sample_name(list, s, kinds[k], t);
            s->tolerance = k <= 1 ? 40 * sample_tolerance(t) : 0;
            if (k == 1) s->from = 0.9, s->to = 1.1, s->tolerance *= 4;
            s->high = t == DTYPE_BOOL ? 2 : 4;
            s->smallest = argument || ordered ? 1 : 0;
        }
    }
    if (t == DTYPE_BOOL) return;
    static const char *const prefixes[] = {"sum", "prod", "max", "min"};
    for (int k = 0; k < 8; k++) {
        Sample *s = sample_add(list,
                               " dims N\n %%x: %s%s = input x\n"
                               " %%y = prefix %%x kind=%s axis=%d%s\n return y=%%y",
                               dtype_name(t), k % 3 ? "[N, 9]" : "[3, N, 2]", prefixes[k % 4],
                               k % 2, k >= 4 ? " reverse" : "");
        sample_name(list, s, arena_printf(list->arena, "prefix_%s", prefixes[k % 4]), t);
        s->tolerance = k % 4 <= 1 ? 100 * sample_tolerance(t) : 0;
        if (k % 4 == 1) s->from = 0.95, s->to = 1.05;
        s->high = 3;
    }
    static const char *const folds[][2] = {
        {"[N, 4, 3]", "axis=1 extent=6"},
        {"[N, 3, 2]", "axis=1 extent=9 stride=3"},
        {"[2, 4, N, 3]", "axis=1 extent=13 stride=2 dilation=3"},
    };
    for (int k = 0; k < 3; k++) {
        Sample *s = sample_add(list,
                               " dims N\n %%x: %s%s = input x\n %%y = fold %%x %s\n"
                               " return y=%%y",
                               dtype_name(t), folds[k][0], folds[k][1]);
        sample_name(list, s, "fold", t);
        s->tolerance *= 4;
    }
}

static inline void sample_sorts(SampleList *list, DType t) {
    for (int k = 0; k < 4; k++) {
        Sample *s = sample_add(list,
                               " dims N\n %%x: %s%s = input x\n"
                               " %%y = argsort %%x axis=%d%s\n return y=%%y",
                               dtype_name(t), k % 2 ? "[17, N]" : "[N, 9]", k % 2,
                               k >= 2 ? " descending" : "");
        sample_name(list, s, "argsort", t);
        s->tolerance = 0;
        s->high = t == DTYPE_BOOL ? 2 : 5; /* ties */
    }
}

static inline void sample_contractions(SampleList *list, DType t) {
    static const char *const forms[][4] = {
        {"matmul", "[N, 17]", "[17, 33]", "ab,bc->ac"},
        {"matmul_nt", "[N, 9]", "[16, 9]", "ab,cb->ac"},
        {"matmul_tn", "[N, 9]", "[N, 7]", "ab,ac->bc"},
        {"matmul_tt", "[8, N]", "[31, 8]", "ab,ca->bc"},
        {"vector", "[N, 33]", "[33]", "ab,b->a"},
        {"dot", "[N]", "[N]", "a,a->"},
        {"outer", "[N]", "[9]", "a,b->ab"},
        {"batched", "[3, N, 8]", "[3, 8, 7]", "abc,acd->abd"},
        {"batched_last", "[N, 2, 9]", "[N, 9, 2]", "abc,acb->ab"},
        {"sums_one", "[N, 3, 2]", "[3, 7]", "abc,bd->ad"},
        {"result_turned", "[N, 16, 3]", "[16, 5]", "abc,bd->dca"},
        {"nothing", "[N, 0]", "[0, 3]", "ab,bc->ac"},
        {"large", "[N, 64]", "[64, 96]", "ab,bc->ac"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Sample *s = sample_add(list,
                               " dims N\n %%a: %s%s = input a\n %%b: %s%s = input b\n"
                               " %%y = contract %%a, %%b labels=%s\n return y=%%y",
                               dtype_name(t), forms[i][1], dtype_name(t), forms[i][2], forms[i][3]);
        sample_name(list, s, forms[i][0], t);
        s->tolerance *= 8;
    }
    Sample *s = sample_add(list,
                           " dims N\n %%x: %s[N, 3, 9, 8] = input x\n"
                           " %%w: %s[5, 3, 3, 2] = input w\n"
                           " %%u = unfold %%x axis=2 size=3 stride=2\n"
                           " %%v = unfold %%u axis=3 size=2\n"
                           " %%y = contract %%v, %%w labels=abcdef,gbef->agcd\n return y=%%y",
                           dtype_name(t), dtype_name(t));
    sample_name(list, s, "convolution", t);
    s->tolerance *= 8;
    s = sample_add(list,
                   " dims N\n %%x: %s[N, 2, 9] = input x\n %%w: %s[2, 3] = input w\n"
                   " %%z: %s = const 0\n %%p = pad %%x, %%z low=[0, 0, 1] high=[0, 0, 1]\n"
                   " %%u = unfold %%p axis=2 size=3\n"
                   " %%y = contract %%u, %%w labels=abcd,bd->abc\n return y=%%y",
                   dtype_name(t), dtype_name(t), dtype_name(t));
    sample_name(list, s, "depthwise", t);
    s->tolerance *= 8;
}

static inline void sample_indexing(SampleList *list, DType t) {
    static const char *const forms[][2] = {
        {"gather", " %x: $[9, 3] = input x\n %i: i64[N] = input i\n %y = gather %x, %i batch=0"},
        {"gather_plane",
         " %x: $[9] = input x\n %i: u8[N, 2] = input i\n %y = gather %x, %i batch=0"},
        {"gather_batch",
         " %x: $[N, 9] = input x\n %i: i32[N] = input i\n %y = gather %x, %i batch=1"},
        {"gather_batches",
         " %x: $[N, 9, 2] = input x\n %i: i64[N, 3] = input i\n %y = gather %x, %i batch=1"},
        {"scatter_set", " %x: $[9, 3] = input x\n %i: i64[N] = input i\n %u: $[N, 3] = input u\n"
                        " %y = scatter_set %x, %i, %u batch=0"},
        {"scatter_set_batch", " %x: $[N, 9] = input x\n %i: i64[N, 2] = input i\n"
                              " %u: $[N, 2] = input u\n %y = scatter_set %x, %i, %u batch=1"},
        {"scatter_add", " %x: $[9, 3] = input x\n %i: i64[N] = input i\n %u: $[N, 3] = input u\n"
                        " %y = scatter_add %x, %i, %u batch=0"},
        {"scatter_add_batch", " %x: $[N, 9] = input x\n %i: i64[N, 2] = input i\n"
                              " %u: $[N, 2] = input u\n %y = scatter_add %x, %i, %u batch=1"},
        {"dynamic_slice", " %x: $[N, 9] = input x\n %s: i64 = input s\n"
                          " %y = dynamic_slice %x, %s axis=1 extent=4"},
        {"dynamic_update", " %x: $[N, 9] = input x\n %u: $[N, 2] = input u\n %s: i64 = input s\n"
                           " %y = dynamic_update %x, %u, %s axis=1"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        bool adds = strstr(forms[i][0], "scatter_add") != NULL;
        if (adds && t == DTYPE_BOOL) continue;
        Text body = text_new(list->arena);
        for (const char *c = forms[i][1]; *c; c++) {
            if (*c == '$')
                text_append(&body, dtype_name(t));
            else
                text_char(&body, *c);
        }
        Sample *s = sample_add(list, " dims N\n%s\n return y=%%y", body.data);
        sample_name(list, s, forms[i][0], t);
        s->high = t == DTYPE_BOOL ? 2 : 9;
        s->tolerance = adds ? 40 * sample_tolerance(t) : 0;
    }
}

static inline void sample_structured(SampleList *list, DType t) {
    const char *dt = dtype_name(t);
    Sample *s = sample_add(list,
                           " dims N\n %%h: %s[3] = input h\n %%x: %s[N, 3] = input x\n"
                           " %%w: %s[3, 3] = input w\n"
                           " %%s = scan %%h, %%x, %%w carries=1 sequences=1 length=N {\n"
                           "  %%c: %s[3] = input\n  %%e: %s[3] = input\n  %%m: %s[3, 3] = input\n"
                           "  %%p = contract %%c, %%m labels=a,ab->b\n  %%q = add %%p, %%e\n"
                           "  %%n = tanh %%q\n  return %%n, %%q\n }\n"
                           " %%l = proj %%s index=0\n %%a = proj %%s index=1\n return l=%%l, a=%%a",
                           dt, dt, dt, dt, dt, dt);
    sample_name(list, s, "scan", t);
    s->tolerance *= 100;
    s->from = -0.5;
    s->to = 0.5;
    s = sample_add(list,
                   " dims N\n %%h: %s[2] = input h\n %%x: %s[N, 2] = input x\n"
                   " %%s = scan %%h, %%x carries=1 sequences=1 length=N reverse {\n"
                   "  %%c: %s[2] = input\n  %%e: %s[2] = input\n  %%n = add %%c, %%e\n"
                   "  return %%n, %%n\n }\n"
                   " %%l = proj %%s index=0\n %%a = proj %%s index=1\n return l=%%l, a=%%a",
                   dt, dt, dt, dt);
    sample_name(list, s, "scan_reverse", t);
    s->tolerance *= 100;
    s = sample_add(list,
                   " dims N\n %%x: %s[N, 3] = input x\n %%r = call %%x name=cube {\n"
                   "  %%a: %s[N, 3] = input\n  %%b = mul %%a, %%a\n  %%c = mul %%b, %%a\n"
                   "  return %%c, %%b\n }\n %%y = proj %%r index=0\n %%z = proj %%r index=1\n"
                   " return y=%%y, z=%%z",
                   dt, dt);
    sample_name(list, s, "call", t);
    s->tolerance *= 4;
    s = sample_add(list,
                   " dims N\n %%x: %s[N, 17] = input x\n %%m = reduce %%x kind=max axes=[1]\n"
                   " %%n: %s[N, 17] = expand %%m axes=[0]\n %%d = sub %%x, %%n\n %%e = exp %%d\n"
                   " %%s = reduce %%e kind=sum axes=[1]\n %%t: %s[N, 17] = expand %%s axes=[0]\n"
                   " %%y = div %%e, %%t\n return y=%%y",
                   dt, dt, dt);
    sample_name(list, s, "softmax", t);
    s->tolerance *= 8;
    if (t == DTYPE_F32 || t == DTYPE_F64) {
        s = sample_add(list, " dims N\n %%y: %s[N, 9] = random site=11\n return y=%%y", dt);
        sample_name(list, s, "random", t);
        s->tolerance = 0;
        s = sample_add(list,
                       " dims N\n %%s = scan length=N {\n  %%r: %s[7] = random site=12\n"
                       "  return %%r\n }\n %%y = proj %%s index=0\n return y=%%y",
                       dt);
        sample_name(list, s, "random_in_scan", t);
        s->tolerance = 0;
    }
}

static inline void sample_sources(SampleList *list, DType t) {
    const char *dt = dtype_name(t);
    Sample *s;
    if (t != DTYPE_BOOL) {
        s = sample_add(list, " dims N\n %%y: %s[3, N] = iota axis=1\n return y=%%y", dt);
        sample_name(list, s, "iota", t);
        s->tolerance = 0;
        s = sample_add(list, " dims N\n %%y: %s = dim 2*N + 1\n return y=%%y", dt);
        sample_name(list, s, "dim", t);
        s->tolerance = 0;
    }
    s = sample_add(list,
                   " dims N\n %%y: %s[2, 3] = const [0, 1, 1, 0, 0, 1]\n"
                   " %%z: %s[N] = const 1\n return y=%%y, z=%%z",
                   dt, dt);
    sample_name(list, s, "const", t);
    s->tolerance = 0;
}

/* Every sample; the first `list.count` are in the arena. */
static inline SampleList samples_make(Arena *arena) {
    SampleList list = {.arena = arena};
    sample_elementwise_all(&list);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        sample_sources(&list, (DType)t);
        sample_views(&list, (DType)t);
        sample_reductions(&list, (DType)t);
        sample_sorts(&list, (DType)t);
        sample_indexing(&list, (DType)t);
        if (!dtype_is_float((DType)t)) continue;
        sample_contractions(&list, (DType)t);
        sample_structured(&list, (DType)t);
    }
    return list;
}

#endif
