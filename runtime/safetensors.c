/* safetensors: strict reader and canonical writer.
 * Input: the bytes of a file, or arrays.  Output: named arrays sorted by name, or a file.
 * Invariants: nothing is allocated before its size was checked against the file's; data ranges tile
 * the buffer exactly (no holes, no overlap, no trailing bytes); names are unique; JSON is valid
 * UTF-8. */
#include "nncrt_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"

enum { HEADER_LIMIT = 100000000, RANK_LIMIT = 64, WRITE_ALIGNMENT = 64 };

/* Every dtype of the format; `ours` is -1 where this runtime has none. */
static const struct {
    const char *name;
    int bits, ours;
} format_dtypes[] = {
    {"BOOL", 8, NNC_BOOL},  {"U8", 8, NNC_U8},      {"I8", 8, NNC_I8},    {"I16", 16, NNC_I16},
    {"I32", 32, NNC_I32},   {"I64", 64, NNC_I64},   {"F16", 16, NNC_F16}, {"BF16", 16, NNC_BF16},
    {"F32", 32, NNC_F32},   {"F64", 64, NNC_F64},   {"U16", 16, -1},      {"U32", 32, -1},
    {"U64", 64, -1},        {"C64", 64, -1},        {"F4", 4, -1},        {"F6_E2M3", 6, -1},
    {"F6_E3M2", 6, -1},     {"F8_E5M2", 8, -1},     {"F8_E4M3", 8, -1},   {"F8_E8M0", 8, -1},
    {"F8_E4M3FNUZ", 8, -1}, {"F8_E5M2FNUZ", 8, -1},
};
enum { FORMAT_DTYPE_COUNT = sizeof format_dtypes / sizeof format_dtypes[0] };

static const char *format_name(int dtype) {
    for (int i = 0; i < FORMAT_DTYPE_COUNT; ++i)
        if (format_dtypes[i].ours == dtype) return format_dtypes[i].name;
    return "?";
}

/* One entry of the header. */
typedef struct Item {
    char *name;
    int format_dtype, rank;
    int64_t dims[RANK_LIMIT];
    uint64_t begin, end;
} Item;

typedef struct Reader {
    Json json;
    Item *items;
    size_t item_count, item_capacity;
    NncPair *pairs;
    size_t pair_count, pair_capacity;
} Reader;

static bool reserve(void **memory, size_t *capacity, size_t count, size_t size, NncError *error) {
    if (count < *capacity) return true;
    size_t larger = *capacity ? *capacity * 2 : 16, bytes;
    if (!nnc_multiply(larger, size, &bytes)) return nnc_fail(error, "too many entries");
    void *memory_new = nnc_reallocate(*memory, count * size, bytes, error);
    if (!memory_new) return false;
    *memory = memory_new;
    *capacity = larger;
    return true;
}

static bool read_metadata(Reader *reader) {
    Json *json = &reader->json;
    if (!json_expect(json, '{')) return false;
    if (json_accept(json, '}')) return true;
    do {
        if (!reserve((void **)&reader->pairs, &reader->pair_capacity, reader->pair_count,
                     sizeof(NncPair), json->error))
            return false;
        NncPair *pair = &reader->pairs[reader->pair_count];
        *pair = (NncPair){0};
        ++reader->pair_count;
        if (!json_string(json, &pair->key) || !json_expect(json, ':') ||
            !json_string(json, &pair->value))
            return false;
    } while (json_accept(json, ','));
    return json_expect(json, '}');
}

static bool read_dtype(Json *json, Item *item) {
    char *name;
    if (!json_string(json, &name)) return false;
    item->format_dtype = -1;
    for (int i = 0; i < FORMAT_DTYPE_COUNT; ++i)
        if (strcmp(format_dtypes[i].name, name) == 0) item->format_dtype = i;
    nnc_release(name);
    return item->format_dtype >= 0 || json_fail(json, "unknown dtype");
}

static bool read_shape(Json *json, Item *item) {
    if (!json_expect(json, '[')) return false;
    if (json_accept(json, ']')) return true;
    do {
        uint64_t dim;
        if (!json_unsigned(json, &dim)) return false;
        if (dim > INT64_MAX) return json_fail(json, "the dim is too large");
        if (item->rank == RANK_LIMIT) return json_fail(json, "too many dims");
        item->dims[item->rank++] = (int64_t)dim;
    } while (json_accept(json, ','));
    return json_expect(json, ']');
}

static bool read_offsets(Json *json, Item *item) {
    return json_expect(json, '[') && json_unsigned(json, &item->begin) && json_expect(json, ',') &&
           json_unsigned(json, &item->end) && json_expect(json, ']');
}

