/* A libcublasLt without a GPU: what is documented of the functions that emitted code calls, on the
 * shim.
 *
 * Matrices are column-major: D = alpha * op(A) * op(B) + beta * C, then the epilogue.  The numbers
 * of attributes and types are those of cublasLt.h, written down here once more, so that a wrong one
 * in templates/cuda_gemm.h is found.  It refuses what the library refuses, and more loudly what it
 * need not notice: an algorithm that was chosen for another form of product, addresses that are
 * aligned worse than was said, a workspace above the limit, questions while a stream is captured.
 * Every byte of the workspace is overwritten in each call.  SHIM_CUBLASLT_FAILS=create, heuristic,
 * none, nothing (no algorithm is found) or matmul: which call fails; SHIM_CUBLASLT_LOG: a file with
 * a line for each product. */
#include "library.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum Status {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    INVALID_VALUE = 7,
    EXECUTION_FAILED = 13,
    INTERNAL_ERROR = 14,
    NOT_SUPPORTED = 15
};
enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_32F_FAST_16BF = 75, COMPUTE_32F_FAST_TF32 = 77 };
enum { REDUCTION_COMPUTE_TYPE = 2 };
const uint32_t magic = 0x4c74466b;

const shim::LibraryHooks *connected;

struct Handle {
    uint32_t mark;
    const shim::LibraryHooks *hooks;
};
struct Matrix {
    uint32_t mark;
    int type;
    uint64_t rows, columns;
    int64_t leading;
    int32_t batch;
    int64_t stride;
};
struct Operation {
    uint32_t mark;
    int compute, scale;
    int32_t transpose[2];
    uint32_t epilogue;
    const void *bias;
};
struct Preference {
    uint32_t mark;
    uint64_t workspace;
    uint32_t schemes, alignment[4];
};
/* In the 64 bytes of cublasLtMatmulAlgo_t. */
struct Algorithm {
    uint64_t form, workspace;
    uint32_t mark, scheme, alignment[4], bias_alignment, spare;
};
static_assert(sizeof(Algorithm) <= 64, "as large as the library's");
struct Heuristic {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

/* Objects that were made and not given back. */
struct Living {
    long count = 0;
    ~Living() {
        if (!count) return;
        fprintf(stderr, "shim: at the end: objects of cuBLASLt were not given back\n");
        _Exit(134);
    }
} living;

template <class T> int make(void **out, T object) {
    living.count++;
    *out = new T(object);
    return SUCCESS;
}
template <class T> int give_back(void *object) {
    T *found = (T *)object;
    if (!found || found->mark != magic) return INVALID_VALUE;
    found->mark = 0;
    living.count--;
    delete found;
    return SUCCESS;
}

bool fails(const char *what) {
    const char *said = getenv("SHIM_CUBLASLT_FAILS");
    return said && !strcmp(said, what);
}

[[noreturn]] void broken(const char *what) {
    fprintf(stderr, "shim: cublasLtMatmul: %s\n", what);
    abort();
}

template <class T> T *known(void *object) {
    T *found = (T *)object;
    return found && found->mark == magic ? found : nullptr;
}

size_t bytes_of(int type) {
    return type == R_64F ? 8 : type == R_32F ? 4 : 2;
}

/* ---- numbers ---- */

float from_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
uint32_t to_bits(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
/* v with so many bits of fraction, ties to even. */
float rounded(float v, int bits) {
    int exponent;
    if (!std::isfinite(v) || v == 0) return v;
    const double scaled = ldexp(frexp(v, &exponent), bits + 1);
    return (float)ldexp(nearbyint(scaled), exponent - bits - 1);
}
float half_value(uint16_t h) {
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const double v = exponent == 31  ? (fraction ? NAN : INFINITY)
                     : exponent == 0 ? ldexp(fraction, -24)
                                     : ldexp(1024 + fraction, exponent - 25);
    return (float)(h >> 15 ? -v : v);
}
uint16_t half_bits(float v) {
    const uint16_t sign = (uint16_t)(std::signbit(v) ? 0x8000 : 0);
    if (std::isnan(v)) return 0x7e00;
    const double size = std::fabs((double)v);
    if (size >= 65520) return (uint16_t)(sign | 0x7c00);
    int exponent = 0;
    (void)frexp(size, &exponent);
    if (exponent < -13) return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(size, 24)));
    const int fraction = (int)nearbyint(ldexp(size, 11 - exponent));
    return (uint16_t)(sign | (((exponent + 13) << 10) + fraction));
}
double read(int type, const void *at, int64_t i) {
    if (type == R_64F) return ((const double *)at)[i];
    if (type == R_32F) return ((const float *)at)[i];
    const uint16_t bits = ((const uint16_t *)at)[i];
    return type == R_16F ? half_value(bits) : from_bits((uint32_t)bits << 16);
}
void write(int type, void *at, int64_t i, double v) {
    if (type == R_64F)
        ((double *)at)[i] = v;
    else if (type == R_32F)
        ((float *)at)[i] = (float)v;
    else if (type == R_16F)
        ((uint16_t *)at)[i] = half_bits((float)v);
    else
        ((uint16_t *)at)[i] = (uint16_t)(to_bits(std::isnan(v) ? NAN : rounded((float)v, 7)) >> 16);
}

