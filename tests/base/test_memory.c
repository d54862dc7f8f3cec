/* test_memory.c - base/memory.h: allocation with errors, and the faults that tests ask for. */
#include "../data/support.h"

static void test_blocks_are_counted(void **state)
{
    (void)state;
    long before = bri_memory_blocks();
    void *a = bri_alloc(10);
    void *b = bri_calloc(3, 4);
    char *c = bri_strdup("text");
    char *d = bri_strndup("text", 2);
    assert_int_equal(bri_memory_blocks(), before + 4);
    assert_string_equal(c, "text");
    assert_string_equal(d, "te");
    assert_memory_equal(b, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    a = bri_realloc(a, 1000);
    assert_non_null(a);
    assert_int_equal(bri_memory_blocks(), before + 4);
    bri_free(a);
    bri_free(b);
    bri_free(c);
    bri_free(d);
    bri_free(NULL);
    assert_int_equal(bri_memory_blocks(), before);
}

static void test_size_zero_gives_a_block(void **state)
{
    (void)state;
    void *blocks[] = {bri_alloc(0), bri_calloc(0, 8), bri_calloc(8, 0), bri_realloc(NULL, 0)};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        assert_non_null(blocks[i]);
        bri_free(blocks[i]);
    }
    void *block = bri_realloc(bri_alloc(5), 0);
    assert_non_null(block);
    bri_free(block);
}

static void test_a_failure_is_described(void **state)
{
    (void)state;
    assert_null(bri_calloc(SIZE_MAX / 2, 3));
    assert_int_equal(brood_last_error()->status, BROOD_ENOMEM);
    dt_message_has("could not allocate");
    bri_memory_fail_at(1, 0);
    assert_null(bri_alloc(12));
    dt_message("could not allocate 12 bytes");
}

static void test_the_chosen_allocation_fails(void **state)
{
    (void)state;
    bri_memory_fail_at(2, 0);
    void *first = bri_alloc(1);
    void *second = bri_alloc(1);
    void *third = bri_alloc(1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(bri_memory_attempts(), 3);
    bri_free(first);
    bri_free(third);
}

static void test_all_later_allocations_fail_too_if_asked(void **state)
{
    (void)state;
    void *kept = bri_alloc(1);
    bri_memory_fail_at(2, 1);
    void *first = bri_alloc(1);
    assert_non_null(first);
    for (int i = 0; i < 5; i++)
        assert_null(bri_alloc(1));
    assert_null(bri_realloc(kept, 100));
    bri_memory_fail_at(0, 0);
    bri_free(kept);
    bri_free(first);
}

static void test_comparison_finds_every_difference(void **state)
{
    (void)state;
    unsigned char one[64], other[64];
    memset(one, 0x5a, sizeof one);
    for (size_t i = 0; i < sizeof one; i++) {
        memcpy(other, one, sizeof one);
        assert_true(bri_same_bytes(one, other, sizeof one));
        for (int bit = 0; bit < 8; bit++) {
            other[i] = (unsigned char)(one[i] ^ (1 << bit));
            assert_false(bri_same_bytes(one, other, sizeof one));
        }
        assert_true(bri_same_bytes(one, other, i));
    }
}

dt_main(dt_test(test_comparison_finds_every_difference), dt_test(test_blocks_are_counted),
        dt_test(test_size_zero_gives_a_block), dt_test(test_a_failure_is_described),
        dt_test(test_the_chosen_allocation_fails),
        dt_test(test_all_later_allocations_fail_too_if_asked))