static bool read_item(Reader *reader, Item *item) {
    Json *json = &reader->json;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    if (!json_expect(json, '{')) return false;
    if (json_accept(json, '}'))
        return json_fail(json, "a tensor without dtype, shape and data_offsets");
    do {
        char *key;
        bool *seen = NULL, good = true;
        if (!json_string(json, &key)) return false;
        if (strcmp(key, "dtype") == 0)
            seen = &has_dtype;
        else if (strcmp(key, "shape") == 0)
            seen = &has_shape;
        else if (strcmp(key, "data_offsets") == 0)
            seen = &has_offsets;
        nnc_release(key);
        if (seen && *seen) good = json_fail(json, "a field is given twice");
        if (good) good = json_expect(json, ':');
        if (good) {
            if (seen == &has_dtype)
                good = read_dtype(json, item);
            else if (seen == &has_shape)
                good = read_shape(json, item);
            else if (seen == &has_offsets)
                good = read_offsets(json, item);
            else
                good = json_skip_value(json, 3);
        }
        if (!good) return false;
        if (seen) *seen = true;
    } while (json_accept(json, ','));
    if (!json_expect(json, '}')) return false;
    if (!has_dtype || !has_shape || !has_offsets)
        return json_fail(json, "a tensor needs dtype, shape and data_offsets");
    return true;
}

static bool read_header(Reader *reader) {
    Json *json = &reader->json;
    bool has_metadata = false;
    if (!json_expect(json, '{')) return false;
    if (!json_accept(json, '}')) {
        do {
            char *name;
            if (!json_string(json, &name)) return false;
            if (strcmp(name, "__metadata__") == 0) {
                nnc_release(name);
                if (has_metadata) return json_fail(json, "__metadata__ is given twice");
                has_metadata = true;
                if (!json_expect(json, ':') || !read_metadata(reader)) return false;
                continue;
            }
            if (!reserve((void **)&reader->items, &reader->item_capacity, reader->item_count,
                         sizeof(Item), json->error)) {
                nnc_release(name);
                return false;
            }
            Item *item = &reader->items[reader->item_count++];
            memset(item, 0, sizeof *item);
            item->name = name;
            if (!json_expect(json, ':') || !read_item(reader, item)) return false;
        } while (json_accept(json, ','));
        if (!json_expect(json, '}')) return false;
    }
    json_skip_space(json);
    if (json->position != json->length) return json_fail(json, "text after the header");
    return true;
}

