/* One kernel as CUDA text: a tile is a block, a vector loop is shared by its threads.
 *
 * Input: a Kernel and the plan.  Output: device functions and one __global__ function.  Code
 * outside vector loops runs in every thread alike; its stores are made by thread 0.  Partial
 * results of threads are folded by a fixed tree in shared memory, so the sum does not depend on
 * timing. */
#include "emit/c/writer.h"

#include <string.h>

enum { BLOCK_THREADS = 256 };

static const char prologue[] =
    "#include <math.h>\n"
    "#include <stdint.h>\n\n"
    "#define NN_ALIGNED __align__(64)\n"
    "static __device__ __forceinline__ int64_t nn_min(int64_t a, int64_t b) { return a < b ? a : "
    "b; }\n"
    "static __device__ __forceinline__ int64_t nn_max(int64_t a, int64_t b) { return a > b ? a : "
    "b; }\n"
    "static __device__ __forceinline__ int64_t nn_floordiv(int64_t a, int64_t b) {\n"
    "    return a / b - (a % b < 0);\n}\n"
    "static __device__ __forceinline__ int64_t nn_mod(int64_t a, int64_t b) {\n"
    "    return a % b < 0 ? a % b + b : a % b;\n}\n"
    "#define NN_FLOAT(T, S, exp_, log_, tanh_, sqrt_, fabs_)                                     "
    "\\\n"
    "    static __device__ __forceinline__ S nns_maximum_##T(S a, S b) { return a > b || a != a ? "
    "a : b; } \\\n"
    "    static __device__ __forceinline__ S nns_minimum_##T(S a, S b) { return a < b || a != a ? "
    "a : b; } \\\n"
    "    static __device__ __forceinline__ S nns_exp_##T(S a) { return exp_(a); }                "
    "\\\n"
    "    static __device__ __forceinline__ S nns_log_##T(S a) { return log_(a); }                "
    "\\\n"
    "    static __device__ __forceinline__ S nns_tanh_##T(S a) { return tanh_(a); }              "
    "\\\n"
    "    static __device__ __forceinline__ S nns_sqrt_##T(S a) { return sqrt_(a); }              "
    "\\\n"
    "    static __device__ __forceinline__ S nns_rsqrt_##T(S a) { return 1 / sqrt_(a); }         "
    "\\\n"
    "    static __device__ __forceinline__ S nns_abs_##T(S a) { return fabs_(a); }               "
    "\\\n"
    "    static __device__ __forceinline__ S nns_sigmoid_##T(S a) { return 1 / (1 + exp_(-a)); }\n"
    "NN_FLOAT(f32, float, expf, logf, tanhf, sqrtf, fabsf)\n"
    "NN_FLOAT(f64, double, exp, log, tanh, sqrt, fabs)\n"
    "#define NN_SUM(a, b) ((a) + (b))\n"
    "#define NN_PROD(a, b) ((a) * (b))\n"
    "#define NN_MAX(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))\n"
    "#define NN_MIN(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))\n"
    "/* Folds halves of the block onto each other: a fixed tree. */\n"
    "#define NN_BLOCK_FOLD(S, r, OP)                                                             "
    "\\\n"
    "    do {                                                                                    "
    "\\\n"
    "        __shared__ S nn_part[256];                                                          "
    "\\\n"
    "        __syncthreads();                                                                    "
    "\\\n"
    "        nn_part[threadIdx.x] = r;                                                           "
    "\\\n"
    "        for (int nn_half = 128; nn_half > 0; nn_half /= 2) {                                "
    "\\\n"
    "            __syncthreads();                                                                "
    "\\\n"
    "            if ((int)threadIdx.x < nn_half) {                                               "
    "\\\n"
    "                S nn_a = nn_part[threadIdx.x], nn_b = nn_part[threadIdx.x + nn_half];       "
    "\\\n"
    "                nn_part[threadIdx.x] = OP(nn_a, nn_b);                                      "
    "\\\n"
    "            }                                                                               "
    "\\\n"
    "        }                                                                                   "
    "\\\n"
    "        __syncthreads();                                                                    "
    "\\\n"
    "        r = nn_part[0];                                                                     "
    "\\\n"
    "    } while (0)\n\n";