/* ---- a product ---- */

struct Work {
    Operation operation;
    Matrix a, b, d;
    double alpha;
    const void *at_a, *at_b;
    void *at_d;
    Algorithm algorithm;
    char *workspace;
    size_t workspace_bytes;
};

double factor(const Work &w, const Matrix &m, const void *at, int64_t i) {
    const double v = read(m.type, at, i);
    if (w.operation.compute == COMPUTE_32F_FAST_TF32) return rounded((float)v, 10);
    if (w.operation.compute == COMPUTE_32F_FAST_16BF) return rounded((float)v, 7);
    return v;
}

/* Element (i, j) of the product, over part of the depth. */
double dot(const Work &w, int64_t batch, uint64_t i, uint64_t j, uint64_t from, uint64_t to) {
    const int64_t base_a = batch * w.a.stride, base_b = batch * w.b.stride;
    double wide = 0;
    float sum = 0;
    for (uint64_t k = from; k < to; k++) {
        const uint64_t row_a = w.operation.transpose[0] ? k : i;
        const uint64_t column_a = w.operation.transpose[0] ? i : k;
        const uint64_t row_b = w.operation.transpose[1] ? j : k;
        const uint64_t column_b = w.operation.transpose[1] ? k : j;
        const double x =
            factor(w, w.a, w.at_a, base_a + (int64_t)row_a + (int64_t)column_a * w.a.leading);
        const double y =
            factor(w, w.b, w.at_b, base_b + (int64_t)row_b + (int64_t)column_b * w.b.leading);
        wide += x * y;
        sum += (float)(x * y);
    }
    return w.operation.compute == COMPUTE_64F ? wide : sum;
}

void run(const Work &w) {
    const uint64_t depth = w.operation.transpose[0] ? w.a.rows : w.a.columns;
    const bool wide = w.operation.compute == COMPUTE_64F;
    memset(w.workspace, 0xA5, w.workspace_bytes);
    /* Two parts of the sum, through the workspace. */
    double *const parts = (double *)w.workspace;
    for (int64_t batch = 0; batch < w.d.batch; batch++)
        for (uint64_t j = 0; j < w.d.columns; j++)
            for (uint64_t i = 0; i < w.d.rows; i++) {
                parts[0] = dot(w, batch, i, j, 0, depth / 2);
                parts[1] = dot(w, batch, i, j, depth / 2, depth);
                double v =
                    w.alpha * (wide ? parts[0] + parts[1] : (float)parts[0] + (float)parts[1]);
                if (w.operation.epilogue & 4) {
                    v += read(w.d.type, w.operation.bias, (int64_t)i);
                    if (!wide) v = (float)v;
                }
                write(w.d.type, w.at_d, batch * w.d.stride + (int64_t)i + (int64_t)j * w.d.leading,
                      v);
            }
}

