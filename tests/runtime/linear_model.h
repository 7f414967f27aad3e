/* A model written by hand to the interface of emitted ones: linear regression y = x w + b with
 * momentum. For tests of the runtime alone.  Cells: net.weight (tied: also net.copy), net.bias,
 * net.seen (i64 buffer), optimizer.m (optimizer state), net.weight.grad (a live gradient, None at
 * first), lr. */
#ifndef LINEAR_MODEL_H
#define LINEAR_MODEL_H

#include <string.h>
#include "nnc_abi.h"

enum { LINEAR_F = 3 };

typedef struct LinearWeights {
    float weight[LINEAR_F];
    char gap[52];
    float bias[1];
} LinearWeights;

typedef struct LinearState {
    int64_t seen;
    float momentum[LINEAR_F + 1];
    float gradient[LINEAR_F];
    int has_gradient;
    float lr;
} LinearState;

enum { CELL_WEIGHT, CELL_BIAS, CELL_SEEN, CELL_M, CELL_GRAD, CELL_LR };

static const char *const linear_aliases[] = {"net.copy", NULL};
static const nnc_cell_info linear_cells[] = {
    {"net.weight", NNC_PARAMETER, NNC_F32, 2, {1, LINEAR_F}, 1, 4, linear_aliases},
    {"net.bias", NNC_PARAMETER, NNC_F32, 1, {1}, 1, 5, NULL},
    {"net.seen", NNC_BUFFER, NNC_I64, 0, {0}, 1, 6, NULL},
    {"optimizer.m", NNC_OPTIMIZER, NNC_F32, 1, {LINEAR_F + 1}, 0, 9, NULL},
    {"net.weight.grad", NNC_GRADIENT, NNC_F32, 2, {1, LINEAR_F}, 0, 4, NULL},
    {"optimizer.lr", NNC_SCALAR, NNC_F32, 0, {0}, 0, 9, NULL},
};

static void *linear_cell(const nnc_context *ctx, int cell, size_t *bytes) {
    LinearWeights *w = (LinearWeights *)ctx->weights;
    LinearState *s = (LinearState *)ctx->state;
    switch (cell) {
    case CELL_WEIGHT: *bytes = sizeof w->weight; return w->weight;
    case CELL_BIAS: *bytes = sizeof w->bias; return w->bias;
    case CELL_SEEN: *bytes = sizeof s->seen; return &s->seen;
    case CELL_M: *bytes = sizeof s->momentum; return s->momentum;
    case CELL_GRAD: *bytes = sizeof s->gradient; return s->gradient;
    case CELL_LR: *bytes = sizeof s->lr; return &s->lr;
    default: return NULL;
    }
}

static int linear_get(const nnc_context *ctx, int cell, void *data, size_t bytes) {
    size_t need = 0;
    void *from = linear_cell(ctx, cell, &need);
    if (!from || bytes != need) return NNC_E_ARGUMENT;
    if (cell == CELL_GRAD && !((LinearState *)ctx->state)->has_gradient) return NNC_E_STATE;
    memcpy(data, from, bytes);
    return NNC_OK;
}

static int linear_set(nnc_context *ctx, int cell, const void *data, size_t bytes) {
    size_t need = 0;
    void *to = linear_cell(ctx, cell, &need);
    if (!to) return NNC_E_ARGUMENT;
    if (cell == CELL_GRAD) ((LinearState *)ctx->state)->has_gradient = data != NULL;
    if (cell == CELL_GRAD && !data) return NNC_OK;
    if (bytes != need) return NNC_E_ARGUMENT;
    memcpy(to, data, bytes);
    return NNC_OK;
}

static size_t linear_state_bytes(const int64_t *dims) {
    (void)dims;
    return sizeof(LinearState);
}

static int linear_init(nnc_context *ctx, uint64_t seed, const int64_t *dims) {
    LinearWeights *w = (LinearWeights *)ctx->weights;
    LinearState *s = (LinearState *)ctx->state;
    (void)dims;
    memset(w, 0, sizeof *w);
    memset(s, 0, sizeof *s);
    for (int i = 0; i < LINEAR_F; ++i) w->weight[i] = 0.01f * (float)((seed + (uint64_t)i) % 7);
    s->lr = 0.1f;
    ctx->seed = seed;
    ctx->step = 0;
    return NNC_OK;
}

static float linear_row(const LinearWeights *w, const float *x) {
    float y = w->bias[0];
    for (int f = 0; f < LINEAR_F; ++f) y += w->weight[f] * x[f];
    return y;
}

