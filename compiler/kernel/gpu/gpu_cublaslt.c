/* Products by cuBLASLt (--gemm): which of them suit it, and what is said of their matrices.
 *
 * Input: a product whose labels are sorted.  Output: one call, where what is computed from the
 * product at the same element is nothing, or a bias that goes along the columns; else a call that
 * writes the product to memory and a kernel of ours for the rest.  An operand suits when it is read
 * from memory without arithmetic or guard, with one stride of 1 and lines that do not overlap.
 *
 * Invariants: a call writes temporaries and results only, never a cell, since it does not look at
 * the checks of ids that may refuse the entry.  Epilogues are those whose values are ours beyond
 * rounding: that of ReLU is "max(x, 0)" in the library's words, which does not say what becomes of
 * NaN (ours stays NaN), and that of GELU is the approximation by tanh; so neither is used. */
#include "kernel/gpu/gpu_contract.h"

/* --gemm=auto: below these a call's overhead, some microseconds, outweighs better arithmetic: 2^27
 * operations take about as long on a GPU of 2020 (20 TFLOP/s), and the library's tiles of 64 and
 * more are mostly empty where an extent is smaller. */
enum { AUTO_EXTENT = 64 };
static const double auto_flops = 134217728;

/* How an element's place moves with the flat positions of the sets. */
typedef struct Strides {
    Buffer *buffer;
    const Dim *base, *of[SETS]; /* 0: not at all */
} Strides;

typedef struct LibraryCall {
    Product *p;
    Builder *b; /* of a kernel that is only asked */
    Gen *gen;
    int axes[SETS];
    const Index *flat[SETS];
    Strides rows, columns, result, bias;
    bool has_bias;
    Buffer *direct; /* where the call itself may write; NULL: to a temporary */
    LibraryMatrix of_rows, of_columns;
} LibraryCall;

void kernel_library_dims(const LibraryProduct *product, const Dim **out) {
    const LibraryMatrix *const matrices[] = {&product->of_rows, &product->of_columns,
                                             &product->result};
    const Dim *const sizes[] = {product->batch, product->rows, product->columns, product->depth};
    for (int i = 0; i < 4; i++) *out++ = sizes[i];
    for (int i = 0; i < 3; i++) {
        *out++ = matrices[i]->base;
        *out++ = matrices[i]->leading;
        *out++ = matrices[i]->batch;
    }
}

/* ---- asking ---- */

static void open_call(LibraryCall *x, Product *p) {
    static const char *const names[SETS] = {"b", "m", "n", "k"};
    *x = (LibraryCall){.p = p, .b = builder_new(p->l->program, p->l->arena)};
    x->gen = gen_new(p->l, x->b, p->group);
    x->gen->pure = true;
    for (int s = 0; s < SETS; s++) {
        x->axes[s] = builder_axis(x->b, names[s], p->total[s]);
        x->flat[s] = builder_axis_index(x->b, x->axes[s]);
    }
}

/* Of an element at these indices of a buffer; NULL, or why it is none of a matrix. */
static const char *find_strides(LibraryCall *x, Buffer *buffer, const Index *const *at,
                                Strides *out) {
    IndexTable *t = x->b->table;
    const Index *offset = index_offset(t, buffer->layout, &buffer->shape, at);
    *out = (Strides){.buffer = buffer};
    for (int s = 0; s < SETS; s++) {
        out->of[s] = dim_const(x->b->dims, 0);
        if (index_motion(offset, x->axes[s], &out->of[s]) == MOTION_OTHER) break;
        offset = index_sub(t, offset, index_scale(t, x->flat[s], out->of[s]));
    }
    out->base = offset->constant;
    return offset->count ? "does not lie in lines of one length" : NULL;
}

/* Lines along the depth, or else across it; an axis of one element has any stride. */
static const char *find_lines(LibraryCall *x, int set, const Strides *s, LibraryMatrix *out) {
    DimTable *dims = x->b->dims;
    const Dim *extent = x->p->total[set], *depth = x->p->total[DEPTH];
    const bool one = dim_is(extent, 1);
    *out = (LibraryMatrix){.base = s->base, .batch = s->of[BATCH]};
    if (dim_is(s->of[DEPTH], 1)) {
        out->along_depth = true;
        out->leading = one ? depth : s->of[set];
        if (dim_at_most(dims, depth, out->leading)) return NULL;
    }
    out->along_depth = false;
    out->leading = s->of[DEPTH];
    if ((one || dim_is(s->of[set], 1)) && dim_at_most(dims, extent, out->leading)) return NULL;
    return "is no matrix with neighbours side by side and lines apart";
}

