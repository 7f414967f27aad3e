/* Weights files in and out of a context.
 * Input: a safetensors file.  Output: the model's parameters and buffers, or such a file.
 * Invariants: every saved cell gets exactly one tensor, under one of its names, after at most one
 * prefix is taken off or put on; everything is checked before the first cell is written. */
#include "nncrt_model.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How a file's keys are read: `take` is cut off the file's keys, `put` is set before them. */
typedef struct Prefix {
    char take[512], put[512];
} Prefix;

static int name_count(const nnc_cell_info *cell) {
    int count = 1;
    for (const char *const *alias = cell->aliases; alias && *alias; ++alias) ++count;
    return count;
}

static const char *name_at(const nnc_cell_info *cell, int i) {
    return i == 0 ? cell->name : cell->aliases[i - 1];
}

static bool ends_with_member(const char *text, const char *tail, size_t *head) {
    size_t length = strlen(text), tail_length = strlen(tail);
    if (length <= tail_length || strcmp(text + length - tail_length, tail) != 0) return false;
    *head = length - tail_length;
    return text[*head - 1] == '.';
}

/* The tensor that the file has for a model's name, or NULL. */
static const NncArray *find_named(const NncTensorFile *file, const Prefix *prefix,
                                  const char *name) {
    char key[2048];
    size_t put = strlen(prefix->put);
    if (strncmp(name, prefix->put, put) != 0) return NULL;
    int used = snprintf(key, sizeof key, "%s%s", prefix->take, name + put);
    if (used < 0 || (size_t)used >= sizeof key) return NULL;
    return nnc_tensor_file_find(file, key);
}

/* The model's name for a file's key, in `text`; NULL when the key lies outside `take`. */
static const char *model_name(const Prefix *prefix, const char *key, char *text, size_t size) {
    size_t take = strlen(prefix->take);
    if (strncmp(key, prefix->take, take) != 0) return NULL;
    int used = snprintf(text, size, "%s%s", prefix->put, key + take);
    return used < 0 || (size_t)used >= size ? NULL : text;
}

static bool is_model_name(const nnc_model *model, const char *name) {
    for (int c = 0; c < model->cell_count; ++c) {
        if (!model->cells[c].saved) continue;
        for (int i = 0; i < name_count(&model->cells[c]); ++i)
            if (strcmp(name_at(&model->cells[c], i), name) == 0) return true;
    }
    return false;
}

static bool matches_any(const char *const *patterns, const char *name) {
    for (; patterns && *patterns; ++patterns)
        if (fnmatch(*patterns, name, 0) == 0) return true;
    return false;
}

typedef struct Match {
    int missing, extra;
} Match;

/* Files of this runtime may hold more than the model (optimizer state, other members of
 * a block). */
static bool extra_is_fine(const NncTensorFile *file, const Prefix *prefix, const char *key,
                          const char *name, const NncLoadOptions *options) {
    if (options && matches_any(options->allow_extra, key)) return true;
    if (options && name && matches_any(options->allow_extra, name)) return true;
    if (options && options->prefix && !name) return true;
    if (!nnc_tensor_file_is_ours(file)) return false;
    if (!name) return true;
    const char *kind = nnc_tensor_file_metadata(file, "nnc.kind");
    return !prefix->take[0] && !prefix->put[0] && kind && strcmp(kind, "checkpoint") == 0;
}

static Match match_prefix(const nnc_model *model, const NncTensorFile *file, const Prefix *prefix,
                          const NncLoadOptions *options) {
    Match match = {0};
    for (int c = 0; c < model->cell_count; ++c) {
        const nnc_cell_info *cell = &model->cells[c];
        bool found = !cell->saved;
        for (int i = 0; !found && i < name_count(cell); ++i)
            found = find_named(file, prefix, name_at(cell, i)) != NULL;
        if (!found && !(options && matches_any(options->allow_missing, cell->name)))
            ++match.missing;
    }
    for (int t = 0; t < file->count; ++t) {
        char text[2048];
        const char *key = file->tensors[t].name, *name = model_name(prefix, key, text, sizeof text);
        if (name && is_model_name(model, name)) continue;
        if (!extra_is_fine(file, prefix, key, name, options)) ++match.extra;
    }
    return match;
}