static int linear_step(nnc_context *ctx, const int64_t *dims, const void *const *in,
                       void *const *out) {
    LinearWeights *w = (LinearWeights *)ctx->weights;
    LinearState *s = (LinearState *)ctx->state;
    const float *x = (const float *)in[0], *y = (const float *)in[1];
    int64_t n = dims[0];
    double loss = 0, gradient[LINEAR_F + 1] = {0};
    for (int64_t i = 0; i < n; ++i) {
        float d = linear_row(w, x + i * LINEAR_F) - y[i];
        loss += (double)d * (double)d;
        for (int f = 0; f < LINEAR_F; ++f)
            gradient[f] += 2.0 * (double)d * (double)x[i * LINEAR_F + f];
        gradient[LINEAR_F] += 2.0 * (double)d;
    }
    for (int f = 0; f <= LINEAR_F; ++f) {
        s->momentum[f] = 0.9f * s->momentum[f] + (float)(gradient[f] / (double)n);
        *(f < LINEAR_F ? &w->weight[f] : w->bias) -= s->lr * s->momentum[f];
        if (f < LINEAR_F) s->gradient[f] = (float)(gradient[f] / (double)n);
    }
    s->has_gradient = 1;
    s->seen += n;
    ctx->step += 1;
    *(float *)out[0] = (float)(loss / (double)n);
    return NNC_OK;
}

static int linear_eval(nnc_context *ctx, const int64_t *dims, const void *const *in,
                       void *const *out) {
    const float *x = (const float *)in[0], *y = (const float *)in[1];
    double loss = 0;
    for (int64_t i = 0; i < dims[0]; ++i) {
        double d = (double)(linear_row((LinearWeights *)ctx->weights, x + i * LINEAR_F) - y[i]);
        loss += d * d;
    }
    *(float *)out[0] = (float)(loss / (double)dims[0]);
    return NNC_OK;
}

/* twice: a second argument whose dim is an expression, 2 N. */
static int linear_twice(nnc_context *ctx, const int64_t *dims, const void *const *in,
                        void *const *out) {
    const float *a = (const float *)in[0], *b = (const float *)in[1];
    float *to = (float *)out[0];
    (void)ctx;
    for (int64_t i = 0; i < 2 * dims[0]; ++i) to[i] = a[i / 2] * b[i];
    return NNC_OK;
}

/* predict: class and probabilities of y > 0, as a classifier has them. */
static int linear_predict(nnc_context *ctx, const int64_t *dims, const void *const *in,
                          void *const *out) {
    const float *x = (const float *)in[0];
    for (int64_t i = 0; i < dims[0]; ++i) {
        float y = linear_row((LinearWeights *)ctx->weights, x + i * LINEAR_F);
        float p = y > 4 ? 1 : y < -4 ? 0 : 0.5f + y / 8;
        ((int64_t *)out[0])[i] = p > 0.5f;
        ((float *)out[1])[2 * i] = 1 - p;
        ((float *)out[1])[2 * i + 1] = p;
    }
    return NNC_OK;
}

static int predict_shape(const int64_t *dims, int which, int64_t *out) {
    out[0] = dims[0];
    out[1] = which == 0 ? LINEAR_F : 2;
    return NNC_OK;
}

static int linear_shape(const int64_t *dims, int which, int64_t *out) {
    if (which == 0) {
        out[0] = dims[0];
        out[1] = LINEAR_F;
    } else if (which == 1) {
        out[0] = dims[0];
    }
    return NNC_OK;
}

static int twice_shape(const int64_t *dims, int which, int64_t *out) {
    out[0] = which == 0 ? dims[0] : 2 * dims[0];
    return NNC_OK;
}

static size_t linear_workspace(const int64_t *dims) {
    return 64 * (size_t)(dims[0] + 1);
}

static const char *const linear_dims[] = {"N"};
static const nnc_tensor_info linear_arguments[] = {{"x", NNC_F32, 2, {-1, LINEAR_F}},
                                                   {"y", NNC_F32, 1, {-1}}};
static const nnc_tensor_info linear_results[] = {{"loss", NNC_F32, 0, {0}}};
static const nnc_tensor_info twice_arguments[] = {{"a", NNC_F32, 1, {-1}},
                                                  {"b", NNC_F32, 1, {INT64_MIN}}};
static const nnc_tensor_info twice_results[] = {{"product", NNC_F32, 1, {INT64_MIN}}};
static const nnc_tensor_info predict_results[] = {{"label", NNC_I64, 1, {-1}},
                                                  {"probability", NNC_F32, 2, {-1, 2}}};
static const nnc_entry_info linear_entries[] = {
    {"step", "Linear_step", 1, 1, 2, 1, linear_dims, linear_arguments, linear_results, linear_shape,
     linear_workspace, linear_step, NULL},
    {"eval", "Linear_eval", 0, 1, 2, 1, linear_dims, linear_arguments, linear_results, linear_shape,
     linear_workspace, linear_eval, NULL},
    {"twice", "Linear_twice", 0, 1, 2, 1, linear_dims, twice_arguments, twice_results, twice_shape,
     linear_workspace, linear_twice, NULL},
    {"predict", "Linear_predict", 0, 1, 1, 2, linear_dims, linear_arguments, predict_results,
     predict_shape, linear_workspace, linear_predict, NULL},
};
static const nnc_model linear_model = {
    NNC_ABI,
    "Linear",
    "linear.nn",
    1,
    6,
    4,
    0,
    linear_cells,
    linear_entries,
    sizeof(LinearWeights),
    0,
    linear_state_bytes,
    linear_init,
    NULL,
    linear_get,
    linear_set,
    NULL,
    NULL,
    NULL,
};

#endif