/* What an algorithm was chosen for. */
uint64_t form_of(const Operation &o, const Matrix &a, const Matrix &b, const Matrix &d) {
    uint64_t hash = 1;
    const Matrix *const all[] = {&a, &b, &d};
    const auto mix = [&](uint64_t v) {
        hash = (hash ^ v) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    };
    for (uint64_t v : {(uint64_t)o.compute, (uint64_t)o.scale, (uint64_t)o.transpose[0],
                       (uint64_t)o.transpose[1], (uint64_t)o.epilogue})
        mix(v);
    for (const Matrix *m : all)
        for (uint64_t v : {(uint64_t)m->type, m->rows, m->columns, (uint64_t)m->leading,
                           (uint64_t)m->batch, (uint64_t)m->stride})
            mix(v);
    return hash;
}

bool matches(const Operation &o, const Matrix &a, const Matrix &b, const Matrix &d) {
    const uint64_t rows = o.transpose[0] ? a.columns : a.rows;
    const uint64_t depth_a = o.transpose[0] ? a.rows : a.columns;
    const uint64_t columns = o.transpose[1] ? b.rows : b.columns;
    const uint64_t depth_b = o.transpose[1] ? b.columns : b.rows;
    const bool sizes = rows == d.rows && columns == d.columns && depth_a == depth_b && depth_a;
    const bool batch = a.batch == d.batch && b.batch == d.batch && d.batch >= 1;
    const bool wide = o.compute == COMPUTE_64F;
    const bool types = a.type == d.type && b.type == d.type && (d.type == R_64F) == wide &&
                       o.scale == (wide ? R_64F : R_32F) &&
                       (o.compute == COMPUTE_32F || wide || d.type == R_32F);
    const bool epilogue = o.epilogue == 1 || (o.epilogue == 4 && !wide && o.bias);
    return sizes && batch && types && epilogue;
}

uint32_t alignment_of(const void *at) {
    const uintptr_t bits = (uintptr_t)at | 256;
    return (uint32_t)(bits & -bits);
}

/* Of a matrix, all batches. */
size_t reach(const Matrix &m) {
    const int64_t last = (m.batch - 1) * m.stride + (int64_t)(m.columns - 1) * m.leading;
    return ((size_t)last + m.rows) * bytes_of(m.type);
}

bool meet(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    return (const char *)a < (const char *)b + b_bytes &&
           (const char *)b < (const char *)a + a_bytes;
}

} // namespace

/* ---- the interface ---- */