static const char *ask_operand(LibraryCall *x, int set, int side, Strides *strides,
                               LibraryMatrix *out) {
    const Index *flat[SETS] = {x->flat[BATCH]}, *at[SHAPE_MAX_RANK];
    flat[set] = x->flat[set];
    flat[DEPTH] = x->flat[DEPTH];
    gpu_product_indices_at(x->p, side, flat, at);
    const Expr *e = gen_value(x->gen, x->p->n->inputs[side], at);
    if (e->kind != EXPR_LOAD) return "is computed where it is read";
    const char *why = find_strides(x, x->b->bindings.data[e->slot], e->indices, strides);
    return why ? why : find_lines(x, set, strides, out);
}

/* ---- what follows the product ---- */

/* One member is stored, at one place; NULL: more, or more often. */
static const Node *only_stored(LibraryCall *x, Buffer **place) {
    const Group *g = x->p->group;
    const Node *found = NULL;
    for (int m = 0; m < g->members.count; m++) {
        const NodeState *s = lowering_state(x->p->l, g->members.data[m]);
        if (!lowering_needs_store(x->p->l, g->members.data[m])) continue;
        if (found || s->targets.count > 1) return NULL;
        found = g->members.data[m];
        *place = s->targets.count ? s->targets.data[0] : s->buffer;
        if (s->buffer && s->buffer != *place) return NULL;
    }
    return found;
}

/* A vector along the columns, from the beginning of memory that is aligned, as the library's
 * vectorised epilogues want it. */
static bool is_bias(LibraryCall *x, const Expr *e) {
    if (e->kind != EXPR_LOAD || e->dtype != x->p->n->type.dtype) return false;
    Buffer *buffer = x->b->bindings.data[e->slot];
    Strides *s = &x->bias;
    if (buffer->kind == BUFFER_ELEMENT || buffer->kind == BUFFER_CONSTANT) return false;
    if (find_strides(x, buffer, e->indices, s)) return false;
    return dim_is(s->base, 0) && dim_is(s->of[BATCH], 0) && dim_is(s->of[ROWS], 0) &&
           dim_is(s->of[COLUMNS], 1);
}

/* Is the node the product, or that and a bias?  In f64 the library names no bias. */
static bool is_epilogue(LibraryCall *x, const Node *n, const Index *const *at) {
    const Node *product = x->p->n;
    if (n == product) return true;
    const Expr *value = expr_register(x->b, builder_register(x->b, product->type.dtype, "product"));
    gen_set(x->gen, product, at, value);
    const Expr *e = gen_value(x->gen, n, at);
    if (e->kind != EXPR_OP || e->op != OP_ADD || e->dtype != product->type.dtype ||
        product->type.dtype == DTYPE_F64)
        return false;
    for (int i = 0; i < 2 && !x->has_bias; i++)
        x->has_bias = e->args[i] == value && is_bias(x, e->args[1 - i]);
    return x->has_bias;
}

/* Whether the call's result is what the group wants, where the group wants it. */
static void ask_result(LibraryCall *x) {
    Product *p = x->p;
    const Index *flat[SETS] = {x->flat[BATCH], x->flat[ROWS], x->flat[COLUMNS]};
    const Index *at[SHAPE_MAX_RANK];
    Buffer *place = NULL;
    const Node *n = only_stored(x, &place);
    if (!n || (place->kind != BUFFER_TEMPORARY && place->kind != BUFFER_RESULT)) return;
    gpu_product_indices_at(p, 2, flat, at);
    const Strides *s = &x->result;
    if (find_strides(x, place, at, &x->result)) return;
    if (!dim_is(s->of[COLUMNS], 1) && !dim_is(p->total[COLUMNS], 1)) return;
    if (!dim_is(p->total[ROWS], 1) && !dim_at_most(x->b->dims, p->total[COLUMNS], s->of[ROWS]))
        return;
    if (is_epilogue(x, n, at)) x->direct = place;
}

static bool is_large(const Product *p) {
    double flops = 2 * gpu_size(p->total[BATCH]);
    for (int set = ROWS; set <= DEPTH; set++) {
        const double extent = gpu_size(p->total[set]);
        if (extent < AUTO_EXTENT) return false;
        flops *= extent;
    }
    return flops >= auto_flops;
}

