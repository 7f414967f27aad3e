/* Progress on a terminal (one line, redrawn at most ten times a second) or as lines; loss curves as
 * text.  Output only; nothing here changes a result. */
#include "nncrt_train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double nnc_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool locale_is_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; ++i) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
    }
    return false;
}

void nnc_progress_start(NncProgress *progress, FILE *out, const char *label, int64_t first,
                        int64_t total) {
    *progress = (NncProgress){.out = out, .total = total, .first = first, .width = 80};
    snprintf(progress->label, sizeof progress->label, "%s", label);
    progress->terminal = isatty(fileno(out)) == 1;
    const char *terminal = getenv("TERM");
    if (terminal && strcmp(terminal, "dumb") == 0) progress->terminal = false;
    progress->unicode = locale_is_utf8();
    struct winsize size;
    if (progress->terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        progress->width = size.ws_col;
    progress->started = progress->shown = nnc_now();
}

static void format_time(char out[64], double seconds) {
    if (!(seconds >= 0) || seconds > 359999) {
        strcpy(out, "?");
        return;
    }
    long s = lround(seconds);
    if (s >= 3600)
        snprintf(out, 64, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 64, "%02ld:%02ld", s / 60, s % 60);
}

void nnc_progress_update(NncProgress *progress, int64_t done, double loss, bool has_loss) {
    double now = nnc_now();
    bool last = done >= progress->total;
    if (now - progress->shown < (progress->terminal ? 0.1 : 10.0) && !(last && progress->line_open))
        return;
    progress->shown = now;
    double elapsed = now - progress->started;
    double rate = elapsed > 0 ? (double)(done - progress->first) / elapsed : 0;
    double fraction = progress->total > 0 ? (double)done / (double)progress->total : 1;
    char left[64], spent[64], tail[256], loss_text[32] = "";
    format_time(spent, elapsed);
    format_time(left, rate > 0 ? (double)(progress->total - done) / rate : -1);
    if (has_loss) snprintf(loss_text, sizeof loss_text, ", loss %.4f", loss);
    snprintf(tail, sizeof tail, " %" PRId64 "/%" PRId64 " [%s<%s, %.0f it/s%s]", done,
             progress->total, spent, left, rate, loss_text);
    int percent = (int)(100 * fraction);
    if (!progress->terminal) {
        fprintf(progress->out, "%s: %3d%%%s\n", progress->label, percent, tail);
        fflush(progress->out);
        return;
    }
    int room = progress->width - (int)strlen(progress->label) - (int)strlen(tail) - 9;
    if (room < 0) room = 0;
    if (room > 40) room = 40;
    fprintf(progress->out, "\r%s: %3d%%|", progress->label, percent);
    int eighths = (int)(fraction * 8 * room);
    static const char *const partial[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    for (int i = 0; i < room; ++i) {
        int part = eighths - 8 * i;
        if (part >= 8)
            fputs(progress->unicode ? "█" : "#", progress->out);
        else if (part > 0 && progress->unicode)
            fputs(partial[part], progress->out);
        else
            fputc(' ', progress->out);
    }
    fprintf(progress->out, "|%s\x1b[K", tail);
    fflush(progress->out);
    progress->line_open = true;
}

void nnc_progress_end(NncProgress *progress) {
    if (progress->line_open) fputs("\r\x1b[K", progress->out);
    progress->line_open = false;
    fflush(progress->out);
}

enum { CURVE_WIDTH = 200, CURVE_HEIGHT = 40, CURVE_LIMIT = 4 };

void nnc_curve_print(FILE *out, const NncCurve *curves, int count, int width, int height,
                     const char *x_label) {
    static const char marks[CURVE_LIMIT] = {'*', 'o', '+', 'x'};
    static char grid[CURVE_HEIGHT][CURVE_WIDTH + 1];
    if (width > CURVE_WIDTH) width = CURVE_WIDTH;
    if (height > CURVE_HEIGHT) height = CURVE_HEIGHT;
    if (count > CURVE_LIMIT) count = CURVE_LIMIT;
    double low = INFINITY, high = -INFINITY;
    int longest = 0;
    for (int c = 0; c < count; ++c) {
        for (int i = 0; i < curves[c].count; ++i) {
            if (!isfinite(curves[c].values[i])) continue;
            low = fmin(low, curves[c].values[i]);
            high = fmax(high, curves[c].values[i]);
        }
        if (curves[c].count > longest) longest = curves[c].count;
    }
    if (!(low <= high) || longest < 2 || width < 2 || height < 2) return;
    if (high - low < 1e-12 * fmax(1, fabs(high))) {
        high += 0.5 * fmax(1e-6, fabs(high));
        low -= 0.5 * fmax(1e-6, fabs(low));
    }
    for (int y = 0; y < height; ++y) {
        memset(grid[y], ' ', (size_t)width);
        grid[y][width] = 0;
    }
    for (int c = count - 1; c >= 0; --c) {
        int points = curves[c].count;
        for (int x = 0; x < width && points > 0; ++x) {
            /* A column shows the mean of the points that fall into it; few points are joined by
             * lines. */
            double from = (double)x * (points - 1) / (width - 1);
            double value = 0;
            if (points >= 2 * width) {
                int begin = (int)((int64_t)x * points / width),
                    end = (int)((int64_t)(x + 1) * points / width);
                int used = 0;
                for (int i = begin; i < end; ++i)
                    if (isfinite(curves[c].values[i])) value += curves[c].values[i], ++used;
                value = used ? value / used : NAN;
            } else {
                int i = (int)from;
                double t = from - i;
                value = i + 1 < points ? (1 - t) * curves[c].values[i] + t * curves[c].values[i + 1]
                                       : curves[c].values[points - 1];
            }
            if (!isfinite(value)) continue;
            int y = (int)lround((high - value) / (high - low) * (height - 1));
            if (y >= 0 && y < height) grid[y][x] = marks[c];
        }
    }
    for (int y = 0; y < height; ++y) {
        double value = high - (high - low) * y / (height - 1);
        bool labelled = y == 0 || y == height - 1 || y == height / 2;
        int end = width;
        while (end > 0 && grid[y][end - 1] == ' ') --end;
        grid[y][end] = 0;
        if (labelled)
            fprintf(out, "%10.4g |%s\n", value, grid[y]);
        else
            fprintf(out, "%10s |%s\n", "", grid[y]);
    }
    fprintf(out, "%10s +", "");
    for (int x = 0; x < width; ++x) fputc('-', out);
    fprintf(out, "\n%10s  %s  ", "", x_label);
    for (int c = 0; c < count; ++c) fprintf(out, " %c %s", marks[c], curves[c].name);
    fputc('\n', out);
    fflush(out);
}
