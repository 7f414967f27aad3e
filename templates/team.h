/* The threads that walk the steps of an entry: who runs which tiles, and who waits for whom.
 *
 * A step is one call of a kernel over tiles that are independent of each other.  With
 * NNC_CONCURRENT an entry forks once: every thread of the team walks all steps, takes its share of
 * each one's tiles, and waits for the others only before a step that needs what they wrote.
 * Without the flag, or without atomic words, a large step forks alone.  Invariants: all threads
 * take the same way through the steps; shares are contiguous runs of tiles that depend on the
 * numbers of tiles and threads only; nothing here changes what a tile computes. */
#ifndef NN_TEAM_H
#define NN_TEAM_H 1

#include "lanes.h"
#include "nnc_abi.h"

#ifndef NNC_WORKERS
#define NNC_WORKERS 8
#endif

/* Work is counted in floating-point operations plus bytes.  What one more thread must have
 * to do: */
#ifndef NN_FORK_WORK
#define NN_FORK_WORK 65536 /* in a step that forks alone */
#endif
#ifndef NN_TEAM_WORK
#define NN_TEAM_WORK 131072 /* in a whole call */
#endif
#ifndef NN_SHARE_WORK
#define NN_SHARE_WORK 16384 /* in a step between two barriers */
#endif
/* What a call must save by more threads, for each step that they share and for each byte of weights
 * that it writes and one cache after the other wants: lines that two caches hold take their time to
 * write.  Beyond NN_UPDATE_BYTES weights have left the caches before anyone comes back to them. */
#ifndef NN_BARRIER_WORK
#define NN_BARRIER_WORK 32768
#endif
#ifndef NN_UPDATE_WORK
#define NN_UPDATE_WORK 4
#endif
#define NN_UPDATE_BYTES 524288
#ifndef NN_SPINS
#define NN_SPINS 500 /* about 10 to 20 us: then a thread that waits calls nnc_context.wait */
#endif

#if defined(__GNUC__) && !defined(NN_NO_VECTORS) && __GCC_ATOMIC_INT_LOCK_FREE == 2
#define NN_CONCURRENT 1
#if NN_HAS(__builtin_ia32_pause)
#define NN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define NN_PAUSE() __asm__ volatile("yield")
#else
#define NN_PAUSE() ((void)0)
#endif
#else
#define NN_CONCURRENT 0
#endif

struct nn_call;
typedef void (*nn_kernel)(const struct nn_call *call, int64_t begin, int64_t end, char *scratch);

/* One cache line for each thread: the barriers that it has reached. */
typedef struct nn_line {
    uint32_t reached;
    char rest[60];
} nn_line;

typedef struct nn_team {
    const nnc_context *ctx;
    int count; /* threads that walk the steps */
    int forks; /* a large step may fork alone; then count is 1 */
    NN_ALIGNED nn_line lines[NNC_WORKERS];
} nn_team;

/* What one thread knows on its way. */
typedef struct nn_member {
    nn_team *team;
    int index;
    uint32_t reached; /* barriers */
    int since;        /* steps since the last of them */
    int shared;       /* one of those steps ran on more threads than the first */
    char *scratch;    /* of all workers */
    size_t slice;     /* bytes of one worker's scratch */
} nn_member;

NN_INLINE int nn_fail(nnc_context *ctx, int code, const char *message) {
    ctx->message = message;
    return code;
}

NN_INLINE int nn_misaligned(const void *p) { return ((uintptr_t)p & 63u) != 0; }

NN_INLINE nn_member nn_join(nn_team *team, int64_t index, char *scratch, size_t slice) {
    nn_member m;
    m.team = team, m.index = (int)index, m.reached = 0, m.since = 0, m.shared = 0;
    m.scratch = scratch, m.slice = slice;
    return m;
}

/* The caller alone: for what runs before the team does. */
NN_INLINE nn_member nn_alone(nn_team *team, const nnc_context *ctx, char *scratch, size_t slice) {
    team->ctx = ctx, team->count = 1, team->forks = ctx->parallel != NULL;
    return nn_join(team, 0, scratch, slice);
}