static void describe_cell(NncText *out, const nnc_model *model, const nnc_cell_info *cell) {
    char shape[256];
    nnc_text_format(out, "%s %s (%s:%d)", cell->name,
                    nnc_array_describe(shape, sizeof shape, cell->dtype, cell->rank, cell->dims),
                    model->source, cell->line);
}

enum { LISTED = 12 };

static bool fail_match(const nnc_model *model, const NncTensorFile *file, const Prefix *prefix,
                       const NncLoadOptions *options, Match match, NncError *error) {
    NncText text = {0};
    nnc_text_format(&text, "the file does not fit the model '%s'", model->name);
    if (prefix->take[0]) nnc_text_format(&text, " (after taking '%s' off its keys)", prefix->take);
    if (prefix->put[0])
        nnc_text_format(&text, " (after putting '%s' before its keys)", prefix->put);
    int listed = 0;
    if (match.missing) nnc_text_format(&text, "\n  missing (%d):", match.missing);
    for (int c = 0; match.missing && c < model->cell_count; ++c) {
        const nnc_cell_info *cell = &model->cells[c];
        bool found = !cell->saved || (options && matches_any(options->allow_missing, cell->name));
        for (int i = 0; !found && i < name_count(cell); ++i)
            found = find_named(file, prefix, name_at(cell, i)) != NULL;
        if (found) continue;
        if (++listed > LISTED) break;
        nnc_text_add(&text, "\n    ");
        describe_cell(&text, model, cell);
    }
    if (listed > LISTED) nnc_text_format(&text, "\n    … and %d more", match.missing - LISTED);
    listed = 0;
    if (match.extra) nnc_text_format(&text, "\n  unexpected (%d):", match.extra);
    for (int t = 0; match.extra && t < file->count; ++t) {
        char buffer[2048], shape[256];
        const NncArray *tensor = &file->tensors[t];
        const char *name = model_name(prefix, tensor->name, buffer, sizeof buffer);
        if (name && is_model_name(model, name)) continue;
        if (extra_is_fine(file, prefix, tensor->name, name, options)) continue;
        if (++listed > LISTED) break;
        nnc_text_format(
            &text, "\n    %s %s", tensor->name,
            nnc_array_describe(shape, sizeof shape, tensor->dtype, tensor->rank, tensor->dims));
    }
    if (listed > LISTED) nnc_text_format(&text, "\n    … and %d more", match.extra - LISTED);
    nnc_fail(error, "%s", text.data ? text.data : "");
    if (text.failed) nnc_fail_memory(error, text.length);
    nnc_text_free(&text);
    return false;
}

typedef struct Search {
    Prefix best, exact;
    Match best_match;
    int exact_count;
} Search;

static void try_prefix(const nnc_model *model, const NncTensorFile *file,
                       const NncLoadOptions *options, const char *take, size_t take_length,
                       const char *put, size_t put_length, Search *search) {
    Prefix prefix = {{0}, {0}};
    if (take_length >= sizeof prefix.take || put_length >= sizeof prefix.put) return;
    memcpy(prefix.take, take, take_length);
    memcpy(prefix.put, put, put_length);
    Match match = match_prefix(model, file, &prefix, options);
    if (match.missing == 0 && match.extra == 0) {
        if (search->exact_count && strcmp(search->exact.take, prefix.take) == 0 &&
            strcmp(search->exact.put, prefix.put) == 0)
            return;
        search->exact = prefix;
        ++search->exact_count;
    }
    if (match.missing + match.extra < search->best_match.missing + search->best_match.extra) {
        search->best = prefix;
        search->best_match = match;
    }
}

