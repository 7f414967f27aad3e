/* Checkpoints: every cell, seed, step counter and the caller's pairs in one safetensors file.
 * Invariants: version and one checksum per tensor and one over the header's meaning are in the
 * metadata; a damaged file is refused before any cell is written; what is restored has the same
 * bits. */
#include "nncrt_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FORMAT_VERSION "1"
#define SUM_PREFIX "nnc.crc32."
#define HEADER_SUM "nnc.crc32"

static uint32_t sum_bytes(uint32_t sum, const void *data, size_t length) {
    const unsigned char *bytes = data;
    while (length > 0) {
        uInt part = length < (1u << 30) ? (uInt)length : 1u << 30;
        sum = (uint32_t)crc32(sum, bytes, part);
        bytes += part;
        length -= part;
    }
    return sum;
}

static uint32_t sum_text(uint32_t sum, const char *text) {
    return sum_bytes(sum, text, strlen(text) + 1);
}

static int compare_array_pointers(const void *left, const void *right) {
    return strcmp((*(const NncArray *const *)left)->name, (*(const NncArray *const *)right)->name);
}

static int compare_pair_pointers(const void *left, const void *right) {
    return strcmp((*(const NncPair *const *)left)->key, (*(const NncPair *const *)right)->key);
}

/* Checksum of what the header says: names, dtypes, shapes and metadata, in sorted order. */
static uint32_t sum_header(const NncArray **tensors, int count, const NncPair **pairs,
                           int pair_count) {
    uint32_t sum = 0;
    char text[512];
    for (int i = 0; i < count; ++i) {
        sum = sum_text(sum, tensors[i]->name);
        sum = sum_text(sum, nnc_array_describe(text, sizeof text, tensors[i]->dtype,
                                               tensors[i]->rank, tensors[i]->dims));
    }
    for (int i = 0; i < pair_count; ++i) {
        if (strcmp(pairs[i]->key, HEADER_SUM) == 0) continue;
        sum = sum_text(sum, pairs[i]->key);
        sum = sum_text(sum, pairs[i]->value);
    }
    return sum;
}

typedef struct Sorted {
    const NncArray **tensors;
    const NncPair **pairs;
} Sorted;

static bool sort_contents(const NncArray *tensors, int count, const NncPair *pairs, int pair_count,
                          Sorted *out, NncError *error) {
    out->tensors = nnc_allocate((size_t)count * sizeof *out->tensors, error);
    out->pairs = nnc_allocate((size_t)pair_count * sizeof *out->pairs, error);
    if (!out->tensors || !out->pairs) return false;
    for (int i = 0; i < count; ++i) out->tensors[i] = &tensors[i];
    for (int i = 0; i < pair_count; ++i) out->pairs[i] = &pairs[i];
    if (count) qsort(out->tensors, (size_t)count, sizeof *out->tensors, compare_array_pointers);
    if (pair_count)
        qsort(out->pairs, (size_t)pair_count, sizeof *out->pairs, compare_pair_pointers);
    return true;
}

static void free_sorted(Sorted *sorted) {
    nnc_release(sorted->tensors);
    nnc_release(sorted->pairs);
}

static void format_sum(char out[9], uint32_t sum) {
    snprintf(out, 9, "%08" PRIx32, sum);
}

bool nnc_tensor_file_write_stamped(const char *path, const NncArray *tensors, int count,
                                   const NncPair *metadata, int metadata_count, NncError *error) {
    size_t total = (size_t)count + (size_t)metadata_count + 2;
    NncPair *pairs = nnc_allocate_zeroed(total * sizeof *pairs, error);
    char(*sums)[9] = nnc_allocate(((size_t)count + 1) * sizeof *sums, error);
    char **keys = nnc_allocate_zeroed((size_t)count * sizeof *keys, error);
    bool good = pairs && sums && keys;
    int used = 0;
    if (good) {
        for (int i = 0; i < metadata_count; ++i) pairs[used++] = metadata[i];
        pairs[used++] = (NncPair){"nnc.version", FORMAT_VERSION};
    }
    for (int i = 0; good && i < count; ++i) {
        size_t length = sizeof SUM_PREFIX + strlen(tensors[i].name);
        keys[i] = nnc_allocate(length, error);
        good = keys[i] != NULL;
        if (!good) break;
        snprintf(keys[i], length, "%s%s", SUM_PREFIX, tensors[i].name);
        format_sum(sums[i], sum_bytes(0, tensors[i].data, tensors[i].bytes));
        pairs[used++] = (NncPair){keys[i], sums[i]};
    }
    if (good) {
        Sorted sorted = {0};
        good = sort_contents(tensors, count, pairs, used, &sorted, error);
        if (good) {
            format_sum(sums[count], sum_header(sorted.tensors, count, sorted.pairs, used));
            pairs[used++] = (NncPair){HEADER_SUM, sums[count]};
        }
        free_sorted(&sorted);
    }
    good = good && nnc_safetensors_write(path, tensors, count, pairs, used, error);
    for (int i = 0; keys && i < count; ++i) nnc_release(keys[i]);
    nnc_release(keys);
    nnc_release(sums);
    nnc_release(pairs);
    return good;
}

