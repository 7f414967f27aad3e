/* What all backends share: names, numbers, dims as C, the pieces of files. */
#ifndef NNC_EMIT_COMMON_H
#define NNC_EMIT_COMMON_H

#include "emit/emit.h"

/* ---- names ---- */
/* `text` with every byte that no C identifier may hold replaced by '_'; never empty, never starting
 * with a digit; reserved words and names that generated code uses get a '_' behind. */
const char *emit_identifier(Arena *arena, const char *text);
/* The same for a function that other files call: it takes no name of the C library either. */
const char *emit_symbol(Arena *arena, const char *text);
/* What the functions of a root begin with: "digits", "digits_cuda". */
const char *emit_prefix(Arena *arena, const EmitOptions *options, const Root *root);
/* The function of an entry: "digits_step", "digits_cuda_step". */
const char *emit_entry_symbol(Arena *arena, const EmitOptions *options, const Root *root,
                              const Entry *entry);
/* A set of names in use: gives `wanted`, or wanted_2, wanted_3, ... */
typedef struct NameSet {
    Arena *arena;
    VECTOR(const char *) used;
} NameSet;
const char *name_set_add(NameSet *set, const char *wanted);

/* ---- text of the user inside C ---- */
void emit_string(Text *out, const char *text); /* "..." with escapes, never a trigraph */
/* Every line of `text` after `prefix`; comment ends are broken up. */
void emit_comment_lines(Text *out, const char *prefix, const char *text);

/* ---- numbers ---- */
void emit_int(Text *out, int64_t value);               /* int64 constant expression */
void emit_float(Text *out, double value, DType dtype); /* exact; f16, bf16, f32 as float */
uint16_t emit_half_bits(double value, DType dtype);    /* nearest, even */

/* ---- dims ---- */
/* The C name of a symbol. */
typedef const char *(*SymbolText)(void *user, const DimSymbol *symbol);
void emit_dim(Text *out, const Dim *d, SymbolText name, void *user);
/* Like emit_dim, but saturating at INT64_MAX: for sizes from a caller's dims. */
void emit_dim_saturating(Text *out, const Dim *d, SymbolText name, void *user);
/* Needs a pair of parentheses when it is an operand. */
bool emit_dim_is_atom(const Dim *d);

/* ---- the C interface ---- */
const char *emit_c_type(DType dtype);    /* storage: "float", "uint8_t" */
const char *emit_abi_dtype(DType dtype); /* "NNC_F32" */

/* C names of one entry's parameters, without clashes. */
typedef struct EntryNames {
    const Entry *entry;
    const char **dims;      /* [entry->dims.count] */
    const char **arguments; /* [entry->arguments.count] */
    const char **results;
} EntryNames;
EntryNames *entry_names(Arena *arena, const Entry *entry);
/* SymbolText over an EntryNames. */
const char *entry_symbol_text(void *user, const DimSymbol *symbol);
/* "int f(nnc_context *ctx, int64_t N, const float *x, float *output)" without the semicolon. */
void emit_entry_signature(Text *out, const EmitOptions *options, const Root *root,
                          const EntryNames *names);
/* The public name of the root's entry of a kind, or NULL. */
const KernelEntry *root_entry(const RootPlan *root, EntryKind kind);
/* "int64_t N, int64_t T", or "void" when there are none. */
void emit_dim_parameters(Text *out, const char *const *names, int count, const char *none);
/* C names of the state dims of a root. */
const char **root_state_names(Arena *arena, const RootPlan *root);
/* Total bytes of the workspace of an entry: arena and one slice of scratch per worker. */
bool entry_workspace_constant(const EntryPlan *entry, int64_t *arena, int64_t *scratch);
/* A fixed text of templates/ without its includes of other templates. */
void emit_template(Text *out, const char *name);
/* Files that use those before them, without the sections that neither `behind`, which is to follow,
 * nor a later section uses. */
void emit_template_sections(Text *out, const char *const *names, int count, const Text *behind);

#endif
