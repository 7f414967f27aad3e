/* Arenas, vectors and the allocation seam. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/vector.h"

static void test_alignment_and_zero(void **state) {
    Arena *arena = arena_new();
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(arena, n);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
        memset(p, 0xAB, n);
    }
    assert_ptr_not_equal(arena_alloc(arena, 0), arena_alloc(arena, 0));
    unsigned char *big = arena_alloc(arena, 5000000);
    assert_int_equal(big[4999999], 0);
    assert_string_equal(arena_printf(arena, "%s-%d", "x", 42), "x-42");
    assert_string_equal(arena_strndup(arena, "hello", 2), "he");
    arena_free(arena);
    arena_free(NULL);
}

/* What a freed arena leaves is used again, and is zero. */
static void test_chunks_again(void **state) {
    for (int round = 0; round < 4; round++) {
        Arena *arena = arena_new();
        for (size_t n = 1; n < 200000; n = n * 3 + 1) {
            unsigned char *p = arena_alloc(arena, n);
            for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
            memset(p, 0xAB, n);
        }
        arena_free(arena);
    }
}

static void test_adopt(void **state) {
    Arena *arena = arena_new(), *child = arena_new();
    char *mine = arena_strdup(arena, "mine"), *small = arena_strdup(child, "small");
    unsigned char *large = arena_alloc(child, 3000000);
    size_t bytes = arena_bytes(arena) + arena_bytes(child);
    large[2999999] = 7;
    arena_adopt(arena, child);
    assert_int_equal(arena_bytes(arena), bytes);
    for (int i = 0; i < 1000; i++) memset(arena_alloc(arena, 100), 0xAB, 100);
    assert_string_equal(mine, "mine");
    assert_string_equal(small, "small");
    assert_int_equal(large[2999999], 7);
    Arena *empty = arena_new();
    arena_adopt(arena, empty);
    arena_free(arena);
}

static void test_extend(void **state) {
    Arena *arena = arena_new();
    char *text = arena_alloc(arena, 16);
    size_t length = 0;
    for (size_t room = 16; room <= 4u << 20; room *= 2) {
        for (; length < room; length++) text[length] = (char)('a' + length % 26);
        arena_alloc(arena, 24);
        text = arena_extend(arena, text, length, room * 2);
    }
    for (size_t i = 0; i < length; i++) assert_int_equal(text[i], 'a' + i % 26);
    arena_free(arena);
}

/* The last block stays where it is; what comes after it is zero. */
static void test_extend_in_place(void **state) {
    Arena *arena = arena_new();
    char *text = arena_alloc(arena, 20), *place = text;
    memset(text, 'x', 20);
    size_t bytes = arena_bytes(arena);
    text = arena_extend(arena, text, 20, 300);
    assert_ptr_equal(text, place);
    assert_int_equal(arena_bytes(arena), bytes + 280);
    memset(text, 'y', 300);
    char *next = arena_alloc(arena, 20);
    assert_true(next >= text + 300);
    for (int i = 0; i < 20; i++) assert_int_equal(next[i], 0);
    text = arena_extend(arena, text, 300, 400);
    assert_ptr_not_equal(text, place);
    assert_int_equal(text[299], 'y');
    arena_free(arena);
}

static void test_vector(void **state) {
    Arena *arena = arena_new();
    VECTOR(int) v = {0};
    for (int i = 0; i < 100000; i++) vector_push(arena, &v, i);
    assert_int_equal(v.count, 100000);
    for (int i = 0; i < 100000; i++) assert_int_equal(v.data[i], i);
    assert_int_equal(vector_last(&v), 99999);
    assert_int_equal(vector_pop(&v), 99999);
    assert_int_equal(v.count, 99999);
    arena_free(arena);
}

static jmp_buf jump;
static int left;
static void *failing(size_t bytes) {
    return left-- > 0 ? malloc(bytes) : NULL;
}
static void failed(size_t bytes, void *user) {
    *(size_t *)user = bytes;
    longjmp(jump, 1);
}

static void test_failure(void **state) {
    static size_t bytes;
    memory_set_failure(failed, &bytes);
    memory_set_hook(failing);
    for (int n = 0; n < 5; n++) {
        left = n;
        if (setjmp(jump) == 0) {
            Arena *arena = arena_new();
            for (;;) arena_alloc(arena, 100000);
        }
        assert_true(bytes > 0);
        arena_free_all();
    }
    memory_set_hook(NULL);
    Arena *arena = arena_new();
    if (setjmp(jump) == 0) {
        arena_alloc_array(arena, SIZE_MAX / 2, 16);
        fail();
    }
    if (setjmp(jump) == 0) {
        arena_alloc(arena, SIZE_MAX - 3);
        fail();
    }
    arena_free_all();
    memory_set_failure(NULL, NULL);
}

static void test_checked(void **state) {
    int64_t out;
    assert_true(checked_mul(3037000499, 3037000499, &out));
    assert_false(checked_mul(INT64_MAX, 2, &out));
    assert_false(checked_add(INT64_MAX, 1, &out));
    assert_false(checked_sub(INT64_MIN, 1, &out));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alignment_and_zero),
                                       cmocka_unit_test(test_chunks_again),
                                       cmocka_unit_test(test_adopt),
                                       cmocka_unit_test(test_extend),
                                       cmocka_unit_test(test_extend_in_place),
                                       cmocka_unit_test(test_vector),
                                       cmocka_unit_test(test_failure),
                                       cmocka_unit_test(test_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
