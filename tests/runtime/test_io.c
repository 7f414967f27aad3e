/* The seams: every I/O call fails once, writes are short, memory runs out at every allocation. */
#include "support.h"
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static int calls, fail_at;
static NncIo real_io;
static size_t write_limit;

static bool must_fail(void) {
    ++calls;
    if (calls != fail_at) return false;
    errno = EIO;
    return true;
}
static int t_open(const char *path, int flags, int mode) {
    return must_fail() ? -1 : real_io.open(path, flags, mode);
}
static ssize_t t_read(int fd, void *data, size_t n) {
    return must_fail() ? -1 : real_io.read(fd, data, n < 3 ? n : 3);
}
static ssize_t t_write(int fd, const void *data, size_t n) {
    return must_fail() ? -1 : real_io.write(fd, data, n < write_limit ? n : write_limit);
}
static int t_fsync(int fd) {
    return must_fail() ? -1 : real_io.fsync(fd);
}
static int t_close(int fd) {
    bool fails = must_fail();
    int result = real_io.close(fd);
    return fails ? (errno = EIO, -1) : result;
}
static int t_rename(const char *a, const char *b) {
    return must_fail() ? -1 : real_io.rename(a, b);
}

static int set_hooks(void **state) {
    real_io = nnc_io;
    nnc_io = (NncIo){t_open, t_read, t_write, t_fsync, t_close, t_rename, nnc_io.unlink};
    calls = fail_at = 0;
    write_limit = 5;
    return make_folder(state);
}
static int clear_hooks(void **state) {
    nnc_io = real_io;
    return remove_folder(state);
}

static bool write_text(const char *path, const char *text, NncError *error) {
    size_t half = strlen(text) / 2;
    NncBytes parts[2] = {{(unsigned char *)(uintptr_t)text, half},
                         {(unsigned char *)(uintptr_t)text + half, strlen(text) - half}};
    return nnc_file_write(path, parts, 2, error);
}

static void expect_text(const char *path, const char *old, const char *new) {
    char buffer[256] = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(buffer, 1, sizeof buffer - 1, file) > 0);
    fclose(file);
    if (strcmp(buffer, old) != 0 && strcmp(buffer, new) != 0)
        fail_msg("the file holds '%s'", buffer);
}

