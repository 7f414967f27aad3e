/* Learning rates of a training run: --lr, --warmup and --schedule.
 *
 * A schedule is the library's (optim.lr_scheduler), of the name that --schedule gives: a small
 * program around it is lowered, and interpreted in f64, as `at(lr, t)` where the schedule has a
 * closed form, and as `observe(loss)` where it looks at the loss of each epoch.  Invariant: what a
 * resumed run sets are the rates of the run that was never stopped; a schedule that has a state
 * sees the losses again. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver/train/train_internal.h"
#include "lower/lower.h"
#include "sema/sema.h"
#include "syntax/parse.h"
#include "tensor/interpret/interpret.h"

/* What `unit` of the library's schedules means. */
typedef enum ScheduleUnit { UNIT_EPOCH, UNIT_BATCH, UNIT_LOSS } ScheduleUnit;

struct Schedule {
    const Program *program;
    const Entry *at;        /* (lr, t) -> (rate, unit) */
    Entry *begin, *observe; /* (lr), (loss) -> rate */
    ScheduleUnit unit;
    Environment **states; /* UNIT_LOSS: one for each rate */
    Arena *arena;         /* of the states */
};

/* ---- the rates of a block ---- */

bool trainer_is_rate_argument(const nnc_tensor_info *info) {
    return info->rank == 0 && nnc_dtype_is_float(info->dtype) && strcmp(info->name, "lr") == 0;
}

static bool is_rate(const nnc_cell_info *cell) {
    const char *dot = strrchr(cell->name, '.');
    return cell->role == NNC_SCALAR && cell->rank == 0 &&
           strcmp(dot ? dot + 1 : cell->name, "lr") == 0;
}

/* "optimizer", "optimizer.lr" or the cell's last member before .lr. */
static bool rate_is_named(const char *cell, const char *name) {
    size_t length = strlen(name);
    if (strcmp(cell, name) == 0) return true;
    const char *at = cell;
    for (;;) {
        if (strncmp(at, name, length) == 0 && strcmp(at + length, ".lr") == 0) return true;
        at = strchr(at, '.');
        if (!at) return false;
        ++at;
    }
}

int trainer_find_rates(Trainer *trainer, NncError *error) {
    const nnc_model *table = trainer->model->table;
    const TrainOptions *options = trainer->options;
    trainer->rates = NEW_ARRAY(trainer->arena, (size_t)table->cell_count + 1, Rate);
    for (int a = 0; a < trainer->feed.entry->argument_count; ++a) {
        if (!trainer_is_rate_argument(&trainer->feed.entry->arguments[a])) continue;
        double value =
            nnc_element_get(trainer->feed.fixed[a].dtype, trainer->feed.fixed[a].data, 0);
        trainer->rates[trainer->rate_count++] =
            (Rate){.cell = -1,
                   .argument = a,
                   .name = trainer->feed.entry->arguments[a].name,
                   .base = value,
                   .now = value};
    }
    for (int c = 0; c < table->cell_count; ++c) {
        if (!is_rate(&table->cells[c])) continue;
        Rate *rate = &trainer->rates[trainer->rate_count++];
        *rate = (Rate){.cell = c, .name = table->cells[c].name};
        NncArray value;
        bool none;
        if (!nnc_session_get(&trainer->session, c, &value, &none, error)) return 3;
        rate->base = rate->now = nnc_element_get(value.dtype, value.data, 0);
        nnc_array_free(&value);
    }
    for (int i = 0; i < list_length(options->lr); ++i) {
        NamedText pair = named_text(trainer->arena, options->lr[i]);
        double value;
        bool used = false;
        if (!parse_number(pair.value, &value) || !isfinite(value)) {
            nnc_fail(error, "--lr wants a number or OPTIMIZER=NUMBER, not '%s'", options->lr[i]);
            return 2;
        }
        for (int r = 0; r < trainer->rate_count; ++r) {
            if (pair.name && !rate_is_named(trainer->rates[r].name, pair.name)) continue;
            trainer->rates[r].base = value;
            trainer->rates[r].given = used = true;
        }
        if (!used) {
            nnc_fail(error, "--lr %s: '%s' has no such run-time learning rate", options->lr[i],
                     table->name);
            for (int r = 0; r < trainer->rate_count; ++r)
                nnc_error_add(error, "\n  it has %s", trainer->rates[r].name);
            return 2;
        }
    }
    trainer->follows = options->schedule || options->warmup > 0;
    if (trainer->rate_count == 0 && trainer->follows) {
        nnc_fail(
            error,
            "--schedule and --warmup need a run-time learning rate (`lr: f32` of an optimizer)");
        return 2;
    }
    return 0;
}