static int compare_by_offset(const void *left, const void *right) {
    const Item *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_by_name(const void *left, const void *right) {
    return strcmp(((const Item *)left)->name, ((const Item *)right)->name);
}

static int compare_pairs(const void *left, const void *right) {
    return strcmp(((const NncPair *)left)->key, ((const NncPair *)right)->key);
}

/* Offsets tile [0, data_bytes) and agree with shape and dtype. */
static bool check_layout(Reader *reader, uint64_t data_bytes, NncError *error) {
    if (reader->item_count)
        qsort(reader->items, reader->item_count, sizeof(Item), compare_by_offset);
    uint64_t at = 0;
    for (size_t i = 0; i < reader->item_count; ++i) {
        const Item *item = &reader->items[i];
        if (item->begin != at)
            return nnc_fail(error,
                            "tensor '%s' begins at byte %" PRIu64
                            ", but the one before it ends at %" PRIu64,
                            item->name, item->begin, at);
        if (item->end < item->begin || item->end > data_bytes)
            return nnc_fail(error,
                            "tensor '%s' ends at byte %" PRIu64 "; the data has %" PRIu64 " bytes",
                            item->name, item->end, data_bytes);
        uint64_t bits = (uint64_t)format_dtypes[item->format_dtype].bits;
        bool empty = false;
        for (int d = 0; d < item->rank; ++d) {
            if (item->dims[d] == 0) empty = true;
            if (__builtin_mul_overflow(bits, (uint64_t)(item->dims[d] ? item->dims[d] : 1), &bits))
                return nnc_fail(error, "the shape of tensor '%s' overflows", item->name);
        }
        if (empty) bits = 0;
        if (bits % 8) return nnc_fail(error, "tensor '%s' does not fill whole bytes", item->name);
        if (item->end - item->begin != bits / 8)
            return nnc_fail(error,
                            "tensor '%s' has %" PRIu64 " bytes, its shape and dtype need %" PRIu64,
                            item->name, item->end - item->begin, bits / 8);
        at = item->end;
    }
    if (at != data_bytes)
        return nnc_fail(error,
                        "the tensors end at byte %" PRIu64 ", the data has %" PRIu64 " bytes", at,
                        data_bytes);
    return true;
}

static bool check_names(Reader *reader, NncError *error) {
    if (reader->item_count) qsort(reader->items, reader->item_count, sizeof(Item), compare_by_name);
    for (size_t i = 1; i < reader->item_count; ++i)
        if (strcmp(reader->items[i - 1].name, reader->items[i].name) == 0)
            return nnc_fail(error, "tensor '%s' is there twice", reader->items[i].name);
    if (reader->pair_count)
        qsort(reader->pairs, reader->pair_count, sizeof(NncPair), compare_pairs);
    for (size_t i = 1; i < reader->pair_count; ++i)
        if (strcmp(reader->pairs[i - 1].key, reader->pairs[i].key) == 0)
            return nnc_fail(error, "metadata '%s' is there twice", reader->pairs[i].key);
    return true;
}

static size_t round_up(size_t bytes) {
    return (bytes + 63) & ~(size_t)63;
}

/* Moves the checked items into `out`, each at an address that is a multiple of 64. */
static bool build_file(Reader *reader, const unsigned char *data, NncTensorFile *out,
                       NncError *error) {
    size_t total = 0;
    for (size_t i = 0; i < reader->item_count; ++i) {
        const Item *item = &reader->items[i];
        if (item->rank > NNC_MAX_RANK)
            return nnc_fail(error, "tensor '%s' has rank %d; at most %d is supported", item->name,
                            item->rank, NNC_MAX_RANK);
        size_t bytes = (size_t)(item->end - item->begin);
        if (bytes > SIZE_MAX - 64 || !nnc_add(total, round_up(bytes), &total))
            return nnc_fail(error, "the tensors do not fit in memory");
    }
    out->data = nnc_allocate(total, error);
    if (!out->data) return false;
    out->tensors = nnc_allocate_zeroed(reader->item_count * sizeof(NncArray), error);
    if (!out->tensors) return false;
    size_t at = 0;
    for (size_t i = 0; i < reader->item_count; ++i) {
        Item *item = &reader->items[i];
        NncArray *array = &out->tensors[i];
        array->dtype = format_dtypes[item->format_dtype].ours;
        array->rank = item->rank;
        memcpy(array->dims, item->dims, sizeof array->dims);
        array->bytes = (size_t)(item->end - item->begin);
        array->data = (char *)out->data + at;
        if (array->bytes) memcpy(array->data, data + item->begin, array->bytes);
        at += round_up(array->bytes);
        array->name = item->name;
        item->name = NULL;
        if (array->dtype == NNC_BOOL)
            for (size_t k = 0; k < array->bytes; ++k)
                if (((unsigned char *)array->data)[k] > 1) {
                    out->count = (int)i + 1;
                    return nnc_fail(error,
                                    "tensor '%s' is BOOL but holds a byte that is neither 0 nor 1",
                                    array->name);
                }
        out->count = (int)i + 1;
    }
    out->metadata = reader->pairs;
    out->metadata_count = (int)reader->pair_count;
    reader->pairs = NULL;
    reader->pair_count = 0;
    return true;
}

bool nnc_safetensors_parse(const void *bytes, size_t length, NncTensorFile *out, NncError *error) {
    *out = (NncTensorFile){0};
    const unsigned char *data = bytes;
    if (length < 8) return nnc_fail(error, "%zu bytes are too few for a safetensors file", length);
    uint64_t header = 0;
    for (int i = 7; i >= 0; --i) header = header << 8 | data[i];
    if (header > HEADER_LIMIT)
        return nnc_fail(error, "the header claims %" PRIu64 " bytes; at most %d are allowed",
                        header, HEADER_LIMIT);
    if (header > length - 8)
        return nnc_fail(error, "the header claims %" PRIu64 " bytes, the file has %zu", header,
                        length - 8);
    Reader reader = {.json = {data + 8, (size_t)header, 0, error}};
    bool good = read_header(&reader) && check_layout(&reader, length - 8 - header, error) &&
                check_names(&reader, error) && build_file(&reader, data + 8 + header, out, error);
    for (size_t i = 0; i < reader.item_count; ++i) nnc_release(reader.items[i].name);
    for (size_t i = 0; i < reader.pair_count; ++i) {
        nnc_release(reader.pairs[i].key);
        nnc_release(reader.pairs[i].value);
    }
    nnc_release(reader.items);
    nnc_release(reader.pairs);
    if (!good) nnc_tensor_file_free(out);
    return good;
}

bool nnc_safetensors_read(const char *path, NncTensorFile *out, NncError *error) {
    NncBytes bytes;
    *out = (NncTensorFile){0};
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    bool good = nnc_safetensors_parse(bytes.data, bytes.length, out, error);
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, path);
}

void nnc_tensor_file_free(NncTensorFile *file) {
    for (int i = 0; i < file->count; ++i) nnc_array_free(&file->tensors[i]);
    for (int i = 0; i < file->metadata_count; ++i) {
        nnc_release(file->metadata[i].key);
        nnc_release(file->metadata[i].value);
    }
    nnc_release(file->tensors);
    nnc_release(file->metadata);
    nnc_release(file->data);
    *file = (NncTensorFile){0};
}

