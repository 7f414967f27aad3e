/* The program of a standalone binary: one entry with one input, its weights inside.
 * Input: npy, IDX, PNG or JPEG files, one sample or a batch each.  Output: label and probabilities,
 * or the results as text.  Exit status: 0, 2 for bad usage, 3 for files or a device that cannot be
 * used. */
#include "nncrt_model.h"
#include "nncrt_train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 };

/* --device; where nothing was said, a binary that holds code for a GPU takes one if it can. */
typedef enum Wish { WISH_UNSAID, WISH_AUTO, WISH_CPU, WISH_CUDA } Wish;

typedef struct Program {
    const NncStandalone *standalone;
    const nnc_model *model; /* of the device that was chosen */
    const nnc_entry_info *entry;
    NncDevice *device; /* NULL: the processor */
    NncSession session;
    int batch_dim;          /* index of the input's first dim among the entry's dims, or -1 */
    int label, probability; /* results, or -1 */
    int top;
    int64_t limit;
    NncArray truth; /* what --expect gave */
    bool has_truth;
    int64_t right, compared;
} Program;

static void print_element(FILE *out, int dtype, const void *data, size_t i) {
    double value = nnc_element_get(dtype, data, i);
    if (dtype == NNC_I64) {
        int64_t integer;
        memcpy(&integer, (const char *)data + 8 * i, 8);
        fprintf(out, "%" PRId64, integer);
    } else if (dtype == NNC_BOOL) {
        fputs(value != 0 ? "true" : "false", out);
    } else if (nnc_dtype_is_float(dtype)) {
        fprintf(out, dtype == NNC_F64 ? "%.10g" : "%.6g", value);
    } else {
        fprintf(out, "%.0f", value);
    }
}

void nnc_array_print(FILE *out, const NncArray *array, size_t limit) {
    size_t width = nnc_dtype_bytes(array->dtype), count = width ? array->bytes / width : 0;
    for (size_t i = 0; i < count && i < limit; ++i) {
        /* A bracket opens for each axis on which element i begins a new row. */
        size_t stride = count;
        int opened = 0;
        for (int d = 0; d < array->rank; ++d) {
            if (i % stride == 0) ++opened;
            stride /= (size_t)array->dims[d];
        }
        if (i) fputs(opened ? ",\n" : ", ", out);
        for (int d = 0; i && opened && d < array->rank - opened; ++d) fputc(' ', out);
        for (int d = 0; d < opened; ++d) fputc('[', out);
        print_element(out, array->dtype, array->data, i);
        stride = count;
        for (int d = 0; d < array->rank; ++d) {
            if ((i + 1) % stride == 0) fputc(']', out);
            stride /= (size_t)array->dims[d];
        }
    }
    for (int d = 0; count == 0 && d < 2 * array->rank; ++d) fputc(d < array->rank ? '[' : ']', out);
    if (count > limit) fprintf(out, ", … %zu more", count - limit);
    fputc('\n', out);
}

static const char *label_name(const Program *program, int64_t id, char text[32]) {
    if (id >= 0 && id < program->standalone->label_count) return program->standalone->labels[id];
    snprintf(text, 32, "%" PRId64, id);
    return text;
}

static bool is_integer(int dtype) {
    return dtype != NNC_BOOL && !nnc_dtype_is_float(dtype);
}

/* Which results say the class and how sure: by shape and dtype, a name "label" first. */
static void find_results(Program *program) {
    const nnc_entry_info *entry = program->entry;
    program->label = program->probability = -1;
    if (program->batch_dim < 0) return;
    int64_t batch = -1 - program->batch_dim;
    for (int r = 0; r < entry->result_count; ++r) {
        const nnc_tensor_info *info = &entry->results[r];
        if (info->rank == 1 && info->dims[0] == batch && is_integer(info->dtype) &&
            (program->label < 0 || strcmp(info->name, "label") == 0))
            program->label = r;
        if (info->rank == 2 && info->dims[0] == batch && info->dims[1] > 0 &&
            nnc_dtype_is_float(info->dtype) && program->probability < 0)
            program->probability = r;
    }
}