/* NULL: by cuBLASLt. */
static const char *ask(LibraryCall *x) {
    Product *p = x->p;
    const bool wanted = p->l->program->options.gemm == GEMM_CUBLASLT;
    const char *why = ask_operand(x, ROWS, p->row_side, &x->rows, &x->of_rows);
    if (why) return arena_printf(p->l->arena, "the operand of the rows %s", why);
    why = ask_operand(x, COLUMNS, 1 - p->row_side, &x->columns, &x->of_columns);
    if (why) return arena_printf(p->l->arena, "the operand of the columns %s", why);
    ask_result(x);
    if (!wanted && !x->direct) return "what follows is no epilogue of its";
    if (!wanted && !is_large(p)) return "it is small";
    return NULL;
}

/* ---- building ---- */

static LibraryMatrix result_matrix(const LibraryCall *x) {
    const Product *p = x->p;
    DimTable *dims = x->b->dims;
    const bool direct = x->direct != NULL, one = dim_is(p->total[ROWS], 1);
    const Dim *elements = dim_need(dim_mul(dims, p->total[ROWS], p->total[COLUMNS]));
    return (LibraryMatrix){
        .base = direct ? x->result.base : dim_const(dims, 0),
        .leading = direct && !one ? x->result.of[ROWS] : p->total[COLUMNS],
        .batch = dim_is(p->total[BATCH], 1) ? dim_const(dims, 0)
                 : direct                   ? x->result.of[BATCH]
                                            : elements,
        .along_depth = true,
    };
}

/* The library keeps parts of sums in it, where so few tiles make up the result that the depth is
 * worth cutting: room for PARTS results of the size that is likely.  What NVIDIA advises for its
 * largest GPUs is the most. */
static int64_t workspace_bytes(const Product *p) {
    enum { PARTS = 16, LEAST = 1 << 20, MOST = 32 << 20 };
    const double bytes = PARTS * (double)dtype_bytes(p->dtype) * gpu_size(p->total[BATCH]) *
                         gpu_size(p->total[ROWS]) * gpu_size(p->total[COLUMNS]);
    return bytes >= MOST ? MOST : ((int64_t)bytes / LEAST + 1) * LEAST;
}

static void build_call(LibraryCall *x, Buffer *result) {
    Product *p = x->p;
    Lowering *l = p->l;
    Builder *b = p->b = builder_new(l->program, l->arena);
    const int64_t room = workspace_bytes(p);
    const Shape bytes = {1, {dim_const(b->dims, room + LIBRARY_ALIGNMENT)}};
    LibraryProduct *made = NEW(l->arena, LibraryProduct);
    *made = (LibraryProduct){
        .dtype = p->n->type.dtype,
        .precision = p->n->type.dtype == DTYPE_F32 ? l->program->options.precision : PRECISION_F32,
        .batch = p->total[BATCH],
        .rows = p->total[ROWS],
        .columns = p->total[COLUMNS],
        .depth = p->total[DEPTH],
        .of_rows = x->of_rows,
        .of_columns = x->of_columns,
        .result = result_matrix(x),
        .bias_slot = -1,
        .workspace_bytes = room};
    made->of_rows.slot = builder_slot(b, x->rows.buffer, ACCESS_READ);
    made->of_columns.slot = builder_slot(b, x->columns.buffer, ACCESS_READ);
    if (x->has_bias) made->bias_slot = builder_slot(b, x->bias.buffer, ACCESS_READ);
    made->result.slot = builder_slot(b, result, ACCESS_WRITE);
    made->workspace_slot = builder_slot(
        b, lowering_buffer(l, BUFFER_TEMPORARY, DTYPE_U8, bytes, "workspace"), ACCESS_WRITE);
    b->kernel->library = made;
}

bool gpu_library_product(Product *p, const char **why) {
    LibraryCall call, *x = &call;
    Lowering *l = p->l;
    open_call(x, p);
    *why = ask(x);
    if (*why) return false;
    Buffer *result = x->direct;
    if (!result) {
        const Shape shape = {3, {p->total[BATCH], p->total[ROWS], p->total[COLUMNS]}};
        x->has_bias = false;
        result = lowering_buffer(l, BUFFER_TEMPORARY, p->n->type.dtype, shape, "product");
    }
    build_call(x, result);
    group_finish(l, p->group, p->b, x->direct ? NULL : "product");
    if (!x->direct) {
        gpu_product_rest(p, result);
        group_finish(l, p->group, p->b, NULL);
    }
    const char *path, *what = group_what(l, p->group, &path);
    lowering_remark(l, REMARK_CONTRACTION, p->n, "by cuBLASLt%s, %s: %s",
                    x->has_bias ? " with its bias" : "", x->direct ? "joined" : "then by a kernel",
                    what);
    return true;
}
