/* Checkpoints survive kill -9 and loss of power: what loads is the old or the new state, whole.
 *
 * Kill: a child saves states 1, 2, 3 ... in small slow writes and is killed at a random moment
 * (500 times, or as often as the argument says).  Power: a trace of the I/O calls of several saves
 * is replayed up to every call; what was not synced is dropped, torn or reordered, directory
 * entries stay or go, and every such disk is loaded.  Without the fsyncs the same search must find
 * a loss. */
#include "support.h"
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "linear_model.h"

static void open_session(NncSession *session) {
    NncError error;
    if (!nnc_session_open(session, &linear_model, NULL, NULL, &error)) fail_msg("%s", error.text);
    if (!nnc_session_init(session, 1, &error)) fail_msg("%s", error.text);
}

/* State k has k in every place. */
static void set_state(NncSession *session, int k) {
    LinearWeights *weights = session->context.weights;
    for (int i = 0; i < LINEAR_F; ++i) weights->weight[i] = (float)(k + i);
    weights->bias[0] = (float)k;
    session->context.step = (uint64_t)k;
}

/* The state that a file holds, or -1: none, damaged, or a mixture. */
static int state_of(const char *path, NncSession *session) {
    NncTensorFile file;
    NncError error;
    if (!nnc_checkpoint_read(path, &file, &error)) return -1;
    bool good = nnc_checkpoint_restore(session, &file, &error);
    nnc_tensor_file_free(&file);
    if (!good) return -1;
    const LinearWeights *weights = session->context.weights;
    int k = (int)session->context.step;
    for (int i = 0; i < LINEAR_F; ++i)
        if (weights->weight[i] != (float)(k + i)) return -1;
    return weights->bias[0] == (float)k ? k : -1;
}

static NncIo real_io;

/* ---- kill -9 ---- */

static int kills = 500;

static ssize_t slow_write(int fd, const void *data, size_t bytes) {
    usleep(20);
    return real_io.write(fd, data, bytes < 150 ? bytes : 150);
}

static void save_for_ever(const char *path, int k, volatile int *begun, volatile int *done) {
    NncSession session;
    NncError error;
    nnc_io.write = slow_write;
    open_session(&session);
    for (;;) {
        set_state(&session, ++k);
        *begun = k;
        if (!nnc_checkpoint_save(&session, path, NULL, 0, &error)) _exit(1);
        *done = k;
    }
}

static void remove_leftovers(const char *prefix) {
    DIR *folder = opendir(test_folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            strlen(entry->d_name) > strlen(prefix))
            assert_int_equal(unlinkat(dirfd(folder), entry->d_name, 0), 0);
    closedir(folder);
}

static void test_kill(void **state) {
    const char *path = in_folder("killed");
    volatile int *shared =
        mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true((void *)shared != MAP_FAILED);
    NncSession session;
    NncError error;
    uint64_t seed = 7;
    int last = 0, old = 0, new = 0;
    open_session(&session);
    set_state(&session, 0);
    assert_true(nnc_checkpoint_save(&session, path, NULL, 0, &error));
    real_io = nnc_io;
    for (int round = 0; round < kills; ++round) {
        shared[0] = shared[1] = last;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) save_for_ever(path, last, &shared[0], &shared[1]);
        usleep(500 + (unsigned)(test_random(&seed) % 8000));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        int k = state_of(path, &session);
        if (k != shared[0] && k != shared[1])
            fail_msg("round %d: state %d; saved was %d, begun was %d", round, k, shared[1],
                     shared[0]);
        if (shared[0] != shared[1]) *(k == shared[0] ? &new : &old) += 1;
        last = k;
        remove_leftovers("killed");
    }
    printf("kill -9: %d times, %d of them in a save (%d old, %d new), 0 lost\n", kills, old + new,
           old, new);
    assert_true(old > kills / 10);
    nnc_session_close(&session);
    munmap((void *)(uintptr_t)shared, 2 * sizeof(int));
}

/* ---- loss of power ---- */

typedef enum EventKind {
    EVENT_CREATE,
    EVENT_WRITE,
    EVENT_SYNC,
    EVENT_RENAME,
    EVENT_UNLINK,
    EVENT_SYNC_FOLDER,
    EVENT_SAVED
} EventKind;

enum { EVENT_LIMIT = 4096, INODE_LIMIT = 64, PENDING_LIMIT = 64 };