static void usage(FILE *out, const Program *program, const char *name) {
    char shape[256];
    fprintf(out,
            "Usage: %s [OPTIONS] FILE...\n"
            "Runs %s of %s (%s) on each file: npy, IDX (plain or .gz), PNG or JPEG, one sample or "
            "a batch.\n"
            "  input: %s %s\n"
            "Options\n"
            "  --describe     what this binary holds\n"
            "  --top K        show the K most likely classes (default: 5 for one sample, 1 for a "
            "batch)\n"
            "  --first N      only the first N samples of each file\n"
            "  --expect FILE  npy or IDX with the right class ids: shown beside the answers\n"
            "  --device NAME  cpu, cuda: a GPU, or auto: a GPU where there is one%s\n"
            "  --threads N    default: one\n"
            "  --help\n",
            name, program->entry->name, program->standalone->model->name,
            program->standalone->model->source, program->entry->arguments[0].name,
            nnc_describe_tensor(shape, sizeof shape, program->entry, &program->entry->arguments[0]),
            program->standalone->cuda_model ? " (default)" : "");
}

static void describe(const Program *program) {
    const NncStandalone *standalone = program->standalone;
    const nnc_model *model = standalone->model;
    const nnc_entry_info *entry = program->entry;
    char shape[256];
    size_t parameters = 0;
    for (int c = 0; c < model->cell_count; ++c) {
        size_t count = 1;
        for (int d = 0; d < model->cells[c].rank; ++d) count *= (size_t)model->cells[c].dims[d];
        if (model->cells[c].role == NNC_PARAMETER) parameters += count;
    }
    printf("model       %s, from %s\n", model->name, model->source);
    if (entry->doc && *entry->doc) printf("            %s\n", entry->doc);
    for (int i = 0; i < entry->argument_count; ++i)
        printf("input       %s: %s\n", entry->arguments[i].name,
               nnc_describe_tensor(shape, sizeof shape, entry, &entry->arguments[i]));
    for (int i = 0; i < entry->result_count; ++i)
        printf("output      %s: %s\n", entry->results[i].name,
               nnc_describe_tensor(shape, sizeof shape, entry, &entry->results[i]));
    printf("parameters  %zu (%zu bytes of weights inside this file)\n", parameters,
           standalone->weights_bytes);
    printf("compiled    for %s%s\n", standalone->target,
           standalone->cuda_model ? ", and for a GPU" : "");
    if (standalone->label_count) {
        printf("labels      ");
        for (int i = 0; i < standalone->label_count; ++i)
            printf("%s%d %s", i ? ", " : "", i, standalone->labels[i]);
        printf("\n");
    }
    printf("reads       .npy, IDX (.gz), .png, .jpg; one sample or a batch\n");
    for (int c = 0; c < model->cell_count; ++c)
        if (model->cells[c].saved)
            printf("  %-40s %s\n", model->cells[c].name,
                   nnc_array_describe(shape, sizeof shape, model->cells[c].dtype,
                                      model->cells[c].rank, model->cells[c].dims));
}

static void print_class(const Program *program, const char *file, int64_t index, bool single,
                        const NncArray *results, int64_t row, Program *counts) {
    char text[32], other[32];
    const NncArray *probability = program->probability >= 0 ? &results[program->probability] : NULL;
    int64_t classes = probability ? probability->dims[1] : 0, best = 0;
    for (int64_t c = 1; c < classes; ++c)
        if (nnc_element_get(probability->dtype, probability->data, (size_t)(row * classes + c)) >
            nnc_element_get(probability->dtype, probability->data, (size_t)(row * classes + best)))
            best = c;
    if (program->label >= 0)
        best = (int64_t)nnc_element_get(results[program->label].dtype, results[program->label].data,
                                        (size_t)row);
    if (single)
        printf("%s: ", file);
    else
        printf("%s[%" PRId64 "]: ", file, index);
    printf("%-14s", label_name(program, best, text));
    if (probability && best >= 0 && best < classes)
        printf(" %6.2f %%", 100 * nnc_element_get(probability->dtype, probability->data,
                                                  (size_t)(row * classes + best)));
    if (program->has_truth && index < program->truth.dims[0]) {
        int64_t truth =
            (int64_t)nnc_element_get(program->truth.dtype, program->truth.data, (size_t)index);
        printf("   label %-14s %s", label_name(program, truth, other),
               truth == best ? "right" : "WRONG");
        ++counts->compared;
        counts->right += truth == best;
    }
    printf("\n");
    int top = program->top ? program->top : single ? 5 : 1;
    if (!probability || top < 2) return;
    /* The k-th largest by repeated search; classes with equal values come in their order. */
    double last = INFINITY;
    int64_t last_class = -1;
    for (int k = 0; k < top && k < classes; ++k) {
        int64_t next = -1;
        double value = -INFINITY;
        for (int64_t c = 0; c < classes; ++c) {
            double p =
                nnc_element_get(probability->dtype, probability->data, (size_t)(row * classes + c));
            if (p > last || (p == last && c <= last_class) || !(p > value)) continue;
            next = c;
            value = p;
        }
        if (next < 0) break;
        printf("    %-14s %6.2f %%  ", label_name(program, next, text), 100 * value);
        for (int i = 0; i < (int)(30 * value + 0.5); ++i) putchar('#');
        printf("\n");
        last = value;
        last_class = next;
    }
}

