/* Dims of an entry from the shapes of its inputs.
 * Input: the entry's table, arrays, --bind pairs.  Output: one value per dim.
 * Invariants: every dim is bound once and all uses agree; expressions are checked
 * through shape(). */
#include "nncrt_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *dim_name(const nnc_entry_info *entry, int64_t dim) {
    int64_t which = -1 - dim;
    return which >= 0 && which < entry->dim_count ? entry->dims[which] : "?";
}

char *nnc_describe_tensor(char *text, size_t size, const nnc_entry_info *entry,
                          const nnc_tensor_info *info) {
    size_t used = 0;
    int n = snprintf(text, size, "%s[", nnc_dtype_name(info->dtype));
    for (int i = 0; n >= 0 && i <= info->rank; ++i) {
        used += (size_t)n;
        if (used >= size) break;
        const char *comma = i ? ", " : "";
        if (i == info->rank)
            n = snprintf(text + used, size - used, "]");
        else if (info->dims[i] >= 0)
            n = snprintf(text + used, size - used, "%s%" PRId64, comma, info->dims[i]);
        else if (info->dims[i] == INT64_MIN)
            n = snprintf(text + used, size - used, "%s?", comma);
        else
            n = snprintf(text + used, size - used, "%s%s", comma, dim_name(entry, info->dims[i]));
    }
    return text;
}

static bool fail_shape(const nnc_entry_info *entry, const nnc_tensor_info *info,
                       const NncArray *array, NncError *error) {
    char expected[256], given[256];
    return nnc_fail(
        error, "input '%s' of %s is %s, but the array given is %s", info->name, entry->name,
        nnc_describe_tensor(expected, sizeof expected, entry, info),
        nnc_array_describe(given, sizeof given, array->dtype, array->rank, array->dims));
}

/* `from` says for each dim where its value comes from: "--bind", an argument's name, or NULL. */
static bool bind_from(const nnc_entry_info *entry, const NncArray *const *arguments,
                      const NncBinding *bindings, int binding_count, const char **from,
                      int64_t *dims, NncError *error) {
    for (int d = 0; d < entry->dim_count; ++d) {
        dims[d] = -1;
        for (int b = 0; b < binding_count; ++b)
            if (strcmp(bindings[b].name, entry->dims[d]) == 0) {
                if (bindings[b].value < 0)
                    return nnc_fail(error, "dim %s may not be negative", entry->dims[d]);
                dims[d] = bindings[b].value;
                from[d] = "--bind";
            }
    }
    for (int a = 0; a < entry->argument_count; ++a) {
        const nnc_tensor_info *info = &entry->arguments[a];
        const NncArray *array = arguments[a];
        if (!array) continue;
        if (array->dtype != info->dtype || array->rank != info->rank)
            return fail_shape(entry, info, array, error);
        for (int i = 0; i < info->rank; ++i) {
            int64_t dim = info->dims[i];
            if (dim >= 0) {
                if (array->dims[i] != dim) return fail_shape(entry, info, array, error);
            } else if (dim != INT64_MIN) {
                int64_t which = -1 - dim;
                if (which >= entry->dim_count)
                    return nnc_fail(error, "%s: bad dim table", entry->name);
                if (from[which] && dims[which] != array->dims[i]) {
                    fail_shape(entry, info, array, error);
                    nnc_error_add(error, "; %s is %" PRId64 " from %s%s%s", entry->dims[which],
                                  dims[which], from[which][0] == '-' ? "" : "input '", from[which],
                                  from[which][0] == '-' ? "" : "'");
                    return false;
                }
                dims[which] = array->dims[i];
                if (!from[which]) from[which] = info->name;
            }
        }
    }
    for (int d = 0; d < entry->dim_count; ++d)
        if (!from[d])
            return nnc_fail(error,
                            "dim %s of %s follows from no input; give it with --bind %s=NUMBER",
                            entry->dims[d], entry->name, entry->dims[d]);
    for (int a = 0; a < entry->argument_count; ++a) {
        int64_t shape[NNC_MAX_RANK];
        const nnc_tensor_info *info = &entry->arguments[a];
        if (!arguments[a]) continue;
        if (entry->shape(dims, a, shape) != NNC_OK)
            return nnc_fail(error, "the shape of input '%s' overflows", info->name);
        for (int i = 0; i < info->rank; ++i)
            if (shape[i] != arguments[a]->dims[i]) {
                fail_shape(entry, info, arguments[a], error);
                nnc_error_add(error, "; dim %d must be %" PRId64 " here", i, shape[i]);
                return false;
            }
    }
    return true;
}

bool nnc_bind_dims(const nnc_entry_info *entry, const NncArray *const *arguments,
                   const NncBinding *bindings, int binding_count, int64_t *dims, NncError *error) {
    const char **from = nnc_allocate_zeroed((size_t)entry->dim_count * sizeof *from, error);
    bool good = from && bind_from(entry, arguments, bindings, binding_count, from, dims, error);
    nnc_release(from);
    return good;
}

bool nnc_entry_array(const nnc_entry_info *entry, const int64_t *dims, int which, NncArray *out,
                     NncError *error) {
    const nnc_tensor_info *info = which < entry->argument_count
                                      ? &entry->arguments[which]
                                      : &entry->results[which - entry->argument_count];
    int64_t shape[NNC_MAX_RANK];
    *out = (NncArray){0};
    if (entry->shape(dims, which, shape) != NNC_OK)
        return nnc_fail(error, "the shape of '%s' overflows", info->name);
    return nnc_array_create(out, info->dtype, info->rank, shape, error) ||
           nnc_fail_in(error, info->name);
}