bool nnc_tensor_file_is_ours(const NncTensorFile *file) {
    return nnc_tensor_file_metadata(file, "nnc.version") != NULL;
}

bool nnc_tensor_file_verify(const NncTensorFile *file, NncError *error) {
    const char *version = nnc_tensor_file_metadata(file, "nnc.version");
    const char *stored = nnc_tensor_file_metadata(file, HEADER_SUM);
    char text[9];
    if (!version || !stored) return nnc_fail(error, "the file has no checksums");
    if (strcmp(version, FORMAT_VERSION) != 0)
        return nnc_fail(error, "the file has version %s of the format, this runtime reads %s",
                        version, FORMAT_VERSION);
    Sorted sorted = {0};
    bool good = sort_contents(file->tensors, file->count, file->metadata, file->metadata_count,
                              &sorted, error);
    if (good) {
        format_sum(text,
                   sum_header(sorted.tensors, file->count, sorted.pairs, file->metadata_count));
        if (strcmp(text, stored) != 0)
            good = nnc_fail(error, "the file is damaged: its header's checksum is wrong");
    }
    free_sorted(&sorted);
    NncText key = {0};
    for (int i = 0; good && i < file->count; ++i) {
        key.length = 0;
        nnc_text_format(&key, "%s%s", SUM_PREFIX, file->tensors[i].name);
        if (key.failed) {
            good = nnc_fail_memory(error, key.length);
            break;
        }
        stored = nnc_tensor_file_metadata(file, key.data);
        format_sum(text, sum_bytes(0, file->tensors[i].data, file->tensors[i].bytes));
        if (!stored || strcmp(stored, text) != 0)
            good = nnc_fail(error, "the file is damaged: the checksum of tensor '%s' is wrong",
                            file->tensors[i].name);
    }
    nnc_text_free(&key);
    return good;
}

bool nnc_checkpoint_save(const NncSession *session, const char *path, const NncPair *pairs,
                         int count, NncError *error) {
    const nnc_model *model = session->model;
    NncArray *arrays = nnc_allocate_zeroed((size_t)model->cell_count * sizeof *arrays, error);
    NncPair *metadata = nnc_allocate_zeroed(((size_t)count + 5) * sizeof *metadata, error);
    char seed[32], step[32];
    NncText dims = {0};
    int used = 0, stored = 0;
    bool good = arrays && metadata;
    for (int c = 0; good && c < model->cell_count; ++c) {
        bool none;
        if (!nnc_session_get(session, c, &arrays[stored], &none, error)) {
            good = none;
            continue;
        }
        arrays[stored].name = (char *)(uintptr_t)model->cells[c].name;
        ++stored;
    }
    if (good) {
        snprintf(seed, sizeof seed, "%" PRIu64, session->context.seed);
        snprintf(step, sizeof step, "%" PRIu64, session->context.step);
        nnc_text_add(&dims, "");
        for (int i = 0; i < model->init_dim_count; ++i)
            nnc_text_format(&dims, "%s%" PRId64, i ? "," : "", session->init_dims[i]);
        metadata[used++] = (NncPair){"nnc.kind", "checkpoint"};
        metadata[used++] = (NncPair){"nnc.model", (char *)(uintptr_t)model->name};
        metadata[used++] = (NncPair){"nnc.seed", seed};
        metadata[used++] = (NncPair){"nnc.step", step};
        metadata[used++] = (NncPair){"nnc.init_dims", dims.data};
        for (int i = 0; good && i < count; ++i) {
            size_t length = strlen(pairs[i].key) + 6;
            char *key = nnc_allocate(length, error);
            good = key != NULL;
            if (!good) break;
            snprintf(key, length, "user.%s", pairs[i].key);
            metadata[used++] = (NncPair){key, pairs[i].value};
        }
        if (good && dims.failed) good = nnc_fail_memory(error, dims.length);
        good = good && nnc_tensor_file_write_stamped(path, arrays, stored, metadata, used, error);
        for (int i = 5; i < used; ++i) nnc_release(metadata[i].key);
    }
    for (int i = 0; arrays && i < stored; ++i) {
        arrays[i].name = NULL; /* the model's */
        nnc_array_free(&arrays[i]);
    }
    nnc_text_free(&dims);
    nnc_release(arrays);
    nnc_release(metadata);
    return good;
}