static const char *fold_name(ReduceKind kind) {
    switch (kind) {
    case REDUCE_SUM: return "NN_SUM";
    case REDUCE_PROD: return "NN_PROD";
    case REDUCE_MAX: return "NN_MAX";
    case REDUCE_MIN: return "NN_MIN";
    case REDUCE_ANY:
    case REDUCE_ALL:
    case REDUCE_ARGMAX:
    case REDUCE_ARGMIN: break;
    }
    return NULL;
}

static bool can_print(const Kernel *k, const Stmt *s) {
    if (s->kind == STMT_MMA || s->kind == STMT_PACK || s->kind == STMT_ARGSORT) return false;
    for (int i = 0; i < s->accumulator_count; i++)
        if (s->binding == BIND_VECTOR && !fold_name(s->accumulators[i].kind)) return false;
    for (int i = 0; i < s->body.count; i++)
        if (!can_print(k, s->body.data[i])) return false;
    return true;
}

void cuda_vector_loop(Writer *w, const Stmt *s) {
    const char *axis = w->axis_names[s->axis];
    writer_begin_statement(w, NULL, 0);
    const char *begin = writer_index(w, s->begin), *end = writer_index(w, s->end);
    writer_accumulators(w, s);
    writer_line(w, "for (int64_t %s = %s + threadIdx.x; %s < %s; %s += blockDim.x) {", axis, begin,
                axis, end, axis);
    w->cuda_threads = true;
    w->indent++;
    for (int i = 0; i < s->body.count; i++) writer_statement(w, s->body.data[i]);
    w->indent--;
    w->cuda_threads = false;
    writer_line(w, "}");
    writer_line(w, "__syncthreads();");
    for (int i = 0; i < s->accumulator_count; i++) {
        int reg = s->accumulators[i].reg;
        writer_line(w, "NN_BLOCK_FOLD(%s, %s, %s);",
                    scalar_type(w->kernel->registers.data[reg].dtype), w->register_names[reg],
                    fold_name(s->accumulators[i].kind));
    }
}

/* The prologue is the list of the functions there are: nns_NAME_##T for f32 and f64. */
static bool has_function(Arena *arena, const char *name, size_t length) {
    if (length < 4 ||
        (strncmp(name + length - 4, "_f32", 4) && strncmp(name + length - 4, "_f64", 4)))
        return false;
    return strstr(prologue, arena_printf(arena, "%.*s_##T(", (int)(length - 4), name)) != NULL;
}

static bool has_all_functions(const Text *function) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    for (const char *at = function->data; (at = strstr(at, "nns_")) != NULL;) {
        size_t length = strspn(at, letters);
        if (!has_function(function->arena, at, length)) return false;
        at += length;
    }
    return true;
}

bool emit_cuda_kernel(const Plan *plan, const Kernel *kernel, Text *source) {
    if (!can_print(kernel, kernel->body) || kernel->sites.count > 0) return false;
    for (int i = 0; i < kernel->slots.count; i++) {
        DType t = kernel->slots.data[i].dtype;
        if (t == DTYPE_F16 || t == DTYPE_BF16 || kernel->slots.data[i].scratch) return false;
    }
    const KernelPlan *p = plan_kernel(plan, kernel);
    Text function = text_new(source->arena);
    emit_kernel_function(&function, p, plan->kernels->indices,
                         emit_identifier(source->arena, kernel->name), true);
    if (!has_all_functions(&function)) return false;
    text_append(source, prologue);
    text_printf(
        source,
        "typedef struct nn_call {\n    void *buffers[%d];\n    int64_t dims[%d];\n} nn_call;\n\n",
        kernel->parameter_count ? kernel->parameter_count : 1,
        p->symbols.count ? p->symbols.count : 1);
    text_append(source, function.data);
    return true;
}