extern "C" {

void shim_connect(const shim::LibraryHooks *hooks) {
    connected = hooks;
}

int cublasLtCreate(void **handle) {
    if (fails("create")) return NOT_INITIALIZED;
    if (connected->is_capturing()) return INTERNAL_ERROR;
    return make(handle, Handle{magic, connected});
}
int cublasLtDestroy(void *handle) {
    return give_back<Handle>(handle);
}

int cublasLtMatrixLayoutCreate(void **out, int type, uint64_t rows, uint64_t columns,
                               int64_t leading) {
    if (type != R_32F && type != R_64F && type != R_16F && type != R_16BF) return INVALID_VALUE;
    if (!rows || !columns || leading < (int64_t)rows) return INVALID_VALUE;
    return make(out, Matrix{magic, type, rows, columns, leading, 1, 0});
}
int cublasLtMatrixLayoutDestroy(void *matrix) {
    return give_back<Matrix>(matrix);
}
int cublasLtMatrixLayoutSetAttribute(void *matrix, int attribute, const void *value, size_t bytes) {
    Matrix *m = known<Matrix>(matrix);
    if (!m || !value) return INVALID_VALUE;
    if (attribute == 5 && bytes == sizeof m->batch)
        memcpy(&m->batch, value, bytes);
    else if (attribute == 6 && bytes == sizeof m->stride)
        memcpy(&m->stride, value, bytes);
    else
        return INVALID_VALUE;
    return SUCCESS;
}

int cublasLtMatmulDescCreate(void **out, int compute, int scale) {
    if (compute != COMPUTE_32F && compute != COMPUTE_64F && compute != COMPUTE_32F_FAST_16BF &&
        compute != COMPUTE_32F_FAST_TF32)
        return INVALID_VALUE;
    return make(out, Operation{magic, compute, scale, {0, 0}, 1, nullptr});
}
int cublasLtMatmulDescDestroy(void *operation) {
    return give_back<Operation>(operation);
}
int cublasLtMatmulDescSetAttribute(void *operation, int attribute, const void *value,
                                   size_t bytes) {
    Operation *o = known<Operation>(operation);
    if (!o || !value) return INVALID_VALUE;
    if ((attribute == 3 || attribute == 4) && bytes == sizeof *o->transpose)
        memcpy(&o->transpose[attribute - 3], value, bytes);
    else if (attribute == 7 && bytes == sizeof o->epilogue)
        memcpy(&o->epilogue, value, bytes);
    else if (attribute == 8 && bytes == sizeof o->bias)
        memcpy(&o->bias, value, bytes);
    else
        return INVALID_VALUE;
    return SUCCESS;
}

int cublasLtMatmulPreferenceCreate(void **out) {
    return make(out, Preference{magic, 0, 7, {256, 256, 256, 256}});
}
int cublasLtMatmulPreferenceDestroy(void *preference) {
    return give_back<Preference>(preference);
}
int cublasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value,
                                         size_t bytes) {
    Preference *p = known<Preference>(preference);
    if (!p || !value) return INVALID_VALUE;
    if (attribute == 1 && bytes == sizeof p->workspace)
        memcpy(&p->workspace, value, bytes);
    else if (attribute == 3 && bytes == sizeof p->schemes)
        memcpy(&p->schemes, value, bytes);
    else if (attribute >= 5 && attribute <= 8 && bytes == sizeof *p->alignment)
        memcpy(&p->alignment[attribute - 5], value, bytes);
    else
        return INVALID_VALUE;
    return SUCCESS;
}

int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c,
                                   void *d, void *preference, int wanted, void *results,
                                   int *found) {
    const Handle *h = known<Handle>(handle);
    const Operation *o = known<Operation>(operation);
    const Matrix *ma = known<Matrix>(a), *mb = known<Matrix>(b), *md = known<Matrix>(d);
    const Preference *p = known<Preference>(preference);
    if (!h) return NOT_INITIALIZED;
    if (!o || !ma || !mb || !md || !p || !known<Matrix>(c) || wanted < 1 || !results || !found)
        return INVALID_VALUE;
    /* So does the library of CUDA 13.3. */
    if (h->hooks->is_capturing() || fails("heuristic")) return INTERNAL_ERROR;
    *found = 0;
    if (!matches(*o, *ma, *mb, *md)) return INVALID_VALUE;
    if (fails("none")) return NOT_SUPPORTED;
    if (fails("nothing")) return SUCCESS;
    for (uint32_t alignment : p->alignment)
        if (alignment < bytes_of(md->type) || alignment & (alignment - 1)) return INVALID_VALUE;
    /* In place, if it is let: parts come in any order. */
    Algorithm algorithm = {};
    algorithm.form = form_of(*o, *ma, *mb, *md);
    algorithm.workspace = p->workspace;
    algorithm.mark = magic;
    algorithm.scheme = p->schemes & ~(uint32_t)REDUCTION_COMPUTE_TYPE;
    memcpy(algorithm.alignment, p->alignment, sizeof p->alignment);
    algorithm.bias_alignment = o->bias ? alignment_of(o->bias) : 1;
    Heuristic *best = (Heuristic *)results;
    memset(best, 0, sizeof *best);
    memcpy(best->algorithm, &algorithm, sizeof algorithm);
    best->workspace = p->workspace;
    *found = 1;
    return SUCCESS;
}