/* Runs `steps` for every thread of a team that is as large as `work` is worth, when `shared` of them
 * have something for several threads and all write `updated` bytes of weights. */
NN_OUTLINED void nn_walk(nn_team *team, const nnc_context *ctx, nnc_task steps, void *frame,
                         int64_t work, int64_t shared, int64_t updated) {
    int concurrent = NN_CONCURRENT && ctx->parallel && (ctx->flags & NNC_CONCURRENT);
    int64_t count = nn_min(nn_min(ctx->threads, NNC_WORKERS), work / NN_TEAM_WORK + 1), i;
    int64_t toll = nn_min(updated, NN_UPDATE_BYTES) * NN_UPDATE_WORK;
    if (count > 1 && work - work / count < toll + nn_min(shared, 1 << 20) * NN_BARRIER_WORK)
        count = 1;
    team->ctx = ctx, team->count = 1, team->forks = ctx->parallel && !concurrent;
    if (!concurrent || count < 2) {
        steps(frame, 0, 0);
        return;
    }
    team->count = (int)count;
    for (i = 0; i < count; i++) team->lines[i].reached = 0;
    ctx->parallel(ctx->parallel_user, count, steps, frame);
}

#if NN_CONCURRENT
/* Returns when all threads of the team are here; what they wrote is then visible to all. */
static NN_NOINLINE void nn_barrier(nn_member *m) {
    nn_team *team = m->team;
    int i;
    m->reached++;
    __atomic_store_n(&team->lines[m->index].reached, m->reached, __ATOMIC_RELEASE);
    for (i = 0; i < team->count; i++) {
        int64_t turn = 0;
        while ((int32_t)(__atomic_load_n(&team->lines[i].reached, __ATOMIC_ACQUIRE) - m->reached) <
               0) {
            if (turn++ < NN_SPINS || !team->ctx->wait)
                NN_PAUSE();
            else
                team->ctx->wait(team->ctx->parallel_user, turn - NN_SPINS);
        }
    }
    m->since = m->shared = 0;
}
#endif

typedef struct nn_job {
    nn_kernel kernel;
    const struct nn_call *call;
    int64_t tiles, tasks;
    const nn_member *member;
} nn_job;

/* Share `i` of `count` of a call's tiles. */
NN_INLINE void nn_part(const nn_member *m, nn_kernel kernel, const struct nn_call *call,
                       int64_t tiles, int64_t i, int64_t count) {
    kernel(call, tiles * i / count, tiles * (i + 1) / count, m->scratch + (size_t)i * m->slice);
}

static void nn_job_task(void *arg, int64_t i, int worker) {
    const nn_job *job = (const nn_job *)arg;
    (void)worker;
    nn_part(job->member, job->kernel, job->call, job->tiles, i, job->tasks);
}

/* One step.  It needs nothing of the `after` - 1 steps before it; 1: it needs the last one. */
NN_OUTLINED void nn_run(nn_member *m, int after, nn_kernel kernel, const struct nn_call *call,
                        int64_t tiles, int64_t work) {
    const nn_team *team = m->team;
    const nnc_context *ctx = team->ctx;
    nn_job job;
    int64_t tasks;
    (void)after;
#if NN_CONCURRENT
    if (team->count > 1) {
        /* A small step is the first thread's; small steps in a row need no barrier. */
        tasks = nn_min(nn_min(team->count, tiles), work / NN_SHARE_WORK + 1);
        if (after <= m->since && (m->shared || tasks > 1)) nn_barrier(m);
        m->since++;
        m->shared |= tasks > 1;
        if (m->index < tasks) nn_part(m, kernel, call, tiles, m->index, tasks);
        return;
    }
#endif
    if (tiles <= 0) return;
    tasks = nn_min(nn_min(ctx->threads, NNC_WORKERS), nn_min(tiles, work / NN_FORK_WORK + 1));
    if (!team->forks || tasks < 2) {
        kernel(call, 0, tiles, m->scratch);
        return;
    }
    job.kernel = kernel, job.call = call, job.tiles = tiles, job.tasks = tasks, job.member = m;
    ctx->parallel(ctx->parallel_user, tasks, nn_job_task, &job);
}

#endif