/* The array as a batch of the entry's input: a leading 1 for one sample, and [H, W] as [1, H, W]
 * where the input has one channel. */
static bool fit_input(const Program *program, NncArray *array, bool *single, NncError *error) {
    const nnc_tensor_info *info = &program->entry->arguments[0];
    int64_t dims[NNC_MAX_RANK];
    int rank = array->rank;
    *single = program->batch_dim < 0;
    memcpy(dims, array->dims, sizeof dims);
    int need = info->rank;
    if (program->batch_dim >= 0 && rank == need - 1 &&
        (info->dims[need - 1] < 0 || info->dims[need - 1] == dims[rank - 1])) {
        /* [N, H, W] for a [N, 1, H, W] input is a batch, [C, H, W] is one sample. */
        bool channel = need >= 3 && info->dims[1] == 1 && dims[0] != 1;
        int at = channel ? 1 : 0;
        memmove(dims + at + 1, dims + at, (size_t)(rank - at) * sizeof *dims);
        dims[at] = 1;
        ++rank;
        *single = !channel;
    } else if (program->batch_dim >= 0 && rank == need - 2 && need >= 3 && info->dims[1] == 1) {
        memmove(dims + 2, dims, (size_t)rank * sizeof *dims);
        dims[0] = dims[1] = 1;
        rank += 2;
        *single = true;
    }
    char expected[256], given[256];
    bool same = rank == info->rank && array->dtype == info->dtype;
    for (int i = 0; same && i < rank; ++i) same = info->dims[i] < 0 || info->dims[i] == dims[i];
    if (!same)
        return nnc_fail(
            error, "the model reads %s, this file holds %s",
            nnc_describe_tensor(expected, sizeof expected, program->entry, info),
            nnc_array_describe(given, sizeof given, array->dtype, array->rank, array->dims));
    array->rank = rank;
    memcpy(array->dims, dims, sizeof dims);
    return true;
}

/* Runs rows [begin, begin + count) of a batch (or all of the array where there is no batch dim). */
static bool run_rows(Program *program, const char *file, const NncArray *input, int64_t begin,
                     int64_t count, bool single, NncError *error) {
    const nnc_entry_info *entry = program->entry;
    NncArray part = *input;
    const NncArray *arguments[1] = {&part};
    part.owned = false;
    part.name = NULL;
    if (program->batch_dim >= 0 && input->dims[0] > 0) {
        size_t row = input->bytes / (size_t)input->dims[0];
        part.dims[0] = count;
        part.bytes = row * (size_t)count;
        part.data = (char *)input->data + row * (size_t)begin;
    }
    int64_t *dims = nnc_allocate_zeroed((size_t)entry->dim_count * sizeof *dims, error);
    if (!dims || !nnc_bind_dims(entry, arguments, NULL, 0, dims, error)) {
        nnc_release(dims);
        return false;
    }
    size_t result_count = (size_t)entry->result_count;
    NncArray *results = nnc_allocate_zeroed(result_count * sizeof *results, error);
    void **pointers = results ? nnc_allocate_zeroed(result_count * sizeof *pointers, error) : NULL;
    bool good = pointers != NULL;
    for (int r = 0; good && r < entry->result_count; ++r) {
        good = nnc_entry_array(entry, dims, entry->argument_count + r, &results[r], error);
        pointers[r] = results[r].data;
    }
    const void *in[1] = {part.data};
    good = good && nnc_session_call(&program->session, entry, dims, in, pointers, error);
    if (good &&
        (program->label >= 0 || (program->probability >= 0 && program->standalone->label_count))) {
        for (int64_t i = 0; i < count; ++i)
            print_class(program, file, begin + i, single, results, i, program);
    } else if (good) {
        for (int r = 0; r < entry->result_count; ++r) {
            char shape[256];
            printf("%s: %s %s\n", file, entry->results[r].name,
                   nnc_array_describe(shape, sizeof shape, results[r].dtype, results[r].rank,
                                      results[r].dims));
            nnc_array_print(stdout, &results[r], 1000);
        }
    }
    for (size_t r = 0; results && r < result_count; ++r) nnc_array_free(&results[r]);
    nnc_release(results);
    nnc_release(pointers);
    nnc_release(dims);
    return good;
}