int cublasLtMatmul(void *handle, void *operation, const void *alpha, const void *a, void *layout_a,
                   const void *b, void *layout_b, const void *beta, const void *c, void *layout_c,
                   void *d, void *layout_d, const void *algorithm, void *workspace,
                   size_t workspace_bytes, void *stream) {
    const Handle *h = known<Handle>(handle);
    const Operation *o = known<Operation>(operation);
    const Matrix *ma = known<Matrix>(layout_a), *mb = known<Matrix>(layout_b),
                 *md = known<Matrix>(layout_d);
    if (!h) return NOT_INITIALIZED;
    if (!o || !ma || !mb || !md || !known<Matrix>(layout_c) || !a || !b || !c || !d || !alpha ||
        !beta)
        return INVALID_VALUE;
    if (fails("matmul")) return EXECUTION_FAILED;
    if (!matches(*o, *ma, *mb, *md)) return INVALID_VALUE;
    Work w = {*o, *ma, *mb, *md, 0, a, b, d, {}, (char *)workspace, workspace_bytes};
    if (!algorithm) broken("no algorithm");
    memcpy(&w.algorithm, algorithm, sizeof w.algorithm);
    if (w.algorithm.mark != magic || w.algorithm.form != form_of(*o, *ma, *mb, *md))
        broken("the algorithm was chosen for another form of product");
    if (w.algorithm.scheme) broken("sums may be reduced in any order");
    if (workspace_bytes < w.algorithm.workspace || !workspace) return INVALID_VALUE;
    if (workspace_bytes > w.algorithm.workspace) broken("a workspace above the limit");
    if ((uintptr_t)workspace % 256) broken("the workspace is not aligned to 256 bytes");
    const void *const at[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if (alignment_of(at[i]) < w.algorithm.alignment[i])
            broken("a matrix is aligned worse than was said");
    if (o->epilogue == 4 && alignment_of(o->bias) < w.algorithm.bias_alignment)
        broken("the bias is aligned worse than was said");
    const bool wide = o->scale == R_64F;
    w.alpha = wide ? *(const double *)alpha : *(const float *)alpha;
    if (wide ? *(const double *)beta != 0 : *(const float *)beta != 0) broken("beta is not 0");
    std::vector<shim::LibraryRange> ranges = {{a, reach(*ma), false},
                                              {b, reach(*mb), false},
                                              {d, reach(*md), true},
                                              {workspace, workspace_bytes, true}};
    if (o->epilogue == 4) ranges.push_back({o->bias, md->rows * bytes_of(md->type), false});
    for (size_t i = 0; i < ranges.size(); i++)
        for (size_t k = 0; k < i; k++)
            if ((ranges[i].written || ranges[k].written) &&
                meet(ranges[i].at, ranges[i].bytes, ranges[k].at, ranges[k].bytes))
                broken("what it writes meets what it reads or writes");
    if (const char *path = getenv("SHIM_CUBLASLT_LOG"))
        if (FILE *log = fopen(path, "a")) {
            fprintf(log, "%llu %llu %llu %d%s\n", (unsigned long long)md->rows,
                    (unsigned long long)md->columns,
                    (unsigned long long)(o->transpose[0] ? ma->rows : ma->columns), md->batch,
                    o->epilogue == 4 ? " bias" : "");
            fclose(log);
        }
    h->hooks->enqueue(
        stream, "cublasLtMatmul", [w]() { run(w); }, std::move(ranges));
    return SUCCESS;
}
}