typedef struct Event {
    EventKind kind;
    int inode;      /* of create, write, sync, rename; the state of saved */
    bool to_target; /* rename: the name is the checkpoint's */
    size_t offset, length;
    unsigned char *data;
} Event;

static Event events[EVENT_LIMIT];
static int event_count, inode_count;
static int inode_of_fd[1024];
static size_t length_of_inode[INODE_LIMIT];
static char name_of_inode[INODE_LIMIT][512];
static const char *target;

static Event *record(EventKind kind, int inode) {
    assert_true(event_count < EVENT_LIMIT);
    Event *event = &events[event_count++];
    *event = (Event){.kind = kind, .inode = inode};
    return event;
}

static int find_inode(const char *path) {
    for (int i = inode_count; i-- > 0;)
        if (strcmp(name_of_inode[i], path) == 0) return i;
    return -1;
}

static int r_open(const char *path, int flags, int mode) {
    int fd = real_io.open(path, flags, mode);
    if (fd < 0) return fd;
    assert_true(fd < 1024);
    inode_of_fd[fd] = -1;
    if (flags & O_CREAT) {
        assert_true(inode_count < INODE_LIMIT);
        strcpy(name_of_inode[inode_count], path);
        length_of_inode[inode_count] = 0;
        record(EVENT_CREATE, inode_count);
        inode_of_fd[fd] = inode_count++;
    } else if (flags & O_DIRECTORY) {
        inode_of_fd[fd] = -2;
    }
    return fd;
}
static ssize_t r_write(int fd, const void *data, size_t bytes) {
    ssize_t n = real_io.write(fd, data, bytes);
    int inode = inode_of_fd[fd];
    if (n > 0 && inode >= 0) {
        Event *event = record(EVENT_WRITE, inode);
        event->offset = length_of_inode[inode];
        event->length = (size_t)n;
        event->data = malloc((size_t)n);
        memcpy(event->data, data, (size_t)n);
        length_of_inode[inode] += (size_t)n;
    }
    return n;
}
static int r_fsync(int fd) {
    int result = real_io.fsync(fd);
    if (result == 0 && inode_of_fd[fd] == -2) record(EVENT_SYNC_FOLDER, -1);
    if (result == 0 && inode_of_fd[fd] >= 0) record(EVENT_SYNC, inode_of_fd[fd]);
    return result;
}
static int r_rename(const char *from, const char *to) {
    int result = real_io.rename(from, to), inode = find_inode(from);
    if (result == 0) {
        record(EVENT_RENAME, inode)->to_target = strcmp(to, target) == 0;
        strcpy(name_of_inode[inode], to);
    }
    return result;
}
static int r_unlink(const char *path) {
    int result = real_io.unlink(path);
    if (result == 0) record(EVENT_UNLINK, find_inode(path));
    return result;
}

typedef struct Search {
    bool ignore_sync, ignore_folder_sync;
    int64_t disks, loads, losses;
    const char *scratch;
    NncSession *session;
} Search;

/* A file after the crash: what was synced, and of the pending writes those in `kept`; write `torn`
 * (or -1) arrives by half. */
static size_t build_file(int inode, int end, int synced, uint64_t kept, int torn,
                         unsigned char *out) {
    size_t length = 0;
    int pending = 0;
    for (int e = 0; e < end; ++e) {
        const Event *event = &events[e];
        if (event->kind != EVENT_WRITE || event->inode != inode) continue;
        size_t bytes = event->length;
        if (e >= synced) {
            bool arrives = kept >> pending & 1;
            if (pending == torn) bytes /= 2;
            ++pending;
            if (!arrives) continue;
        }
        if (event->offset + bytes > length) {
            memset(out + length, 0, event->offset + bytes - length); /* a hole reads as zeros */
            length = event->offset + bytes;
        }
        memcpy(out + event->offset, event->data, bytes);
    }
    return length;
}

static void judge(Search *search, const unsigned char *data, size_t length, int least, int most) {
    int fd = open(search->scratch, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, data, length) == (ssize_t)length);
    close(fd);
    int k = state_of(search->scratch, search->session);
    ++search->loads;
    if (k < least || k > most) ++search->losses;
}

