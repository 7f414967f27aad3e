/* Two models whose products are cuBLASLt's, against sums in f64: one context each, dims that change
 * and come back, captured and not.  Exit status 4: a wrong number; 3: a call failed, and said why
 * (stdout).  LIBRARY: the file that is cuBLASLt; FAULT: the number of a mistake that gemm.sh has
 * planted in the text. */
#include <cmath>
#include <cstdlib>

static inline bool fault(int number) {
    const char *said = getenv("FAULT");
    return said && atoi(said) == number;
}
#define NN_CUBLASLT_NAMES "libno-such-library.so", getenv("LIBRARY")

#include "m.cu"

enum { WIDTH = 20, CLASSES = 33, SHORT = 7, LONG = 43, FROM = 3, DIM_MAX = 33 };
static float x[DIM_MAX * LONG], z[DIM_MAX * LONG], w[CLASSES * WIDTH], bias[CLASSES],
    y[DIM_MAX * LONG];

static void *take(size_t bytes) {
    void *p = nullptr;
    if (cudaMalloc(&p, bytes ? bytes : 1) != cudaSuccess) abort();
    return p;
}

struct Context {
    nnc_cuda_context c = {};
    Context(size_t weights, size_t workspace) {
        c.weights = take(c.weights_bytes = weights);
        c.workspace = take(c.workspace_bytes = workspace);
        c.control = take(NNC_CUDA_CONTROL_BYTES);
    }
    void give() {
        for (void *p : {c.weights, c.workspace, c.control}) (void)cudaFree(p);
    }
};

static int status;

static bool good(nnc_cuda_context *ctx, int code) {
    if (!code) return true;
    printf("%d %s\n", code, ctx->message ? ctx->message : "");
    status = status ? status : 3;
    return false;
}

static void check(const char *what, int64_t n, int64_t i, double expected, double got) {
    if (fabs(expected - got) <= 1e-4) return;
    if (!status)
        printf("%s, N = %d, element %d: expected %g, got %g\n", what, (int)n, (int)i, expected,
               got);
    status = 4;
}

static void run_net(nnc_cuda_context *ctx, int64_t n) {
    if (!good(ctx, net_cuda(ctx, n, x, y)) || !good(ctx, net_cuda_wait(ctx))) return;
    for (int64_t i = 0; i < n * CLASSES; i++) {
        double sum = bias[i % CLASSES];
        for (int k = 0; k < WIDTH; k++)
            sum += (double)x[i / CLASSES * WIDTH + k] * w[i % CLASSES * WIDTH + k];
        check("net", n, i, sum, y[i]);
    }
}

static void run_cross(nnc_cuda_context *ctx, int64_t n) {
    const int wide = LONG - FROM;
    if (!good(ctx, cross_cuda(ctx, n, x, z, y)) || !good(ctx, cross_cuda_wait(ctx))) return;
    for (int64_t i = 0; i < SHORT * wide; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += (double)x[k * SHORT + i / wide] * z[k * LONG + FROM + i % wide];
        check("cross", n, i, sum, y[i]);
    }
}

int main() {
    static const int64_t sizes[] = {33, 9, 33, 0, 1};
    setvbuf(stdout, nullptr, _IONBF, 0); /* the shim may end the program */
    for (float *list : {x, z, w, bias, y})
        for (int i = 0; i < (list == bias ? CLASSES
                             : list == w  ? CLASSES * WIDTH
                                          : DIM_MAX * LONG);
             i++)
            list[i] = (float)sin(i * 0.37 + (list == z) + 2 * (list == w));
    for (int flags : {0, (int)NNC_CUDA_NO_GRAPH}) {
        Context net(net_cuda_weights_bytes(), net_cuda_workspace_bytes(DIM_MAX));
        Context cross(cross_cuda_weights_bytes(), cross_cuda_workspace_bytes(DIM_MAX));
        net.c.flags = cross.c.flags = flags;
        const nnc_cuda_model *m = net_cuda_model();
        for (int i = 0; i < m->cell_count; i++) {
            const bool is_bias = m->cells[i].rank == 1;
            good(&net.c, m->set(&net.c, i, is_bias ? bias : w, is_bias ? sizeof bias : sizeof w));
        }
        for (int64_t n : sizes) {
            run_net(&net.c, n);
            run_cross(&cross.c, n);
        }
        net_cuda_close(&net.c);
        cross_cuda_close(&cross.c);
        net.give();
        cross.give();
    }
    if (!status) puts("right");
    return status;
}