static void test_write_fails_everywhere(void **state) {
    static const char old[] = "the old contents of the file",
                      new[] = "and the new, which are longer than that";
    const char *path = in_folder("file");
    NncError error;
    assert_true(write_text(path, old, &error));
    chmod(path, 0640);
    int total = 0;
    for (int at = 1;; ++at) {
        calls = 0;
        fail_at = at;
        bool good = write_text(path, new, &error);
        fail_at = 0;
        expect_text(path, old, new);
        assert_int_equal(count_files(), 1); /* no temporary file stays */
        if (good) {
            expect_text(path, new, new);
            break;
        }
        total = at;
        assert_true(write_text(path, old, &error));
    }
    assert_true(total > 10);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void test_read_fails_everywhere(void **state) {
    const char *path = in_folder("data");
    NncBytes bytes;
    NncError error;
    put_file(path, "0123456789", 10);
    for (int at = 1; at < 4; ++at) {
        calls = 0;
        fail_at = at;
        assert_false(nnc_file_read(path, 100, &bytes, &error));
    }
    fail_at = 0;
    assert_true(nnc_file_read(path, 100, &bytes, &error));
    assert_int_equal(bytes.length, 10);
    nnc_release(bytes.data);
    assert_false(nnc_file_read(path, 9, &bytes, &error));
}

static void test_refused_targets(void **state) {
    NncError error;
    assert_false(write_text(test_folder, "x", &error));
    assert_false(write_text(in_folder("no/such/folder/file"), "x", &error));
    /* A link is replaced, not followed. */
    put_file(in_folder("target"), "keep", 4);
    assert_int_equal(symlink("target", in_folder("link")), 0);
    assert_true(write_text(in_folder("link"), "new text", &error));
    expect_text(in_folder("target"), "keep", "keep");
}

static int left, live;
static NncAllocator real_allocator;
static void *t_allocate(size_t bytes) {
    if (left >= 0 && left-- == 0) return NULL;
    ++live;
    return real_allocator.allocate(bytes);
}
static void t_release(void *memory) {
    if (memory) --live;
    real_allocator.release(memory);
}

static void test_allocation_fails_everywhere(void **state) {
    NncError error;
    const char *path = in_folder("w.safetensors");
    float data[4] = {1, 2, 3, 4};
    NncArray arrays[2] = {{"b", NNC_F32, 1, {4}, 16, data, false},
                          {"a", NNC_F32, 2, {2, 1}, 8, data, false}};
    NncPair pairs[1] = {{"key", "value"}};
    real_allocator = nnc_allocator;
    nnc_allocator = (NncAllocator){t_allocate, t_release};
    int failures = 0;
    for (int n = 0;; ++n) {
        left = n;
        bool good = nnc_safetensors_write(path, arrays, 2, pairs, 1, &error);
        assert_int_equal(live, 0);
        if (good) break;
        ++failures;
    }
    for (int n = 0;; ++n) {
        NncTensorFile file;
        left = n;
        bool good = nnc_safetensors_read(path, &file, &error);
        left = -1;
        if (good) nnc_tensor_file_free(&file);
        assert_int_equal(live, 0);
        if (good) break;
        ++failures;
    }
    for (int n = 0;; ++n) {
        NncLoader loader;
        NncColumn column = {"x", {NULL, NNC_F32, 1, {4}, 16, data, false}, 0};
        left = n;
        bool good = nnc_loader_open(&loader, &column, 1, 2, true, false, 1, 0, &error);
        left = -1;
        if (good) nnc_loader_close(&loader);
        assert_int_equal(live, 0);
        if (good) break;
        ++failures;
    }
    nnc_allocator = real_allocator;
    assert_true(failures > 15);
}

enum { BIG = 300000 };

/* Writes files of one repeated byte for ever. */
static void write_for_ever(const char *path) {
    static unsigned char data[BIG];
    NncError error;
    for (int k = 1;; ++k) {
        memset(data, k & 127, sizeof data);
        NncBytes part = {data, sizeof data};
        if (!nnc_file_write(path, &part, 1, &error)) _exit(1);
    }
}

static void test_killed_while_writing(void **state) {
    const char *path = in_folder("checkpoint");
    uint64_t seed = 1;
    int alive = 0;
    /* On a busy machine it takes some rounds until a child has come to the end of a first file. */
    for (int round = 0; alive <= 45 && round < 1000; ++round) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_for_ever(path);
        usleep(1000 + (unsigned)(test_random(&seed) % 15000));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        NncBytes bytes;
        NncError error;
        if (!nnc_file_read(path, 1 << 20, &bytes, &error)) {
            assert_int_equal(alive, 0); /* nothing was there yet */
            continue;
        }
        ++alive;
        assert_int_equal(bytes.length, BIG);
        for (size_t i = 1; i < bytes.length; ++i) assert_int_equal(bytes.data[i], bytes.data[0]);
        nnc_release(bytes.data);
    }
    assert_true(alive > 45);
    /* The next who writes the file removes what they left. */
    NncError error;
    assert_true(write_text(path, "whole", &error));
    assert_int_equal(count_files(), 1);
}

/* The number of a process that has ended. */
static long dead_process(void) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return child;
}

static const char *left_file(const char *form, long process) {
    char name[128];
    snprintf(name, sizeof name, form, process);
    const char *path = in_folder(name);
    put_file(path, "part", 4);
    return path;
}