/* ---- the library's schedules ---- */

typedef struct NameList {
    Text text;
    const char *wanted, *closest;
    int distance;
    bool found;
} NameList;

static void visit_name(void *user, const char *space, const char *name) {
    NameList *list = user;
    if (strcmp(space, "lr_scheduler")) return;
    text_printf(&list->text, "%s%s", list->text.length ? ", " : "", name);
    if (!list->wanted) return;
    list->found |= !strcmp(name, list->wanted);
    int distance = text_distance(name, list->wanted, 3);
    if (distance > 3 || (list->closest && distance >= list->distance)) return;
    list->closest = name;
    list->distance = distance;
}

const char *schedule_names(Arena *arena) {
    NameList list = {.text = text_new(arena)};
    lower_visit_library(visit_name, &list);
    return list.text.data;
}

/* NAME or NAME:ARGUMENTS.  The arguments are an expression's, so what could end it is refused. */
static int split_schedule(Arena *arena, const char *spec, const char **name, const char **arguments,
                          NncError *error) {
    const char *colon = strchr(spec, ':');
    *name = colon ? arena_strndup(arena, spec, (size_t)(colon - spec)) : spec;
    *arguments = colon ? colon + 1 : "";
    NameList list = {.text = text_new(arena), .wanted = *name};
    lower_visit_library(visit_name, &list);
    if (!list.found) {
        nnc_fail(error, "--schedule: there is no schedule '%s'", *name);
        if (list.closest) nnc_error_add(error, "; did you mean '%s'?", list.closest);
        nnc_error_add(error, "\nThey are: %s", list.text.data);
        return 2;
    }
    int depth = 0;
    bool good = true;
    for (const char *c = *arguments; *c; ++c) {
        depth += *c == '(' || *c == '[' ? 1 : *c == ')' || *c == ']' ? -1 : 0;
        good = good && depth >= 0 && *c >= ' ' && *c < 127 && !strchr("{}#;\\", *c);
    }
    if (good && depth == 0) return 0;
    nnc_fail(error, "--schedule wants NAME:KEY=VALUE,..., not '%s'", spec);
    return 2;
}

static const char *schedule_source(Arena *arena, const char *name, const char *arguments,
                                   int64_t total) {
    const char *comma = *arguments ? ", " : "";
    const char *call =
        arena_printf(arena, "lr_scheduler.%s(optimizer%s%s)", name, comma, arguments);
    if (!strstr(arguments, "total_steps") && !strstr(arguments, "epochs"))
        call = arena_printf(arena,
                            "lr_scheduler.%s(optimizer%s%s, total_steps=%" PRId64
                            ") if lr_scheduler._takes_total(lr_scheduler.%s) else %s",
                            name, comma, arguments, total, name, call);
    return arena_printf(
        arena,
        "train Schedule {\n"
        "    self.p = nn.Linear(1, 1)\n"
        "    self.optimizer = optim.SGD(self.p.parameters(), lr=1.0, momentum=0.9)\n"
        "    optimizer = self.optimizer\n"
        "    self.schedule = %s\n"
        "    unit = lr_scheduler._unit(self.schedule)\n"
        "    def at(self, lr: f64, t: f64) -> (rate: f64, unit: i64) {\n"
        "        if unit == 2 { return lr, unit }\n"
        "        return self.schedule.rates(torch.stack([lr]), t)[0], unit\n"
        "    }\n"
        "    def begin(self, lr: f64) -> (rate: f64) {\n"
        "        self.optimizer.lr = lr\n"
        "        return lr\n"
        "    }\n"
        "    def observe(self, loss: f64) -> (rate: f64) {\n"
        "        if unit == 2 { lr_scheduler._advance(self.schedule, loss) }\n"
        "        return self.optimizer.lr + 0 * loss\n"
        "    }\n"
        "}\n",
        call);
}

static Program *lower_schedule(Arena *arena, const char *text, const PipelineOptions *options) {
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceUnit *unit =
        syntax_parse(arena, source_new(arena, "--schedule", (char *)text, strlen(text)), sink);
    SemaOptions sema = {.visit_library = lower_visit_library};
    Program *program = NULL;
    if (!diagnostics_errors(sink)) sema_check(arena, unit, &sema, sink);
    if (!diagnostics_errors(sink)) {
        LowerOptions lower = {.default_dtype = DTYPE_F64, .no_views = true};
        program = lower_program(arena, unit, &lower, sink);
    }
    diagnostics_print(sink, stderr, options->form, options->color);
    return diagnostics_errors(sink) ? NULL : program;
}

