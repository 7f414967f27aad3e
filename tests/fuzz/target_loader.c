/* The loaders of the runtime and its JSON reader: one row each; LOADER names the row of this
 * program.
 *
 * Promises: a refusal has a text; what is accepted is consistent with itself and every byte of it
 * can be read; no loader asks for more memory than the file can stand for; what verifies as ours
 * holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "fuzz.h"
#include "json.h"
#include "nncrt.h"
#include "runtime/linear_model.h"

typedef struct Loader {
    const char *name;
    void (*run)(const uint8_t *data, size_t size);
    /* After a mutation: puts sums right that would hide what lies behind them.  May be NULL. */
    size_t (*mend)(uint8_t *data, size_t size, size_t capacity, uint64_t *random);
    const char *const *words;
} Loader;

static void refused(const NncError *error) {
    if (!error->text[0]) fuzz_broken("refused without a text");
}

static void check_array(const NncArray *array) {
    size_t count, bytes;
    NncError error;
    if (array->dtype < 0) return;
    if (!nnc_shape_bytes(array->dtype, array->rank, array->dims, &count, &bytes, &error))
        fuzz_broken("accepted, but %s", error.text);
    if (bytes != array->bytes) fuzz_broken("%zu bytes for a shape of %zu", array->bytes, bytes);
    unsigned char all = 0;
    for (size_t i = 0; i < bytes; i++) all |= ((const unsigned char *)array->data)[i];
    if (array->dtype == NNC_BOOL && all > 1) fuzz_broken("a bool is neither 0 nor 1");
}

/* ---- arrays ---- */

typedef bool (*ArrayParser)(const void *bytes, size_t length, NncArray *out, NncError *error);

static void run_array(ArrayParser parse, const uint8_t *data, size_t size) {
    NncArray array;
    NncError error = {0};
    if (!parse(data, size, &array, &error)) {
        refused(&error);
        return;
    }
    check_array(&array);
    nnc_array_free(&array);
}

static void run_npy(const uint8_t *data, size_t size) {
    run_array(nnc_npy_parse, data, size);
}

static void run_idx(const uint8_t *data, size_t size) {
    run_array(nnc_idx_parse, data, size);
}

static const char *const csv_columns[] = {NULL, "0", "1..", "\"label\"..", "a..\"b\",0"};

static void run_csv(const uint8_t *data, size_t size) {
    static const int dtypes[] = {NNC_F64, NNC_I64, NNC_U8, NNC_F32, NNC_BOOL};
    for (int i = 0; i < 5; i++) {
        NncArray array;
        NncError error = {0};
        if (!nnc_csv_parse(data, size, i == 3 ? '\t' : ',', csv_columns[i], dtypes[i], &array,
                           &error)) {
            refused(&error);
            continue;
        }
        check_array(&array);
        nnc_array_free(&array);
    }
}

static bool parse_png(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_png_parse(bytes, length, 0, out, error);
}

static bool parse_png_gray(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_png_parse(bytes, length, 1, out, error);
}

static bool parse_png_color(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_png_parse(bytes, length, 3, out, error);
}

static void run_png(const uint8_t *data, size_t size) {
    run_array(parse_png, data, size);
    run_array(parse_png_gray, data, size);
    run_array(parse_png_color, data, size);
}

static bool parse_jpeg(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_jpeg_parse(bytes, length, 0, out, error);
}

static bool parse_jpeg_gray(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_jpeg_parse(bytes, length, 1, out, error);
}

static bool parse_jpeg_color(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_jpeg_parse(bytes, length, 3, out, error);
}

static void run_jpeg(const uint8_t *data, size_t size) {
    run_array(parse_jpeg, data, size);
    run_array(parse_jpeg_gray, data, size);
    run_array(parse_jpeg_color, data, size);
}