/* A picture in the number of channels that the input has; everything else as it is. */
static bool read_input(const Program *program, const char *path, NncArray *out, NncError *error) {
    const nnc_tensor_info *info = &program->entry->arguments[0];
    NncBytes bytes;
    *out = (NncArray){0};
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    bool is_image = nnc_is_image(bytes.data, bytes.length), good = false;
    if (is_image) {
        int batch = program->batch_dim >= 0;
        int channels = info->rank - batch >= 3 && info->dims[info->rank - 3] == 3 ? 3 : 1;
        good = nnc_image_parse(bytes.data, bytes.length, channels, out, error);
    }
    nnc_release(bytes.data);
    if (is_image) return good || nnc_fail_in(error, path);
    return nnc_array_read(path, out, error);
}

static bool run_file(Program *program, const char *path, NncError *error) {
    NncArray input;
    bool single;
    if (!read_input(program, path, &input, error)) return false;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool good = fit_input(program, &input, &single, error);
    if (!good) nnc_fail_in(error, path);
    int64_t rows = program->batch_dim >= 0 ? input.dims[0] : 1;
    if (program->limit > 0 && rows > program->limit) rows = program->limit;
    for (int64_t at = 0; good && at < rows; at += CHUNK)
        good = run_rows(program, name, &input, at, rows - at < CHUNK ? rows - at : CHUNK, single,
                        error);
    nnc_array_free(&input);
    return good;
}

/* Chooses the GPU or the processor, and says so where that is a question. */
static bool choose_device(Program *program, Wish wish, const char *name, NncError *error) {
    const NncStandalone *standalone = program->standalone;
    bool holds = standalone->cuda_model != NULL;
    if (wish == WISH_UNSAID && !holds) return true;
    if (wish != WISH_CPU && holds)
        program->device = nnc_device_open(standalone->cuda_model, standalone->cuda, error);
    else if (wish != WISH_CPU)
        nnc_fail(error, "this binary holds no code for a GPU; nnc --emit=exe --device=cuda makes "
                        "one that does");
    if (!program->device && wish == WISH_CUDA) return false;
    if (!program->device && wish != WISH_CPU) fprintf(stderr, "%s: %s\n", name, error->text);
    fprintf(stderr, "Using %s device\n", program->device ? "cuda" : "cpu");
    if (!program->device) return true;
    program->model = nnc_device_model(program->device);
    program->entry = nnc_model_entry(program->model, standalone->entry);
    return program->entry || nnc_fail(error, "the code for a GPU has no '%s'", standalone->entry);
}

static bool set_up(Program *program, NncPool *pool, NncError *error) {
    const NncStandalone *standalone = program->standalone;
    NncTensorFile weights;
    if (!nnc_session_open(&program->session, program->model, NULL, pool, error)) return false;
    if (program->device) program->session.engine = nnc_device_engine(program->device);
    if (!nnc_session_init(&program->session, 0, error)) return false;
    if (!nnc_safetensors_parse(standalone->weights, standalone->weights_bytes, &weights, error))
        return false;
    bool good = nnc_weights_load(&program->session, &weights, NULL, error);
    nnc_tensor_file_free(&weights);
    return good;
}

