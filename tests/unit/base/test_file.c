/* Reading and atomic writing, with failing calls. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

static Arena *arena;
static char folder[64], *path;
static FileTable saved;
static int setup(void **state) {
    arena = arena_new();
    saved = file_table;
    strcpy(folder, "/tmp/nnc-file-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    path = arena_printf(arena, "%s/x.txt", folder);
    return 0;
}
static int teardown(void **state) {
    unlink(path);
    rmdir(folder);
    arena_free(arena);
    return 0;
}

static const char *content(void) {
    size_t n;
    const char *error = NULL;
    return file_read_all(arena, path, 1 << 20, &n, &error);
}

static void test_write_read(void **state) {
    assert_null(file_write_all(arena, path, "hello", 5, 0644));
    assert_string_equal(content(), "hello");
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    assert_null(file_write_all(arena, path, "hello", 5, 0644));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* equal bytes: the file is not touched */
    assert_null(file_write_all(arena, path, "other", 5, 0644));
    assert_string_equal(content(), "other");
    size_t n;
    const char *error = NULL;
    assert_null(file_read_all(arena, path, 3, &n, &error));
    assert_non_null(strstr(error, "larger"));
    assert_null(file_read_all(arena, "/nonexistent/x", 3, &n, &error));
    assert_non_null(strstr(error, "cannot open"));
}

static ssize_t short_write(int fd, const void *data, size_t n) {
    return saved.write(fd, data, n > 3 ? 3 : n);
}
static ssize_t no_space(int fd, const void *data, size_t n) {
    errno = ENOSPC;
    return -1;
}
static int fail_fsync(int fd) {
    errno = EIO;
    return -1;
}
static int fail_rename(const char *a, const char *b) {
    errno = EACCES;
    return -1;
}

static void test_failures(void **state) {
    assert_null(file_write_all(arena, path, "before", 6, 0644));
    file_table.write = short_write;
    assert_null(file_write_all(arena, path, "a longer text", 13, 0644));
    assert_string_equal(content(), "a longer text");
    file_table.write = no_space;
    assert_non_null(strstr(file_write_all(arena, path, "new", 3, 0644), "No space"));
    file_table = saved;
    file_table.fsync = fail_fsync;
    assert_non_null(file_write_all(arena, path, "new", 3, 0644));
    file_table = saved;
    file_table.rename = fail_rename;
    assert_non_null(file_write_all(arena, path, "new", 3, 0644));
    file_table = saved;
    assert_string_equal(content(), "a longer text");
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* no temporary file is left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* Devices and links are written through: replacing them by a file would destroy them. */
static void test_special_files(void **state) {
    char *link = arena_printf(arena, "%s/link", folder);
    struct stat status;
    assert_null(file_write_all(arena, path, "old", 3, 0644));
    assert_int_equal(symlink(path, link), 0);
    assert_null(file_write_all(arena, link, "new", 3, 0644));
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_string_equal(content(), "new");
    unlink(link);
    assert_null(file_write_all(arena, "/dev/null", "text", 4, 0644));
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write_read),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_special_files)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