/* The checkpoint's name leads to `inode`, after a crash before event `end`. */
static void crash_with(Search *search, int inode, int end, int least, int most) {
    static unsigned char data[1 << 16];
    int synced = 0, pending = 0;
    for (int e = 0; e < end; ++e)
        if (events[e].kind == EVENT_SYNC && events[e].inode == inode && !search->ignore_sync)
            synced = e;
    for (int e = synced; e < end; ++e)
        pending += events[e].kind == EVENT_WRITE && events[e].inode == inode;
    assert_true(pending < PENDING_LIMIT);
    uint64_t all = ((uint64_t)1 << pending) - 1, seed = (uint64_t)end * 64 + (uint64_t)inode;
    /* All, none, each one lost, each one alone, each one torn, then subsets: every one of few. */
    int subsets = pending == 0 ? 0 : pending <= 6 ? 1 << pending : 64;
    for (int i = -1 - 3 * pending; i < subsets; ++i) {
        uint64_t kept = all;
        int torn = -1, which = -2 - i;
        if (i >= 0)
            kept = pending <= 6 ? (uint64_t)i : test_random(&seed) & all;
        else if (i < -1 && which < pending)
            kept = all & ~((uint64_t)1 << which);
        else if (i < -1 && which < 2 * pending)
            kept = (uint64_t)1 << (which - pending);
        else if (i < -1)
            torn = which - 2 * pending;
        ++search->disks;
        judge(search, data, build_file(inode, end, synced, kept, torn, data), least, most);
    }
}

static void crash_before(Search *search, int end) {
    int least = 0, most = 0, synced = 0, inodes[INODE_LIMIT], count = 0;
    for (int e = 0; e < end; ++e) {
        if (events[e].kind == EVENT_SAVED) least = most = events[e].inode;
        if (events[e].kind == EVENT_CREATE) most = least + 1;
        if (events[e].kind == EVENT_SYNC_FOLDER && !search->ignore_folder_sync) synced = e;
    }
    /* The last synced rename holds; each later one may or may not have arrived. */
    for (int e = 0; e < end; ++e) {
        if (events[e].kind != EVENT_RENAME || !events[e].to_target) continue;
        if (e < synced) count = 0;
        inodes[count++] = events[e].inode;
    }
    for (int i = 0; i < count; ++i) crash_with(search, inodes[i], end, least, most);
}

static Search search_all(NncSession *session, bool ignore_sync, bool ignore_folder_sync) {
    Search search = {.ignore_sync = ignore_sync,
                     .ignore_folder_sync = ignore_folder_sync,
                     .scratch = in_folder("scratch"),
                     .session = session};
    int first = 0;
    while (events[first].kind != EVENT_SAVED) ++first;
    for (int end = first + 1; end <= event_count; ++end) crash_before(&search, end);
    return search;
}

static void test_power_loss(void **state) {
    enum { SAVES = 6 };
    NncSession session;
    NncError error;
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("powered"));
    target = path;
    open_session(&session);
    real_io = nnc_io;
    nnc_io.open = r_open;
    nnc_io.write = r_write;
    nnc_io.fsync = r_fsync;
    nnc_io.rename = r_rename;
    nnc_io.unlink = r_unlink;
    for (int k = 0; k < SAVES; ++k) {
        set_state(&session, k);
        NncPair pair = {"log", k % 2 ? "a longer text, so that files differ in length" : ""};
        if (!nnc_checkpoint_save(&session, path, &pair, 1, &error)) fail_msg("%s", error.text);
        record(EVENT_SAVED, k);
    }
    nnc_io = real_io;
    Search good = search_all(&session, false, false);
    Search no_sync = search_all(&session, true, false);
    Search no_folder_sync = search_all(&session, false, true);
    printf("power loss: %d events, %lld disks, %lld lost; without fsync %lld of %lld lost, without "
           "that of the folder %lld of %lld\n",
           event_count, (long long)good.disks, (long long)good.losses, (long long)no_sync.losses,
           (long long)no_sync.disks, (long long)no_folder_sync.losses,
           (long long)no_folder_sync.disks);
    assert_int_equal(good.losses, 0);
    assert_true(good.disks > event_count / 2);
    assert_true(no_sync.losses > 0);
    assert_true(no_folder_sync.losses > 0);
    for (int e = 0; e < event_count; ++e) free(events[e].data);
    nnc_session_close(&session);
}

int main(int argc, char **argv) {
    if (argc > 1) kills = atoi(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_power_loss, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_kill, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