static bool find_prefix(const nnc_model *model, const NncTensorFile *file,
                        const NncLoadOptions *options, Prefix *out, NncError *error) {
    Search search = {0};
    search.best_match.missing = 1 << 28;
    if (options && options->prefix) {
        char take[sizeof search.best.take];
        int used = snprintf(take, sizeof take, "%s.", options->prefix);
        if (used < 0 || (size_t)used >= sizeof take)
            return nnc_fail(error, "the prefix of the keys is too long");
        try_prefix(model, file, options, take, (size_t)used, "", 0, &search);
        if (search.exact_count == 0)
            return fail_match(model, file, &search.best, options, search.best_match, error);
        *out = search.exact;
        return true;
    }
    try_prefix(model, file, options, "", 0, "", 0, &search);
    int first = 0;
    while (first < model->cell_count && !model->cells[first].saved) ++first;
    if (search.exact_count == 0 && first < model->cell_count) {
        size_t head;
        for (int i = 0; i < name_count(&model->cells[first]); ++i)
            for (int t = 0; t < file->count; ++t)
                if (ends_with_member(file->tensors[t].name, name_at(&model->cells[first], i),
                                     &head))
                    try_prefix(model, file, options, file->tensors[t].name, head, "", 0, &search);
        for (int c = first; file->count && c < model->cell_count; ++c)
            for (int i = 0; model->cells[c].saved && i < name_count(&model->cells[c]); ++i) {
                const char *name = name_at(&model->cells[c], i);
                if (ends_with_member(name, file->tensors[0].name, &head))
                    try_prefix(model, file, options, "", 0, name, head, &search);
            }
    }
    if (search.exact_count > 1)
        return nnc_fail(
            error,
            "the file fits the model under more than one prefix; say which with FILE:PREFIX");
    if (search.exact_count == 0)
        return fail_match(model, file, &search.best, options, search.best_match, error);
    *out = search.exact;
    return true;
}

/* Shape and dtype of what was found; aliases in the file hold the same values. */
static bool check_cell(const NncSession *session, const nnc_cell_info *cell,
                       const NncTensorFile *file, const Prefix *prefix, const NncArray **out,
                       NncText *problems) {
    int64_t dims[NNC_MAX_RANK];
    nnc_session_cell_dims(session, cell, dims);
    *out = NULL;
    for (int i = 0; i < name_count(cell); ++i) {
        const NncArray *tensor = find_named(file, prefix, name_at(cell, i));
        if (!tensor) continue;
        bool same = tensor->rank == cell->rank;
        for (int d = 0; same && d < cell->rank; ++d) same = tensor->dims[d] == dims[d];
        bool dtype = tensor->dtype == cell->dtype ||
                     (nnc_dtype_is_float(tensor->dtype) && nnc_dtype_is_float(cell->dtype));
        if (!same || !dtype) {
            char expected[256], given[256];
            nnc_text_format(
                problems, "\n    %s is %s (%s:%d), the file has %s", name_at(cell, i),
                nnc_array_describe(expected, sizeof expected, cell->dtype, cell->rank, dims),
                session->model->source, cell->line,
                nnc_array_describe(given, sizeof given, tensor->dtype, tensor->rank, tensor->dims));
            return false;
        }
        if (*out && ((*out)->dtype != tensor->dtype ||
                     memcmp((*out)->data, tensor->data, tensor->bytes) != 0)) {
            nnc_text_format(
                problems,
                "\n    %s and %s are one tensor in the model (%s:%d), but differ in the file",
                cell->name, name_at(cell, i), session->model->source, cell->line);
            return false;
        }
        if (!*out) *out = tensor;
    }
    return true;
}

bool nnc_weights_load(NncSession *session, const NncTensorFile *file, const NncLoadOptions *options,
                      NncError *error) {
    const nnc_model *model = session->model;
    Prefix prefix;
    if (!find_prefix(model, file, options, &prefix, error)) return false;
    const NncArray **found = nnc_allocate_zeroed((size_t)model->cell_count * sizeof *found, error);
    if (!found) return false;
    NncText problems = {0};
    size_t largest = 0;
    for (int c = 0; c < model->cell_count; ++c) {
        if (!model->cells[c].saved) continue;
        check_cell(session, &model->cells[c], file, &prefix, &found[c], &problems);
        if (found[c]) {
            size_t count = found[c]->bytes / nnc_dtype_bytes(found[c]->dtype);
            size_t bytes = count * nnc_dtype_bytes(model->cells[c].dtype);
            if (bytes > largest) largest = bytes;
        }
    }
    bool good = !problems.length && !problems.failed;
    if (!good)
        nnc_fail(error, "the file does not fit the model '%s'%s", model->name,
                 problems.data ? problems.data : "");
    if (problems.failed) nnc_fail_memory(error, problems.length);
    nnc_text_free(&problems);
    void *converted = good ? nnc_allocate(largest, error) : NULL;
    good = converted != NULL;
    for (int c = 0; good && c < model->cell_count; ++c) {
        if (!found[c]) continue;
        const nnc_cell_info *cell = &model->cells[c];
        size_t count = found[c]->bytes / nnc_dtype_bytes(found[c]->dtype);
        good = nnc_convert(cell->dtype, converted, found[c]->dtype, found[c]->data, count) &&
               nnc_session_set(session, c, converted, count * nnc_dtype_bytes(cell->dtype), error);
    }
    nnc_release(converted);
    nnc_release(found);
    return good;
}