/* Compresses the bytes anew, as gzip or (without a header) as zlib. */
static size_t compress_bytes(int window, const uint8_t *from, size_t size, uint8_t *to,
                             size_t capacity) {
    z_stream stream = {0};
    if (deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    stream.next_in = (Bytef *)(uintptr_t)from;
    stream.avail_in = (uInt)size;
    stream.next_out = to;
    stream.avail_out = (uInt)capacity;
    int status = deflate(&stream, Z_FINISH);
    size_t got = capacity - stream.avail_out;
    deflateEnd(&stream);
    return status == Z_STREAM_END ? got : 0;
}

static size_t expand_bytes(int window, const uint8_t *from, size_t size, uint8_t *to,
                           size_t capacity) {
    z_stream stream = {0};
    if (inflateInit2(&stream, window) != Z_OK) return 0;
    stream.next_in = (Bytef *)(uintptr_t)from;
    stream.avail_in = (uInt)size;
    stream.next_out = to;
    stream.avail_out = (uInt)capacity;
    inflate(&stream, Z_FINISH);
    size_t got = capacity - stream.avail_out;
    inflateEnd(&stream);
    return got;
}

static const char *const idx_words[] = {"\x01",     "\x08\x01",         "\x0d\x02",
                                        "\x0e\x03", "\x7f\xff\xff\xff", NULL};

/* Often changes what is packed and packs it again. */
static size_t mend_gzip(uint8_t *data, size_t size, size_t capacity, uint64_t *random) {
    static uint8_t plain[FUZZ_SIZE_LIMIT];
    if (fuzz_below(random, 3) == 0) return size;
    size_t length = expand_bytes(16 + MAX_WBITS, data, size, plain, sizeof plain);
    length = mutate_bytes(plain, length, sizeof plain, NULL, 0, random);
    size_t packed = compress_bytes(16 + MAX_WBITS, plain, length, data, capacity);
    return packed ? packed : size;
}

static uint32_t read_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_be32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Every chunk's sum, as far as the lengths make sense. */
static size_t mend_png(uint8_t *data, size_t size, size_t capacity, uint64_t *random) {
    (void)capacity;
    if (fuzz_below(random, 8) == 0) return size;
    for (size_t at = 8; at + 12 <= size;) {
        uint32_t length = read_be32(data + at);
        if (length > size - at - 12) break;
        write_be32(data + at + 8 + length, (uint32_t)crc32(0, data + at + 4, length + 4));
        at += 12 + length;
    }
    return size;
}

static const char *const csv_words[] = {",",     "\t",    "\n", "\r\n",         "\"",
                                        "\"\"",  "1e308", "-1", "0.5",          "nan",
                                        "label", "a",     "b",  "\xef\xbb\xbf", NULL};
static const char *const png_words[] = {"IHDR", "IDAT", "IEND", "PLTE", "tRNS", "gAMA",
                                        "sRGB", "iCCP", "bKGD", "acTL", "zTXt", "iTXt",
                                        "sBIT", "pCAL", "hIST", NULL};
static const char *const jpeg_words[] = {"\xff\xd8\xff\xe0", "\xff\xc0", "\xff\xc2", "\xff\xc4",
                                         "\xff\xda",         "\xff\xdb", "\xff\xdd", "\xff\xd0",
                                         "\xff\xd9",         "\xff\xee", "JFIF",     "Adobe",
                                         "\x03\x01\x22",     "\x44",     NULL};
static const char *const npy_words[] = {"'descr': '<f4'",
                                        "'fortran_order': False",
                                        "'shape': (2, 3)",
                                        "|b1",
                                        "<V2",
                                        ">f8",
                                        "(",
                                        ")",
                                        ",",
                                        "{",
                                        "}",
                                        "True",
                                        "9223372036854775807",
                                        "-1",
                                        "\x93NUMPY\x02",
                                        " ",
                                        "\n",
                                        NULL};

/* ---- tensor files ---- */

static void run_tensor_file(const uint8_t *data, size_t size, bool checkpoint) {
    NncTensorFile file;
    NncError error = {0};
    if (!nnc_safetensors_parse(data, size, &file, &error)) {
        refused(&error);
        return;
    }
    for (int i = 0; i < file.count; i++) {
        check_array(&file.tensors[i]);
        if (nnc_tensor_file_find(&file, file.tensors[i].name) != &file.tensors[i])
            fuzz_broken("a tensor is not found by its name");
    }
    error.text[0] = 0;
    if (!nnc_tensor_file_verify(&file, &error)) refused(&error);
    NncSession session;
    if (!nnc_session_open(&session, &linear_model, NULL, NULL, &error) ||
        !nnc_session_init(&session, 1, &error))
        fuzz_broken("%s", error.text);
    static const char *const any[] = {"*", NULL};
    NncLoadOptions options = {any, any, NULL};
    error.text[0] = 0;
    bool good = checkpoint ? nnc_checkpoint_restore(&session, &file, &error)
                           : nnc_weights_load(&session, &file, NULL, &error);
    if (!good) refused(&error);
    error.text[0] = 0;
    if (!checkpoint && !nnc_weights_load(&session, &file, &options, &error)) refused(&error);
    nnc_session_close(&session);
    nnc_tensor_file_free(&file);
}

static void run_safetensors(const uint8_t *data, size_t size) {
    run_tensor_file(data, size, false);
}

static void run_checkpoint(const uint8_t *data, size_t size) {
    run_tensor_file(data, size, true);
}

/* The header's length: else nearly every change of it is refused at once. */
static size_t mend_tensor_file(uint8_t *data, size_t size, size_t capacity, uint64_t *random) {
    (void)capacity;
    if (size < 9 || fuzz_below(random, 8) == 0) return size;
    size_t depth = 0, at = 8;
    for (bool quoted = false; at < size; at++) {
        if (quoted && data[at] == '\\')
            at++;
        else if (data[at] == '"')
            quoted = !quoted;
        else if (!quoted && data[at] == '{')
            depth++;
        else if (!quoted && data[at] == '}' && --depth == 0)
            break;
    }
    if (at >= size) return size;
    for (at++; at < size && data[at] == ' '; at++) {
    }
    for (int i = 0; i < 8; i++) data[i] = (uint8_t)((uint64_t)(at - 8) >> 8 * i);
    return size;
}

static const char *const tensor_words[] = {"\"__metadata__\":{}",
                                           "\"dtype\":\"F32\"",
                                           "\"shape\":[]",
                                           "\"data_offsets\":[0,0]",
                                           "F64",
                                           "BF16",
                                           "BOOL",
                                           "F4",
                                           "I64",
                                           "U64",
                                           "0",
                                           "4294967296",
                                           "18446744073709551615",
                                           "-1",
                                           "1e3",
                                           "{",
                                           "}",
                                           "[",
                                           "]",
                                           ",",
                                           ":",
                                           "\"",
                                           "\\u0000",
                                           "\\ud800\\udc00",
                                           "\\n",
                                           "net.weight",
                                           "net.bias",
                                           "net.copy",
                                           "nnc.kind",
                                           "nnc.seed",
                                           "nnc.step",
                                           "nnc.init_dims",
                                           "user.epoch",
                                           "optimizer.m",
                                           "null",
                                           "true",
                                           NULL};

/* ---- JSON ---- */

static void run_json(const uint8_t *data, size_t size) {
    NncError error = {0};
    Json json = {data, size, 0, &error};
    if (!json_skip_value(&json, 0)) refused(&error);
    if (json.position > size) fuzz_broken("the reader is past the end");
    json = (Json){data, size, 0, &error};
    char *text;
    if (json_string(&json, &text)) {
        /* What was read is written and read again to the same. */
        NncText written = {0};
        char *again;
        json_write_string(&written, text);
        Json second = {(const unsigned char *)written.data, written.length, 0, &error};
        if (!json_string(&second, &again) || strcmp(text, again)) fuzz_broken("a string changes");
        nnc_release(again);
        nnc_release(text);
        nnc_text_free(&written);
    }
    uint64_t number;
    json = (Json){data, size, 0, &error};
    json_unsigned(&json, &number);
}

static const char *const json_words[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"",
                                         "\\u0000",
                                         "\\ud800",
                                         "\\udc00",
                                         "\\ud83d\\ude00",
                                         "\\\"",
                                         "null",
                                         "true",
                                         "false",
                                         "-",
                                         "1e",
                                         "1e+9",
                                         "0.5",
                                         "00",
                                         "18446744073709551616",
                                         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                                         "\xf0\x9f\x98\x80",
                                         "\xc0\x80",
                                         "\xed\xa0\x80",
                                         NULL};

/* ---- the row of this program ---- */

static const Loader loaders[] = {
    {"npy", run_npy, NULL, npy_words},
    {"idx", run_idx, NULL, idx_words},
    {"gz", run_idx, mend_gzip, idx_words},
    {"csv", run_csv, NULL, csv_words},
    {"png", run_png, mend_png, png_words},
    {"jpeg", run_jpeg, NULL, jpeg_words},
    {"safetensors", run_safetensors, mend_tensor_file, tensor_words},
    {"checkpoint", run_checkpoint, mend_tensor_file, tensor_words},
    {"json", run_json, NULL, json_words},
};

const char target_name[] = LOADER;

static const Loader *loader(void) {
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
        if (!strcmp(loaders[i].name, LOADER)) return &loaders[i];
    fuzz_broken("no such loader");
}

static void *allocate(size_t bytes) {
    return fuzz_allocate(bytes, 64);
}

void target_run(const uint8_t *data, size_t size) {
    nnc_allocator = (NncAllocator){allocate, free};
    loader()->run(data, size);
}

size_t target_mutate(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                     size_t other_size, uint64_t *random) {
    size = mutate_bytes(data, size, capacity, other, other_size, random);
    return loader()->mend ? loader()->mend(data, size, capacity, random) : size;
}

const char *target_word(int index) {
    return loader()->words[index];
}
