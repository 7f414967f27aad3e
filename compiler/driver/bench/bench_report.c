/* The reports of bench: a table, a JSON object, and trace events for Perfetto or chrome://tracing.
 * Invariant: all text goes out through JSON's escapes; numbers that JSON has not are null. */
#include "driver/bench/bench_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "json.h"

static const char *bound_name(const Bench *bench, const BenchKernel *kernel) {
    if (kernel->flops == 0 && kernel->bytes == 0) return "-";
    return kernel->bound < 0 ? "fma" : bench->roofline.levels[kernel->bound].name;
}

/* ---- text ---- */

static void print_line(double seconds, double whole, double calls, double flops, double bytes,
                       double fastest, const char *bound) {
    printf("%10.4f %6.1f %7.0f %9.2f %9.2f", 1e3 * seconds, whole > 0 ? 100 * seconds / whole : 0,
           calls, seconds > 0 ? 1e-9 * flops / seconds : 0,
           seconds > 0 ? 1e-9 * bytes / seconds : 0);
    printf(" %5.0f%% %-7s ", seconds > 0 ? 100 * fastest / seconds : 0, bound);
}

void bench_print(const Bench *bench) {
    const Roofline *roofline = &bench->roofline;
    const nnc_entry_info *entry = bench->run.model.entry;
    printf("%s", entry->symbol);
    for (int d = 0; d < entry->dim_count; ++d)
        printf(" %s=%" PRId64, entry->dims[d], bench->run.dims[d]);
    printf(", %d thread%s\nthis machine: %.1f GFLOP/s f32, %.1f f64; GB/s:", roofline->threads,
           roofline->threads == 1 ? "" : "s", 1e-9 * roofline->flops[0], 1e-9 * roofline->flops[1]);
    for (int i = 0; i < roofline->level_count; ++i)
        printf("%s %.1f %s", i ? "," : "", 1e-9 * roofline->levels[i].bandwidth,
               roofline->levels[i].name);
    printf("\n\n%10s %6s %7s %9s %9s %-14s kernel; lines\n", "ms", "%", "calls", "GFLOP/s", "GB/s",
           " of roofline");
    double calls = 0, flops = 0, bytes = 0, fastest = 0;
    for (int k = 0; k < bench->kernel_count; ++k) {
        const BenchKernel *kernel = &bench->kernels[k];
        print_line(kernel->seconds, bench->sum, kernel->calls, kernel->flops, kernel->bytes,
                   kernel->fastest, bound_name(bench, kernel));
        printf("%s%s%s\n", kernel->info->name, *kernel->info->lines ? "; " : "",
               kernel->info->lines);
        calls += kernel->calls;
        flops += kernel->flops;
        bytes += kernel->bytes;
        fastest += kernel->fastest;
    }
    print_line(bench->sum, bench->sum, calls, flops, bytes, fastest, "");
    printf("all kernels\n\n");
    printf("whole call %.4f ms (median of %d; fastest %.4f, slowest %.4f); with timing %.4f: "
           "kernels %.4f, outside of kernels %.4f\n",
           1e3 * bench->median, bench->calls, 1e3 * bench->fastest, 1e3 * bench->slowest,
           1e3 * bench->timed, 1e3 * bench->sum, 1e3 * fmax(bench->timed - bench->sum, 0));
}

/* ---- JSON ---- */

static void add_string(NncText *out, const char *key, const char *text) {
    nnc_text_format(out, "\"%s\":", key);
    json_write_string(out, text);
    nnc_text_add(out, ",");
}

static void add_number(NncText *out, const char *key, double value) {
    if (isfinite(value))
        nnc_text_format(out, "\"%s\":%.17g,", key, value);
    else
        nnc_text_format(out, "\"%s\":null,", key);
}

/* Ends an object or array whose members end in commas. */
static void end_list(NncText *out, const char *bracket) {
    if (out->length && out->data[out->length - 1] == ',') out->length--;
    nnc_text_add(out, bracket);
}

static void add_roofline(NncText *out, const Roofline *roofline) {
    nnc_text_add(out, "\"roofline\":{");
    add_number(out, "flops_f32", roofline->flops[0]);
    add_number(out, "flops_f64", roofline->flops[1]);
    nnc_text_add(out, "\"levels\":[");
    for (int i = 0; i < roofline->level_count; ++i) {
        nnc_text_add(out, "{");
        add_string(out, "name", roofline->levels[i].name);
        add_number(out, "capacity", roofline->levels[i].capacity);
        add_number(out, "bytes_per_second", roofline->levels[i].bandwidth);
        end_list(out, "},");
    }
    end_list(out, "]},");
}