/* A positive number after an option; 0 if it is none. */
static long read_count(const char *text) {
    char *end;
    long value = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && value > 0 && value < 1000000000 ? value : 0;
}

static bool read_wish(const char *text, Wish *out) {
    static const char *const names[] = {"auto", "cpu", "cuda"};
    for (int i = 0; i < 3; ++i)
        if (strcmp(text, names[i]) == 0) {
            *out = (Wish)(WISH_AUTO + i);
            return true;
        }
    return false;
}

int nnc_standalone_main(int argc, char **argv, const NncStandalone *standalone) {
    Program program = {.standalone = standalone, .model = standalone->model, .batch_dim = -1};
    Wish wish = WISH_UNSAID;
    NncError error = {0};
    const char *truth = NULL;
    int files = 0, threads = 1, status = 0;
    bool wants_description = false, options = true;
    if (!standalone->model) {
        fprintf(stderr, "%s: this processor lacks what the binary was built for\n", argv[0]);
        return 3;
    }
    program.entry = nnc_model_entry(standalone->model, standalone->entry);
    if (!program.entry || program.entry->argument_count != 1) {
        fprintf(stderr, "%s: '%s' is not an entry with one input\n", argv[0], standalone->entry);
        return 70;
    }
    const nnc_tensor_info *input = &program.entry->arguments[0];
    if (input->rank > 0 && input->dims[0] < 0 && input->dims[0] != INT64_MIN)
        program.batch_dim = (int)(-1 - input->dims[0]);
    find_results(&program);
    for (int i = 1; i < argc; ++i) {
        const char *word = argv[i];
        if (!options || word[0] != '-') {
            argv[1 + files++] = argv[i];
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options = false;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            usage(stdout, &program, argv[0]);
            return 0;
        } else if (strcmp(word, "--describe") == 0) {
            wants_description = true;
        } else if (strcmp(word, "--expect") == 0 && i + 1 < argc) {
            truth = argv[++i];
        } else if (strncmp(word, "--device=", 9) == 0 && read_wish(word + 9, &wish)) {
            continue;
        } else if (strcmp(word, "--device") == 0 && i + 1 < argc && read_wish(argv[i + 1], &wish)) {
            ++i;
        } else if ((strcmp(word, "--top") == 0 || strcmp(word, "--first") == 0 ||
                    strcmp(word, "--threads") == 0) &&
                   i + 1 < argc && read_count(argv[i + 1])) {
            long value = read_count(argv[++i]);
            if (word[3] == 'o')
                program.top = (int)value;
            else if (word[2] == 'f')
                program.limit = value;
            else
                threads = (int)value;
        } else {
            fprintf(stderr, "%s: unknown or incomplete option '%s'\n", argv[0], word);
            usage(stderr, &program, argv[0]);
            return 2;
        }
    }
    if (wants_description) {
        describe(&program);
        return 0;
    }
    if (files == 0) {
        usage(stderr, &program, argv[0]);
        return 2;
    }
    NncPool *pool = threads > 1 ? nnc_pool_create(threads, &error) : NULL;
    bool good = (threads == 1 || pool) && choose_device(&program, wish, argv[0], &error) &&
                set_up(&program, pool, &error);
    if (good && truth) {
        good = nnc_array_read(truth, &program.truth, &error);
        program.has_truth = good && program.truth.rank == 1 && is_integer(program.truth.dtype);
        if (good && !program.has_truth)
            good = nnc_fail(&error, "%s: not a list of class ids", truth);
    }
    if (!good) {
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
        status = 3;
    }
    for (int i = 0; good && i < files; ++i)
        if (!run_file(&program, argv[1 + i], &error)) {
            fprintf(stderr, "%s: %s\n", argv[0], error.text);
            status = 3;
        }
    if (program.compared)
        printf("%" PRId64 " of %" PRId64 " right: %.2f %%\n", program.right, program.compared,
               100.0 * (double)program.right / (double)program.compared);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: cannot write the output\n", argv[0]);
        status = 3;
    }
    nnc_array_free(&program.truth);
    nnc_session_close(&program.session);
    nnc_device_close(program.device);
    nnc_pool_destroy(pool);
    return status;
}