const NncArray *nnc_tensor_file_find(const NncTensorFile *file, const char *name) {
    int low = 0, high = file->count;
    while (low < high) {
        int middle = low + (high - low) / 2, order = strcmp(file->tensors[middle].name, name);
        if (order == 0) return &file->tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *nnc_tensor_file_metadata(const NncTensorFile *file, const char *key) {
    for (int i = 0; i < file->metadata_count; ++i)
        if (strcmp(file->metadata[i].key, key) == 0) return file->metadata[i].value;
    return NULL;
}

/* Wider elements first, then by name: every tensor is aligned to its element. */
static int compare_for_writing(const void *left, const void *right) {
    const NncArray *a = *(const NncArray *const *)left, *b = *(const NncArray *const *)right;
    size_t wide = nnc_dtype_bytes(a->dtype), narrow = nnc_dtype_bytes(b->dtype);
    if (wide != narrow) return wide > narrow ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_pair_pointers(const void *left, const void *right) {
    return strcmp((*(const NncPair *const *)left)->key, (*(const NncPair *const *)right)->key);
}

static bool write_header(NncText *out, const NncArray **tensors, int count, const NncPair **pairs,
                         int pair_count, NncError *error) {
    nnc_text_add(out, "{");
    if (pair_count) {
        nnc_text_add(out, "\"__metadata__\":{");
        for (int i = 0; i < pair_count; ++i) {
            if (i && strcmp(pairs[i - 1]->key, pairs[i]->key) == 0)
                return nnc_fail(error, "metadata '%s' is given twice", pairs[i]->key);
            if (i) nnc_text_add(out, ",");
            json_write_string(out, pairs[i]->key);
            nnc_text_add(out, ":");
            json_write_string(out, pairs[i]->value);
        }
        nnc_text_add(out, "}");
    }
    size_t at = 0;
    for (int i = 0; i < count; ++i) {
        const NncArray *array = tensors[i];
        size_t elements, bytes, end;
        if (!nnc_shape_bytes(array->dtype, array->rank, array->dims, &elements, &bytes, error))
            return false;
        if (bytes != array->bytes || !nnc_add(at, bytes, &end))
            return nnc_fail(error, "tensor '%s' has %zu bytes, its shape needs %zu", array->name,
                            array->bytes, bytes);
        if (i || pair_count) nnc_text_add(out, ",");
        json_write_string(out, array->name);
        nnc_text_format(out, ":{\"dtype\":\"%s\",\"shape\":[", format_name(array->dtype));
        for (int d = 0; d < array->rank; ++d)
            nnc_text_format(out, "%s%" PRId64, d ? "," : "", array->dims[d]);
        nnc_text_format(out, "],\"data_offsets\":[%zu,%zu]}", at, end);
        at = end;
    }
    nnc_text_add(out, "}");
    while (!out->failed && (out->length + 8) % WRITE_ALIGNMENT) nnc_text_add(out, " ");
    if (out->failed) return nnc_fail_memory(error, out->length);
    if (out->length > HEADER_LIMIT) return nnc_fail(error, "the header is too large");
    return true;
}

bool nnc_safetensors_write(const char *path, const NncArray *tensors, int count,
                           const NncPair *metadata, int metadata_count, NncError *error) {
    const NncArray **order = nnc_allocate((size_t)count * sizeof *order, error);
    const NncPair **pairs = nnc_allocate((size_t)metadata_count * sizeof *pairs, error);
    NncBytes *parts = nnc_allocate(((size_t)count + 2) * sizeof *parts, error);
    NncText header = {0};
    bool good = order && pairs && parts;
    if (good) {
        for (int i = 0; i < count; ++i) order[i] = &tensors[i];
        for (int i = 0; i < metadata_count; ++i) pairs[i] = &metadata[i];
        if (count) qsort(order, (size_t)count, sizeof *order, compare_for_writing);
        if (metadata_count)
            qsort(pairs, (size_t)metadata_count, sizeof *pairs, compare_pair_pointers);
        good = write_header(&header, order, count, pairs, metadata_count, error);
        if (!good) nnc_fail_in(error, path);
    }
    if (good) {
        unsigned char length[8];
        for (int i = 0; i < 8; ++i) length[i] = (unsigned char)(header.length >> (8 * i));
        parts[0] = (NncBytes){length, 8};
        parts[1] = (NncBytes){(unsigned char *)header.data, header.length};
        for (int i = 0; i < count; ++i) parts[2 + i] = (NncBytes){order[i]->data, order[i]->bytes};
        good = nnc_file_write(path, parts, count + 2, error);
    }
    nnc_text_free(&header);
    nnc_release(order);
    nnc_release(pairs);
    nnc_release(parts);
    return good;
}