static Tensor *scalar(Arena *arena, double value) {
    Tensor *t = tensor_new(arena, DTYPE_F64, 0, NULL);
    if (t) tensor_set(t, 0, value);
    return t;
}

static bool fail_interpreter(const char *reason, NncError *error) {
    return nnc_fail(error, "--schedule cannot be computed: %s", reason);
}

static bool rate_at(const Schedule *schedule, double lr, double t, double *rate, ScheduleUnit *unit,
                    NncError *error) {
    Arena *arena = arena_new();
    Interpretation how = {.mode = INTERPRET_VALUE};
    Tensor *inputs[2] = {scalar(arena, lr), scalar(arena, t)}, *results[2];
    const char *reason = interpret_graph(arena, schedule->at->graph, &how, inputs, results);
    if (reason) {
        fail_interpreter(reason, error);
    } else {
        *rate = tensor_get(results[0], 0);
        *unit = (ScheduleUnit)tensor_get(results[1], 0);
    }
    arena_free(arena);
    return !reason;
}

static bool call_state(Environment *env, const Entry *entry, double number, double *rate,
                       NncError *error) {
    Tensor *input = scalar(env->arena, number), *result;
    const char *reason = interpret_entry(env, INTERPRET_VALUE, entry, NULL, &input, &result);
    if (reason) return fail_interpreter(reason, error);
    *rate = tensor_get(result, 0);
    return true;
}

static bool open_states(Trainer *trainer, NncError *error) {
    Schedule *schedule = trainer->schedule;
    const Root *root = schedule->program->roots.data[0];
    const Entry *init = pipeline_find_entry(root, "init");
    schedule->arena = arena_new();
    schedule->states = NEW_ARRAY(trainer->arena, (size_t)trainer->rate_count, Environment *);
    for (int r = 0; r < trainer->rate_count; ++r) {
        Environment *env = environment_new(schedule->arena, root, schedule->program->dims);
        double begun;
        const char *reason = interpret_entry(env, INTERPRET_VALUE, init, NULL, NULL, NULL);
        if (reason) return fail_interpreter(reason, error);
        if (!call_state(env, schedule->begin, trainer->rates[r].base, &begun, error)) return false;
        schedule->states[r] = env;
    }
    for (int i = 0; i < trainer->history_count; ++i)
        if (!trainer_observe(trainer, trainer->history[trainer->has_test][i], error)) return false;
    return true;
}

bool trainer_observe(Trainer *trainer, double loss, NncError *error) {
    Schedule *schedule = trainer->schedule;
    for (int r = 0; schedule && schedule->states && r < trainer->rate_count; ++r)
        if (!call_state(schedule->states[r], schedule->observe, loss, &trainer->rates[r].scheduled,
                        error))
            return false;
    return true;
}

/* The steps that the schedule is spread over, or the epochs. */
static bool count_total(const Trainer *trainer, bool by_epoch, int64_t *total, NncError *error) {
    size_t steps;
    *total = trainer->epochs;
    if (by_epoch) return true;
    if (!nnc_multiply((size_t)trainer->epochs, (size_t)trainer->batches, &steps) ||
        steps > INT64_MAX)
        return nnc_fail(error, "--epochs %" PRId64 " of %" PRId64 " steps are too many to count",
                        trainer->epochs, trainer->batches);
    *total = (int64_t)steps - trainer->options->warmup;
    if (*total < 1) *total = 1;
    return true;
}

/* Whether the block's own entries set a learning rate that no argument gives. */
static const Cell *own_rate(const Trainer *trainer) {
    const Root *root = trainer->root;
    for (int r = 0; r < trainer->rate_count; ++r)
        if (trainer->rates[r].cell < 0) return NULL;
    for (int i = 0; root && i < root->entries.count; ++i) {
        const Entry *entry = root->entries.data[i];
        if (entry->kind != ENTRY_TRAIN && entry->kind != ENTRY_INFER) continue;
        for (int w = 0; w < entry->writes.count; ++w) {
            const Cell *cell = entry->writes.data[w].cell;
            for (int r = 0; r < trainer->rate_count; ++r)
                if (strcmp(trainer->rates[r].name, cell->name->text) == 0) return cell;
        }
    }
    return NULL;
}

