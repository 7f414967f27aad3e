/* Which products are calls of cuBLASLt, in what form, and why others are not (--gemm). */
#include <stdio.h>

#include "kernel_test.h"

static KernelProgram *library_of(Arena *arena, const char *body, KernelOptions options) {
    names_init(arena);
    const char *error = NULL;
    Program *program = program_read(
        arena,
        arena_printf(arena,
                     "root m infer {\n cell v: f32[24] parameter\nentry infer e symbol=e {\n"
                     " dims N in 1..4096\n%s\n }\n}\n",
                     body),
        &error);
    if (!program) fail_msg("%s\n%s", error, body);
    options.gpu = true;
    return kernel_program_build_with(arena, program, &options);
}

#define TWO "%x: f32[N, 40] = input x\n %w: f32[40, 24] = input w\n"
#define PRODUCT TWO "%p = contract %x, %w labels=ab,bc->ac\n"
#define SUM(of, axes)                                                            \
    PRODUCT "%v: f32[" of "] = input v\n %e: f32[N, 24] = expand %v axes=[" axes \
            "]\n %y = add %e, %p\n"

typedef struct Expected {
    const char *body, *remark;
} Expected;

static void expect_remark(const Expected *e, Gemm gemm) {
    Arena *arena = arena_new();
    const char *said = contractions(library_of(arena, e->body, (KernelOptions){.gemm = gemm}));
    if (!strstr(said, e->remark)) fail_msg("%s\nexpected: %sgot: %s", e->body, e->remark, said);
    arena_free(arena);
}