static void test_leftovers(void **state) {
    long dead = dead_process();
    NncError error;
    assert_int_equal(access(left_file("file.tmp-%ld-0", dead), F_OK), 0);
    left_file("file.tmp-%ld-17", dead);
    /* All others stay: of a living process, locked by its writer, or named by somebody else. */
    left_file("file.tmp-%ld-0", (long)getpid());
    left_file("file.tmp-%ld-0", (long)getppid());
    int locked = open(left_file("file.tmp-%ld-2", dead), O_RDONLY);
    assert_int_equal(flock(locked, LOCK_EX), 0);
    left_file("file.tmp-%ld", dead);
    left_file("file.tmp-%ld-", dead);
    left_file("file.tmp-%ld-0x", dead);
    left_file("file.tmp--%ld-0", dead);
    left_file("file.tmp- %ld-0", dead);
    left_file("file.tmp-99999999999999999999%ld-0", dead);
    left_file("file.tmp-0-%ld", dead);
    left_file("file-tmp-%ld-0", dead);
    left_file("other.tmp-%ld-0", dead);
    left_file("file%ld", dead);
    put_file(in_folder("target"), "keep", 4);
    char name[64];
    snprintf(name, sizeof name, "file.tmp-%ld-3", dead);
    assert_int_equal(symlink("target", in_folder(name)), 0);
    int before = count_files();
    assert_true(write_text(in_folder("file"), "text", &error));
    assert_int_equal(count_files(), before - 2 + 1);
    close(locked);
    assert_true(write_text(in_folder("file"), "text", &error));
    assert_int_equal(count_files(), before - 3 + 1);
    assert_true(write_text(in_folder("other"), "text", &error));
    assert_int_equal(count_files(), before - 3 + 1); /* one more, and one less */
}

static void scratch_folder(const char *form, long process, long age) {
    char name[64];
    snprintf(name, sizeof name, form, process);
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(name));
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(name, sizeof name, form, process);
    put_file(in_folder(strcat(name, "/model.c")), "int x;", 6);
    struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_left_folders(void **state) {
    long dead = dead_process();
    scratch_folder("build-%ld-abcdef", dead, 7200);
    scratch_folder("build-%ld-young", dead, 60);
    scratch_folder("build-%ld-abcdef", getpid(), 7200);
    scratch_folder("build-x%ld", dead, 7200);
    scratch_folder("mybuild-%ld-a", dead, 7200);
    left_file("build-%ld-file", dead);
    assert_int_equal(count_files(), 6);
    nnc_leftover_folders_remove(test_folder, "build-");
    assert_int_equal(count_files(), 5);
    char name[64];
    snprintf(name, sizeof name, "build-%ld-abcdef", dead);
    assert_int_not_equal(access(in_folder(name), F_OK), 0);
    nnc_leftover_folders_remove(in_folder("nowhere"), "build-");
}

static void test_disk_full(void **state) {
    /* A limit on the size of files stands for the full disk: at each of several sizes the old file
     * stays. */
    static const char old[] = "what was there";
    static unsigned char data[5000];
    const char *path = in_folder("full");
    struct rlimit before, limit;
    NncError error;
    NncBytes part = {data, sizeof data};
    assert_true(write_text(path, old, &error));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t size = 0; size < sizeof data; size += 499) {
        limit = before;
        limit.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        bool good = nnc_file_write(path, &part, 1, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_false(good);
        expect_text(path, old, old);
        assert_int_equal(count_files(), 1);
    }
    assert_true(nnc_file_write(path, &part, 1, &error));
}

/* From a huge page on, memory begins with one: its pages can be. */
static void test_alignment(void **state) {
    (void)state;
    NncError error;
    const size_t sizes[] = {1, 100, 4096, (2u << 20) - 1, 2u << 20, (6u << 20) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *memory = nnc_allocate(sizes[i], &error);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (sizes[i] < 2u << 20 ? 64 : 2u << 20), 0);
        memory[0] = memory[sizes[i] - 1] = 1;
        nnc_release(memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment),
        cmocka_unit_test_setup_teardown(test_write_fails_everywhere, set_hooks, clear_hooks),
        cmocka_unit_test_setup_teardown(test_read_fails_everywhere, set_hooks, clear_hooks),
        cmocka_unit_test_setup_teardown(test_refused_targets, set_hooks, clear_hooks),
        cmocka_unit_test_setup_teardown(test_killed_while_writing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_leftovers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_left_folders, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_disk_full, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_allocation_fails_everywhere, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