static void add_kernel(NncText *out, const Bench *bench, const BenchKernel *kernel) {
    nnc_text_add(out, "\n{");
    add_string(out, "name", kernel->info->name);
    add_string(out, "what", kernel->info->what);
    add_string(out, "lines", kernel->info->lines);
    add_number(out, "seconds", kernel->seconds);
    add_number(out, "calls", kernel->calls);
    add_number(out, "flops", kernel->flops);
    add_number(out, "bytes", kernel->bytes);
    add_number(out, "roofline_seconds", kernel->fastest);
    add_number(out, "roofline_share", kernel->fastest / kernel->seconds);
    add_string(out, "bound", bound_name(bench, kernel));
    end_list(out, "},");
}

static bool finish(NncText *out, const char *path, NncError *error) {
    bool good = !out->failed || nnc_fail(error, "out of memory");
    NncBytes part = {(unsigned char *)out->data, out->length};
    if (good && path)
        good = nnc_file_write(path, &part, 1, error);
    else if (good)
        good = (fwrite(out->data, 1, out->length, stdout) == out->length && fflush(stdout) == 0) ||
               nnc_fail(error, "cannot write to standard output");
    nnc_text_free(out);
    return good;
}

bool bench_print_json(const Bench *bench, NncError *error) {
    NncText text = {0}, *out = &text;
    const nnc_entry_info *entry = bench->run.model.entry;
    nnc_text_add(out, "{");
    add_string(out, "source", bench->run.model.table->source);
    add_string(out, "entry", entry->symbol);
    nnc_text_add(out, "\"dims\":{");
    for (int d = 0; d < entry->dim_count; ++d) {
        json_write_string(out, entry->dims[d]);
        nnc_text_format(out, ":%" PRId64 ",", bench->run.dims[d]);
    }
    end_list(out, "},");
    add_number(out, "threads", bench->roofline.threads);
    add_roofline(out, &bench->roofline);
    nnc_text_add(out, "\"call\":{");
    add_number(out, "count", bench->calls);
    add_number(out, "median_seconds", bench->median);
    add_number(out, "fastest_seconds", bench->fastest);
    add_number(out, "slowest_seconds", bench->slowest);
    add_number(out, "timed_median_seconds", bench->timed);
    add_number(out, "kernels_seconds", bench->sum);
    end_list(out, "},");
    nnc_text_add(out, "\"kernels\":[");
    for (int k = 0; k < bench->kernel_count; ++k) add_kernel(out, bench, &bench->kernels[k]);
    end_list(out, "]}\n");
    return finish(out, NULL, error);
}

/* ---- trace events ---- */

bool bench_write_trace(const Bench *bench, NncError *error) {
    NncText text = {0}, *out = &text;
    uint64_t first = UINT64_MAX;
    for (int64_t i = 0; i < bench->slice_count; ++i)
        if (bench->slices[i].begin < first) first = bench->slices[i].begin;
    nnc_text_add(out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"name\":\"process_name\","
                      "\"ph\":\"M\",\"pid\":1,\"args\":{");
    add_string(out, "name", bench->run.model.entry->symbol);
    end_list(out, "}},");
    for (int t = 0; t < bench->roofline.threads; ++t)
        nnc_text_format(out,
                        "\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,"
                        "\"args\":{\"name\":\"%s %d\"}},",
                        t, t ? "worker" : "caller", t);
    for (int64_t i = 0; i < bench->slice_count; ++i) {
        const Slice *s = &bench->slices[i];
        const nnc_kernel_info *row = &bench->rows[s->row];
        nnc_text_add(out, "\n{");
        add_string(out, "name", row->name);
        nnc_text_format(out,
                        "\"cat\":\"kernel\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,"
                        "\"dur\":%.3f,\"args\":{",
                        s->thread, 1e-3 * (double)(s->begin - first),
                        1e-3 * (double)(s->end - s->begin));
        add_string(out, "what", row->what);
        add_string(out, "lines", row->lines);
        nnc_text_format(out, "\"call\":%d,", s->row);
        add_number(out, "flops", row->flops);
        add_number(out, "bytes", row->bytes);
        end_list(out, "}},");
    }
    end_list(out, "\n]}\n");
    return finish(out, bench->options->trace, error);
}