bool nnc_checkpoint_read(const char *path, NncTensorFile *file, NncError *error) {
    if (!nnc_safetensors_read(path, file, error)) return false;
    const char *kind = nnc_tensor_file_metadata(file, "nnc.kind");
    bool good;
    if (!kind || strcmp(kind, "checkpoint") != 0)
        good = nnc_fail(error, "not a checkpoint; weights alone are loaded with --weights");
    else
        good = nnc_tensor_file_verify(file, error);
    if (!good) {
        nnc_tensor_file_free(file);
        return nnc_fail_in(error, path);
    }
    return true;
}

const char *nnc_checkpoint_pair(const NncTensorFile *file, const char *key) {
    for (int i = 0; i < file->metadata_count; ++i)
        if (strncmp(file->metadata[i].key, "user.", 5) == 0 &&
            strcmp(file->metadata[i].key + 5, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

static bool read_number(const NncTensorFile *file, const char *key, uint64_t *out,
                        NncError *error) {
    const char *text = nnc_tensor_file_metadata(file, key);
    char *end = NULL;
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return nnc_fail(error, "the checkpoint has no valid '%s'", key);
    *out = value;
    return true;
}

bool nnc_checkpoint_init_dims(const NncTensorFile *file, int64_t *dims, int count,
                              NncError *error) {
    const char *text = nnc_tensor_file_metadata(file, "nnc.init_dims");
    for (int i = 0; text && i < count; ++i) {
        char *end;
        errno = 0;
        dims[i] = strtoll(text, &end, 10);
        bool last = i + 1 == count;
        if (end == text || errno || dims[i] < 0 || *end != (last ? 0 : ','))
            text = NULL;
        else
            text = end + !last;
    }
    if (!text || (count == 0 && *text))
        return nnc_fail(error, "the checkpoint's init dims do not fit the model");
    return true;
}

/* The state has the sizes that it had when the checkpoint was made. */
static bool same_init_dims(const NncSession *session, const NncTensorFile *file, NncError *error) {
    const nnc_model *model = session->model;
    int64_t *dims = nnc_allocate_zeroed((size_t)model->init_dim_count * sizeof *dims, error);
    bool good = dims && nnc_checkpoint_init_dims(file, dims, model->init_dim_count, error);
    for (int i = 0; good && i < model->init_dim_count; ++i)
        if (dims[i] != session->init_dims[i])
            good = nnc_fail(
                error,
                "the checkpoint's state was made for %s = %" PRId64 ", this one for %" PRId64,
                model->init_dims ? model->init_dims[i] : "a dim", dims[i], session->init_dims[i]);
    nnc_release(dims);
    return good;
}

bool nnc_checkpoint_restore(NncSession *session, const NncTensorFile *file, NncError *error) {
    const nnc_model *model = session->model;
    uint64_t seed = 0, step = 0;
    const char *name = nnc_tensor_file_metadata(file, "nnc.model");
    if (!name || strcmp(name, model->name) != 0)
        return nnc_fail(error, "the checkpoint is of model '%s', this is '%s'", name ? name : "?",
                        model->name);
    if (!read_number(file, "nnc.seed", &seed, error) ||
        !read_number(file, "nnc.step", &step, error))
        return false;
    if (!same_init_dims(session, file, error)) return false;
    int used = 0;
    for (int c = 0; c < model->cell_count; ++c) {
        const nnc_cell_info *cell = &model->cells[c];
        const NncArray *array = nnc_tensor_file_find(file, cell->name);
        int64_t dims[NNC_MAX_RANK];
        char expected[256], given[256];
        if (!array && cell->role == NNC_GRADIENT) continue;
        nnc_session_cell_dims(session, cell, dims);
        nnc_array_describe(expected, sizeof expected, cell->dtype, cell->rank, dims);
        if (!array)
            return nnc_fail(error, "the checkpoint lacks %s %s (%s:%d)", cell->name, expected,
                            model->source, cell->line);
        nnc_array_describe(given, sizeof given, array->dtype, array->rank, array->dims);
        if (strcmp(expected, given) != 0)
            return nnc_fail(error, "%s is %s (%s:%d), the checkpoint has %s", cell->name, expected,
                            model->source, cell->line, given);
        ++used;
    }
    if (used != file->count)
        for (int t = 0; t < file->count; ++t) {
            bool known = false;
            for (int c = 0; c < model->cell_count && !known; ++c)
                known = strcmp(model->cells[c].name, file->tensors[t].name) == 0;
            if (!known)
                return nnc_fail(error, "the checkpoint has '%s', which the model has not",
                                file->tensors[t].name);
        }
    for (int c = 0; c < model->cell_count; ++c) {
        const NncArray *array = nnc_tensor_file_find(file, model->cells[c].name);
        if (!nnc_session_set(session, c, array ? array->data : NULL, array ? array->bytes : 0,
                             error))
            return false;
    }
    session->context.seed = seed;
    session->context.step = step;
    return true;
}