int trainer_open_schedule(Trainer *trainer, NncError *error) {
    const TrainOptions *options = trainer->options;
    const Cell *own = own_rate(trainer);
    if (trainer->follows && own) {
        nnc_fail(error, "the block sets %s itself: leave out --schedule and --warmup",
                 own->name->text);
        return 2;
    }
    for (int r = 0; r < trainer->rate_count; ++r)
        trainer->rates[r].scheduled = trainer->rates[r].base;
    if (!options->schedule) return 0;
    const char *name, *arguments;
    int status = split_schedule(trainer->arena, options->schedule, &name, &arguments, error);
    if (status != 0) return status;
    bool by_epoch = options->schedule_every && strcmp(options->schedule_every, "epoch") == 0;
    int64_t total;
    if (!count_total(trainer, by_epoch, &total, error)) return 2;
    const char *text = schedule_source(trainer->arena, name, arguments, total);
    Program *program = lower_schedule(trainer->arena, text, &options->pipeline);
    if (!program) {
        nnc_fail(error, "--schedule %s: see above", options->schedule);
        return 2;
    }
    Schedule *schedule = trainer->schedule = NEW(trainer->arena, Schedule);
    const Root *root = program->roots.data[0];
    *schedule = (Schedule){.program = program,
                           .at = pipeline_find_entry(root, "at"),
                           .begin = pipeline_find_entry(root, "begin"),
                           .observe = pipeline_find_entry(root, "observe")};
    double rate;
    if (!rate_at(schedule, 1, 0, &rate, &schedule->unit, error)) return 1;
    if (options->schedule_every) {
        if (schedule->unit == UNIT_LOSS) {
            nnc_fail(error, "%s looks at the loss of each epoch: leave out --schedule-every", name);
            return 2;
        }
        schedule->unit = by_epoch ? UNIT_EPOCH : UNIT_BATCH;
    }
    if (schedule->unit != UNIT_LOSS) return 0;
    const nnc_entry_info *judge = trainer_judge(trainer);
    if (trainer_loss_index(judge) < 0) {
        nnc_fail(error, "%s goes by a loss, but no result of %s is a float of rank 0", name,
                 judge->name);
        return 2;
    }
    return open_states(trainer, error) ? 0 : 1;
}

void trainer_close_schedule(Trainer *trainer) {
    if (trainer->schedule) arena_free(trainer->schedule->arena);
}

static bool set_rate(Trainer *trainer, Rate *rate, double value, NncError *error) {
    rate->now = value;
    NncArray *argument = rate->cell < 0 ? &trainer->feed.fixed[rate->argument] : NULL;
    if (!argument) return nnc_session_set_number(&trainer->session, rate->cell, value, error);
    nnc_element_set(argument->dtype, argument->data, 0, value);
    return true;
}

bool trainer_read_rates(Trainer *trainer, NncError *error) {
    for (int r = 0; r < trainer->rate_count; ++r) {
        NncArray value;
        bool none;
        if (trainer->rates[r].cell < 0) continue;
        if (!nnc_session_get(&trainer->session, trainer->rates[r].cell, &value, &none, error))
            return false;
        trainer->rates[r].now = nnc_element_get(value.dtype, value.data, 0);
        nnc_array_free(&value);
    }
    return true;
}

/* Without --schedule and --warmup a rate is set once, where --lr gives it: the block may change it.
 */
bool trainer_set_rates(Trainer *trainer, NncError *error) {
    const Schedule *schedule = trainer->schedule;
    int64_t warmup = trainer->options->warmup, step = trainer->step;
    double ramp = step < warmup ? (double)(step + 1) / (double)warmup : 1;
    int64_t t = schedule && schedule->unit == UNIT_EPOCH ? trainer->feed.loader.epoch
                : step > warmup                          ? step - warmup
                                                         : 0;
    for (int r = 0; r < trainer->rate_count; ++r) {
        Rate *rate = &trainer->rates[r];
        if (!trainer->follows && !(rate->given && step == trainer->first_step)) continue;
        if (schedule && schedule->unit != UNIT_LOSS &&
            (t != rate->time || step == trainer->first_step)) {
            ScheduleUnit unit;
            if (!rate_at(schedule, rate->base, (double)t, &rate->scheduled, &unit, error))
                return false;
            rate->time = t;
        }
        if (!set_rate(trainer, rate, rate->scheduled * ramp, error)) return false;
    }
    return true;
}
