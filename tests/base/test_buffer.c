/* test_buffer.c - base/buffer.h. */
#include "../data/support.h"

#include "base/buffer.h"

static void test_bytes_are_appended(void **state)
{
    (void)state;
    bri_buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        dt_ok(bri_buffer_append(&buffer, "0123456789", (size_t)(i % 11)));
    size_t expected = 0;
    for (int i = 0; i < 1000; i++)
        expected += (size_t)(i % 11);
    assert_int_equal(buffer.length, expected);
    assert_memory_equal(buffer.data, "0010120123", 10);
    assert_true(buffer.capacity < 3 * buffer.length);
    bri_buffer_reset(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_true(buffer.capacity > 0);
    bri_buffer_fini(&buffer);
    assert_null(buffer.data);
    bri_buffer_fini(&buffer);
}

static void test_nothing_is_appended_without_memory(void **state)
{
    (void)state;
    bri_buffer buffer = {0};
    dt_ok(bri_buffer_append(&buffer, NULL, 0));
    assert_null(buffer.data);
    dt_ok(bri_buffer_append(&buffer, "abc", 3));
    bri_memory_fail_at(1, 1);
    dt_fails(bri_buffer_reserve(&buffer, 100), BROOD_ENOMEM);
    dt_fails(bri_buffer_append(&buffer, buffer.data, 4096), BROOD_ENOMEM);
    bri_memory_fail_at(0, 0);
    dt_fails(bri_buffer_reserve(&buffer, SIZE_MAX - 10), BROOD_ENOMEM);
    dt_fails(bri_buffer_reserve(&buffer, SIZE_MAX), BROOD_ENOMEM);
    assert_int_equal(buffer.length, 3);
    assert_memory_equal(buffer.data, "abc", 3);
    bri_buffer_fini(&buffer);
}

static void test_reserved_room_is_there(void **state)
{
    (void)state;
    bri_buffer buffer = {0};
    dt_ok(bri_buffer_reserve(&buffer, 0));
    dt_ok(bri_buffer_reserve(&buffer, 1));
    dt_ok(bri_buffer_reserve(&buffer, 5000));
    assert_true(buffer.capacity >= 5000);
    memset(buffer.data, 7, 5000);
    buffer.length = 5000;
    unsigned char *data = buffer.data;
    dt_ok(bri_buffer_reserve(&buffer, buffer.capacity - buffer.length));
    assert_ptr_equal(buffer.data, data);
    bri_buffer_fini(&buffer);
}

dt_main(dt_test(test_bytes_are_appended), dt_test(test_nothing_is_appended_without_memory),
        dt_test(test_reserved_room_is_there))
