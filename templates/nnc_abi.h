/* The interface between emitted models and whatever calls them.  This text is pasted, guarded, into
 * every generated header; the runtime includes the same file.  C99 and C++11. */
#ifndef NNC_ABI
#define NNC_ABI 1

#include <stddef.h>
#include <stdint.h>

/* What a call returns; 0 is success. */
enum {
    NNC_OK = 0,
    NNC_E_ARGUMENT = 1,  /* NULL pointer, negative dim, misaligned region, region missing */
    NNC_E_DIM = 2,       /* a `where` bound or a dim equation of the entry does not hold */
    NNC_E_RANGE = 3,     /* an id in an argument is out of range; no cell was written */
    NNC_E_WORKSPACE = 4, /* workspace, state or weights region too small */
    NNC_E_STATE = 5,     /* the context was not initialised, or was made for other dims */
    NNC_E_NOT_FINITE = 6 /* for a caller that tests results: emitted code never returns it */
};

/* Dtypes; what a cell is (its role). */
enum { NNC_BOOL, NNC_U8, NNC_I8, NNC_I16, NNC_I32, NNC_I64, NNC_F16, NNC_BF16, NNC_F32, NNC_F64 };
enum { NNC_PARAMETER, NNC_BUFFER, NNC_STATE, NNC_GRADIENT, NNC_OPTIMIZER, NNC_SCALAR };
enum { NNC_MAX_RANK = 12 };

/* Runs task(arg, i, worker) for i in [0, n); worker < the number of threads.  Returns when all are
 * done.  user: nnc_context.parallel_user, here and below. */
typedef void (*nnc_task)(void *arg, int64_t i, int worker);
typedef void (*nnc_parallel)(void *user, int64_t n, nnc_task task, void *arg);
/* Called again and again, turn = 1, 2, ..., by a thread that has waited for another one for some 10 us:
 * gives the processor away or sleeps for a while.  It may return at any time. */
typedef void (*nnc_wait)(void *user, int64_t turn);

/* nnc_context.flags.  NNC_CONCURRENT promises that `parallel` runs n <= `threads` tasks all at once, each on
 * a thread of its own; the tasks then wait for each other, so a `parallel` that runs one after the other
 * never returns.  With it a call forks once, without it once for each large kernel.  Results are the same. */
enum { NNC_CONCURRENT = 1 };

/* Who times kernels; only code that was emitted with --instrument calls it.  Threads call at the same time. */
typedef struct nnc_profile {
    void *user;
    uint64_t (*now)(void *user); /* the caller's clock */
    /* this thread has run some tiles of call `number` (its place in <entry>_kernels) since `begin` */
    void (*slice)(void *user, int number, uint64_t begin);
} nnc_profile;

/* One context: four caller-owned regions, each aligned to 64 bytes, and how to run in parallel.
 * Zero it, set the regions, then call <prefix>_init (fresh values) or set the cells.  A context belongs to
 * one caller at a time; any number of contexts may run at once.  Nothing here is freed by the model. */
typedef struct nnc_context {
    void *weights; /* <prefix>_weights_bytes: parameters, in stored form */
    size_t weights_bytes;
    /* <prefix>_state_bytes: buffers, state, optimizer, live gradients, scalars */
    void *state;
    size_t state_bytes;
    /* <prefix>_prepared_bytes: derived weights; <prefix>_prepare fills it. May be NULL if 0 */
    void *prepared;
    size_t prepared_bytes;
    /* <prefix>_<entry>_workspace_bytes(dims); contents do not matter between calls */
    void *workspace;
    size_t workspace_bytes;
    nnc_parallel parallel; /* NULL: serial */
    void *parallel_user;
    nnc_wait wait;       /* used with NNC_CONCURRENT; NULL: a waiting thread only spins */
    int threads;         /* upper bound of `worker` + 1; 0 counts as 1 */
    int flags;           /* 0 or NNC_CONCURRENT */
    uint64_t seed;       /* key of the random stream */
    uint64_t step;       /* counter of the random stream: calls that drew random numbers */
    const char *message; /* after an error: which argument, what was expected (static text) */
    const nnc_profile *profile; /* NULL, or who times kernels */
} nnc_context;

typedef struct nnc_cell_info {
    const char *name; /* "net.conv1.weight" */
    int role, dtype, rank;
    int64_t dims[NNC_MAX_RANK]; /* -1 - k: fixed by init's k-th dim */
    int saved;                  /* 1: in the model's state_dict (parameters, buffers) */
    int line;                   /* of its declaration in the .nn file */
    const char *const *aliases; /* further names of a tied tensor, NULL-terminated, or NULL */
} nnc_cell_info;

typedef struct nnc_tensor_info {
    const char *name;
    int dtype, rank;
    /* constant, or -1 - k: the entry's k-th dim; INT64_MIN: an expression (ask shape) */
    int64_t dims[NNC_MAX_RANK];
} nnc_tensor_info;

typedef struct nnc_entry_info {
    const char *name;   /* "step" */
    const char *symbol; /* "FashionMnist_step" */
    int kind;           /* 0 infer, 1 train */
    int dim_count, argument_count, result_count;
    const char *const *dims; /* names */
    const nnc_tensor_info *arguments, *results;
    /* dims of argument (which < argument_count) or result (which - argument_count) into out[rank] */
    int (*shape)(const int64_t *dims, int which, int64_t *out);
    size_t (*workspace_bytes)(const int64_t *dims); /* SIZE_MAX when it overflows */
    /* arguments and results by pointer (rank-0 arguments too) */
    int (*call)(nnc_context *ctx, const int64_t *dims, const void *const *arguments,
                void *const *results);
    const char *doc;
} nnc_entry_info;

/* One place in an entry that calls a kernel; of code that was emitted with --instrument. */
typedef struct nnc_kernel_info {
    const char *name;    /* as --emit=kernels names it; nn_k_<name> in C */
    const char *what;    /* fused operators */
    const char *lines;   /* source lines, "12, 14"; may be empty */
    double calls;        /* in one call of the entry */
    double flops, bytes; /* of one of them; 0 if unknown */
    int dtype;           /* of its arithmetic: NNC_F64 when some is, else NNC_F32 */
} nnc_kernel_info;

typedef struct nnc_model {
    int abi;            /* NNC_ABI */
    const char *name;   /* prefix of the C names */
    const char *source; /* file name of the .nn file, without folders */
    int is_train;
    int cell_count, entry_count, init_dim_count;
    const nnc_cell_info *cells;
    const nnc_entry_info *entries;
    size_t weights_bytes, prepared_bytes;
    size_t (*state_bytes)(const int64_t *init_dims);
    /* fills weights and state */
    int (*init)(nnc_context *ctx, uint64_t seed, const int64_t *init_dims);
    int (*prepare)(nnc_context *ctx);
    /* Row-major copies in and out of the stored form; bytes must be exact. Gradients may be None: get
     * returns NNC_E_STATE, set with data == NULL makes it None. */
    int (*get)(const nnc_context *ctx, int cell, void *data, size_t bytes);
    int (*set)(nnc_context *ctx, int cell, const void *data, size_t bytes);
    const char *const *entry_order;                           /* reserved: NULL */
    const char *const *init_dims;                             /* names of init's dims, or NULL */
    size_t (*init_workspace_bytes)(const int64_t *init_dims); /* of init; NULL: none is needed */
} nnc_model;

#endif