/* That one call does it all, or that a kernel follows. */
static void test_choice(void **state) {
    (void)state;
    static const Expected all[] = {
        {PRODUCT " return y=%p", "by cuBLASLt, joined: contract\n"},
        {"%x: f64[N, 40] = input x\n %w: f64[24, 40] = input w\n"
         " %p = contract %x, %w labels=ab,cb->ac\n return y=%p",
         "by cuBLASLt, joined: contract\n"},
        {SUM("24", "1") " return y=%y", "by cuBLASLt with its bias, joined: contract add\n"},
        /* A bias along the rows; the product kept too; a second sum; a part of a vector. */
        {SUM("N", "0") " return y=%y", "by cuBLASLt, then by a kernel: contract add\n"},
        {SUM("24", "1") " return y=%y, p=%p", "by cuBLASLt, then by a kernel: contract add\n"},
        {SUM("24", "1") " %z = mul %y, %y\n return z=%z",
         "by cuBLASLt, then by a kernel: contract mul\n"},
        {PRODUCT "%v: f32[25] = input v\n %s: f32[24] = slice %v begin=[1] step=[1]\n"
                 " %e: f32[N, 24] = expand %s axes=[1]\n %y = add %e, %p\n return y=%y",
         "by cuBLASLt, then by a kernel: contract add\n"},
        /* ReLU of NaN is NaN, which the library does not promise; a bias in f64 has no name. */
        {PRODUCT "%o: f32[N, 24] = const 0\n %y = maximum %p, %o\n return y=%y",
         "by cuBLASLt, then by a kernel: contract maximum\n"},
        {"%x: f64[N, 40] = input x\n %w: f64[40, 24] = input w\n"
         " %p = contract %x, %w labels=ab,bc->ac\n %v: f64[24] = input v\n"
         " %e: f64[N, 24] = expand %v axes=[1]\n %y = add %e, %p\n return y=%y",
         "by cuBLASLt, then by a kernel: contract add\n"},
        {"%x: f32[N, 3, 40] = input x\n %w: f32[40, 24] = input w\n"
         " %p = contract %x, %w labels=abc,cd->adb\n return y=%p",
         "by cuBLASLt, then by a kernel: contract\n"},
        {"%x: u8[N, 40] = input x\n %w: f32[40, 24] = input w\n %t: f32[N, 40] = cast %x\n"
         " %p = contract %t, %w labels=ab,bc->ac\n return y=%p",
         "not by cuBLASLt: the operand of the rows is computed where it is read\n"},
        {"%x: f32[N, 80] = input x\n %w: f32[40, 24] = input w\n"
         " %s: f32[N, 40] = slice %x begin=[0, 0] step=[1, 2]\n"
         " %p = contract %s, %w labels=ab,bc->ac\n return y=%p",
         "not by cuBLASLt: the operand of the rows is no matrix with neighbours side by side and "
         "lines apart\n"},
        {"%x: f32[N, 40] = input x\n %w: f32[24, 44] = input w\n"
         " %u = unfold %w axis=1 size=5 stride=1 dilation=1 extent=40\n"
         " %s: f32[24, 40, 5] = permute %u axes=[0, 1, 2]\n"
         " %p = contract %x, %s labels=ab,cbd->acd\n return y=%p",
         "not by cuBLASLt: the operand of the columns does not lie in lines of one length\n"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        expect_remark(&all[i], GEMM_CUBLASLT);
        Arena *arena = arena_new();
        assert_null(
            strstr(contractions(library_of(arena, all[i].body, (KernelOptions){0})), "cuBLASLt"));
        arena_free(arena);
    }
}

/* A cell is written by kernels of ours alone, which see that a call is refused. */
static void test_cells(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    const char *error = NULL;
    Program *program = program_read(
        arena,
        "root m train {\n cell w: f32[40, 24] parameter\nentry train e symbol=e {\n dims N\n"
        " %x: f32[N, 40] = input x\n %g: f32[N, 24] = input g\n"
        " %p = contract %x, %g labels=ab,ac->bc\n write w = %p\n }\n}\n",
        &error);
    if (!program) fail_msg("%s", error);
    const KernelOptions options = {.gpu = true, .gemm = GEMM_CUBLASLT};
    const KernelProgram *p = kernel_program_build_with(arena, program, &options);
    assert_non_null(strstr(contractions(p), "by cuBLASLt, then by a kernel: contract\n"));
    const KernelEntry *e = entry_of(p, 0);
    assert_int_equal(e->steps.count, 2);
    assert_non_null(e->steps.data[0]->kernel->library);
    for (int i = 0; i < e->steps.data[0]->kernel->parameter_count; i++)
        if (e->steps.data[0]->kernel->slots.data[i].access & ACCESS_WRITE)
            assert_int_equal(e->steps.data[0]->arguments[i]->kind, BUFFER_TEMPORARY);
    arena_free(arena);
}

/* auto: large, and one call. */
static void test_auto(void **state) {
    (void)state;
    static const Expected all[] = {
        {PRODUCT " return y=%p", "not by cuBLASLt: it is small\n"},
        {"%x: f32[N, 2048] = input x\n %w: f32[2048, 512] = input w\n"
         " %p = contract %x, %w labels=ab,bc->ac\n return y=%p",
         "by cuBLASLt, joined: contract\n"},
        {"%x: f32[N, 2048] = input x\n %w: f32[2048, 127] = input w\n"
         " %p = contract %x, %w labels=ab,bc->ac\n return y=%p",
         "not by cuBLASLt: it is small\n"},
        {"%x: f32[9999, 2048] = input x\n %w: f32[2048, 63] = input w\n"
         " %p = contract %x, %w labels=ab,bc->ac\n return y=%p",
         "not by cuBLASLt: it is small\n"},
        {"%x: f32[N, 2048] = input x\n %w: f32[2048, 512] = input w\n"
         " %p = contract %x, %w labels=ab,bc->ac\n %y = tanh %p\n return y=%y",
         "not by cuBLASLt: what follows is no epilogue of its\n"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) expect_remark(&all[i], GEMM_AUTO);
}

static void test_printed(void **state) {
    (void)state;
    static const Expected all[] = {
        {SUM("24", "1") " return y=%y",
         "kernel(read p0: f32[N, 40], read p1: f32[40, 24], read p2: f32[24], write p3: f32[N, "
         "24], "
         "write p4: u8[1048832])\n"
         "    cublaslt.f32 tf32 batch 1 rows N columns 24 depth 40 rows=p0@0 lines of depth, "
         "leading 40 "
         "columns=p1@0 lines across, leading 24 result=p3@0 lines of depth, leading 24 bias=p2 "
         "workspace=p4[1048576]\n"},
        {"%x: f64[3, 7, N, 17] = input x\n %w: f64[3, 7, 9, 17] = input w\n"
         " %s: f64[3, 7, 8, 17] = slice %w begin=[0, 0, 1, 0] step=[1, 1, 1, 1]\n"
         " %p = contract %x, %s labels=abcd,abed->abce\n return y=%p",
         "    cublaslt.f64 batch 21 rows N columns 8 depth 17 rows=p0@0 lines of depth, leading 17 "
         "batch 17*N columns=p1@17 lines of depth, leading 17 batch 153 result=p2@0 lines of "
         "depth, "
         "leading 8 batch 8*N workspace=p3[6291456]\n"},
        {"%x: f32[N, 40] = input x\n %y: f32[N, 500] = input y\n"
         " %p = contract %x, %y labels=ab,ac->bc\n %e = tanh %p\n return y=%e",
         "    cublaslt.f32 tf32 batch 1 rows 40 columns 500 depth N rows=p0@0 lines across, "
         "leading 40 "
         "columns=p1@0 lines across, leading 500 result=p2@0 lines of depth, leading 500 "
         "workspace=p3[2097152]\n"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Arena *arena = arena_new();
        const KernelOptions options = {.gemm = GEMM_CUBLASLT, .precision = PRECISION_TF32};
        const char *text = printed(library_of(arena, all[i].body, options));
        if (!strstr(text, all[i].remark)) fail_msg("expected\n%sin\n%s", all[i].remark, text);
        arena_free(arena);
    }
}

/* Two products of one form are one kernel, and of another are not. */
static void test_interned(void **state) {
    (void)state;
    Arena *arena = arena_new();
    const KernelProgram *p = library_of(
        arena,
        "%x: f32[N, 40] = input x\n %w: f32[40, 40] = input w\n %v: f32[40, 40] = input v\n"
        " %p = contract %x, %w labels=ab,bc->ac\n %q = contract %p, %v labels=ab,bc->ac\n"
        " %r = contract %q, %v labels=ab,cb->ac\n return r=%r",
        (KernelOptions){.gemm = GEMM_CUBLASLT});
    assert_int_equal(p->kernels.count, 2);
    assert_int_equal(entry_of(p, 0)->steps.count, 3);
    arena_free(arena);
}

static void test_cost(void **state) {
    (void)state;
    Arena *arena = arena_new();
    int64_t symbols[16], value;
    for (int i = 0; i < 16; i++) symbols[i] = 33;
    const KernelProgram *p =
        library_of(arena, SUM("24", "1") " return y=%y", (KernelOptions){.gemm = GEMM_CUBLASLT});
    const KernelCost cost = kernel_cost(p, p->kernels.data[0]);
    assert_true(dim_evaluate(cost.flops, symbols, &value));
    assert_int_equal(value, 33 * 24 * (2 * 40 + 1));
    assert_true(dim_evaluate(cost.bytes, symbols, &value));
    assert_int_equal(value, 4 * (33 * 40 + 40 * 24 + 24 + 33 * 24));
    assert_false(cost.wide);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),   cmocka_unit_test(test_cells),
        cmocka_unit_test(test_auto),     cmocka_unit_test(test_printed),
        cmocka_unit_test(test_interned), cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