bool nnc_weights_load_file(NncSession *session, const char *path, const NncLoadOptions *options,
                           NncError *error) {
    NncTensorFile file;
    NncLoadOptions own = options ? *options : (NncLoadOptions){0};
    const char *colon = strrchr(path, ':'), *slash = strrchr(path, '/');
    bool named = colon && colon[1] && (!slash || slash < colon) && access(path, F_OK) != 0;
    size_t length = named ? (size_t)(colon - path) : strlen(path);
    char *plain = nnc_allocate(length + 1, error);
    if (!plain) return false;
    memcpy(plain, path, length);
    plain[length] = 0;
    if (named) own.prefix = colon + 1;
    bool read = nnc_safetensors_read(plain, &file, error);
    bool good = read && (!nnc_tensor_file_is_ours(&file) || nnc_tensor_file_verify(&file, error)) &&
                nnc_weights_load(session, &file, options || named ? &own : NULL, error);
    if (read) nnc_tensor_file_free(&file);
    if (read && !good) nnc_fail_in(error, plain);
    nnc_release(plain);
    return good;
}

bool nnc_weights_save(const NncSession *session, const char *path, NncError *error) {
    const nnc_model *model = session->model;
    size_t names = 0;
    for (int c = 0; c < model->cell_count; ++c)
        if (model->cells[c].saved) names += (size_t)name_count(&model->cells[c]);
    NncArray *arrays =
        nnc_allocate_zeroed((names + (size_t)model->cell_count) * sizeof *arrays, error);
    if (!arrays) return false;
    NncArray *owners = arrays + names;
    int count = 0;
    bool good = true;
    for (int c = 0; good && c < model->cell_count; ++c) {
        const nnc_cell_info *cell = &model->cells[c];
        bool none;
        if (!cell->saved) continue;
        good = nnc_session_get(session, c, &owners[c], &none, error);
        for (int i = 0; good && i < name_count(cell); ++i) {
            arrays[count] = owners[c];
            arrays[count].owned = false;
            arrays[count++].name = (char *)(uintptr_t)name_at(cell, i);
        }
    }
    /* "format" is what other readers of safetensors look for. */
    NncPair metadata[] = {{"format", "pt"}, {"nnc.kind", "weights"}};
    good = good && nnc_tensor_file_write_stamped(path, arrays, count, metadata, 2, error);
    for (int c = 0; c < model->cell_count; ++c) nnc_array_free(&owners[c]);
    nnc_release(arrays);
    return good;
}

bool nnc_weights_are_finite(const NncSession *session, const char **name) {
    const nnc_model *model = session->model;
    *name = NULL;
    for (int c = 0; c < model->cell_count; ++c) {
        const nnc_cell_info *cell = &model->cells[c];
        NncArray array;
        NncError ignored;
        bool none, finite = true;
        if (!cell->saved || !nnc_dtype_is_float(cell->dtype)) continue;
        if (!nnc_session_get(session, c, &array, &none, &ignored)) continue;
        size_t count = array.bytes / nnc_dtype_bytes(array.dtype);
        for (size_t i = 0; finite && i < count; ++i)
            finite = isfinite(nnc_element_get(array.dtype, array.data, i));
        nnc_array_free(&array);
        if (!finite) {
            *name = cell->name;
            return false;
        }
    }
    return true;
}
