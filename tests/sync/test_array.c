/* brood-test: start-methods */
/* Shared arrays and values: all types, bounds, atomic steps, and the lock. */
#include "support.h"

#include <limits.h>

#include "ipc/arena.h"
#include "kills.h"

static void set_int(brood_array *array, size_t position, int64_t number)
{
    bt_ok(brood_array_set(array, position, brood_int(number)));
    brood_value value;
    bt_ok(brood_array_get(array, position, &value));
    int64_t got;
    bt_ok(brood_get_int(&value, &got));
    assert_int_equal(got, number);
}

typedef struct limits {
    const char *code;
    size_t size;
    int64_t least;
    uint64_t most;
} limits;

static const limits integers[] = {
    {"b", 1, SCHAR_MIN, SCHAR_MAX},
    {"B", 1, 0, UCHAR_MAX},
    {"h", sizeof(short), SHRT_MIN, SHRT_MAX},
    {"H", sizeof(short), 0, USHRT_MAX},
    {"i", sizeof(int), INT_MIN, INT_MAX},
    {"I", sizeof(int), 0, UINT_MAX},
    {"l", sizeof(long), LONG_MIN, LONG_MAX},
    {"L", sizeof(long), 0, ULONG_MAX},
    {"q", sizeof(long long), LLONG_MIN, LLONG_MAX},
    {"Q", sizeof(long long), 0, ULLONG_MAX},
};

static void check_limits(brood_array *array, const limits *type)
{
    brood_value value;
    uint64_t got;
    assert_string_equal(brood_array_type(array), type->code);
    assert_int_equal(brood_array_item_size(array), type->size);
    set_int(array, 1, 66);
    set_int(array, 1, type->least);
    bt_ok(brood_array_set(array, 1, brood_uint(type->most)));
    bt_ok(brood_array_get(array, 1, &value));
    bt_ok(brood_get_uint(&value, &got));
    brood_value_clear(&value);
    assert_true(got == type->most);
    if (type->size < 8) {
        bt_fails(brood_array_set(array, 1, brood_uint(type->most + 1)), BROOD_ERANGE);
        bt_message_has(type->code);
    }
    if (type->least == 0 || type->size < 8)
        bt_fails(brood_array_set(array, 1, brood_int(type->least - 1)), BROOD_ERANGE);
    bt_fails(brood_array_set(array, 1, brood_str("1")), BROOD_ETYPE);
    /* The neighbours are as before. */
    for (size_t i = 0; i < 3; i += 2) {
        bt_ok(brood_array_get(array, i, &value));
        assert_int_equal(value.as.integer, 0);
    }
}

static void test_integers_of_all_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        brood_array *array;
        bt_ok(brood_array_create(&array, integers[i].code, 3, NULL));
        check_limits(array, &integers[i]);
        brood_array_destroy(array);
    }
}

static void check_sums(brood_array *array, const limits *type)
{
    int64_t after = 77;
    bt_ok(brood_array_set(array, 0, brood_int(type->least)));
    if (type->least != 0 || type->size < 8)
        bt_fails(brood_array_add(array, 0, -1, &after), BROOD_ERANGE);
    assert_int_equal(after, 77);
    bt_ok(brood_array_add(array, 0, 5, &after));
    assert_true(after == type->least + 5);
    bt_ok(brood_array_add(array, 0, -5, NULL));
    bt_ok(brood_array_set(array, 0, brood_uint(type->most)));
    bt_fails(brood_array_add(array, 0, 1, &after), BROOD_ERANGE);
    bt_fails(brood_array_add(array, 0, INT64_MAX, &after), BROOD_ERANGE);
    bt_ok(brood_array_add(array, 0, -1, &after));
    assert_true((uint64_t)after == type->most - 1);
    /* As bits, for those without a sign. */
    int64_t expected = after, wanted = type->least;
    bool done = false;
    bt_ok(brood_array_compare_and_set(array, 0, &expected, wanted, &done));
    assert_true(done);
    bt_ok(brood_array_compare_and_set(array, 0, &expected, wanted, &done));
    assert_false(done);
    assert_true(expected == wanted);
}

static void test_sums_and_exchanges_of_all_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        brood_array *array;
        bt_ok(brood_array_create(&array, integers[i].code, 1, NULL));
        check_sums(array, &integers[i]);
        brood_array_destroy(array);
    }
}

static void test_an_unsigned_item_takes_no_negative_sum(void **state)
{
    (void)state;
    brood_array *array;
    bt_ok(brood_array_create(&array, "Q", 1, NULL));
    bt_fails(brood_array_add(array, 0, -1, NULL), BROOD_ERANGE);
    bt_ok(brood_array_add(array, 0, 3, NULL));
    bt_fails(brood_array_add(array, 0, -4, NULL), BROOD_ERANGE);
    bt_fails(brood_array_add(array, 0, INT64_MIN, NULL), BROOD_ERANGE);
    bt_ok(brood_array_add(array, 0, -3, NULL));
    brood_array_destroy(array);
}

static void test_floats(void **state)
{
    (void)state;
    const char *codes[] = {"f", "d"};
    for (int i = 0; i < 2; i++) {
        brood_array *array;
        brood_value value;
        double number;
        bt_ok(brood_array_create(&array, codes[i], 2, NULL));
        bt_ok(brood_array_set(array, 1, brood_float(0.5)));
        bt_ok(brood_array_add_float(array, 1, 0.25, &number));
        assert_true(number == 0.75);
        bt_ok(brood_array_get(array, 1, &value));
        bt_ok(brood_get_float(&value, &number));
        assert_true(number == 0.75);
        bt_ok(brood_array_set(array, 0, brood_int(3)));
        bt_fails(brood_array_add(array, 0, 1, NULL), BROOD_ETYPE);
        if (i == 0)
            bt_fails(brood_array_set(array, 0, brood_float(1e300)), BROOD_ERANGE);
        else
            bt_ok(brood_array_set(array, 0, brood_float(1e300)));
        brood_array_destroy(array);
    }
}

static void test_characters(void **state)
{
    (void)state;
    brood_array *bytes, *wide;
    brood_value value;
    const void *data;
    const char *text;
    size_t size;
    bt_ok(brood_array_create(&bytes, "c", 4, NULL));
    bt_ok(brood_array_assign(bytes, 0, brood_bytes("abcd", 4)));
    bt_ok(brood_array_set(bytes, 1, brood_bytes("X", 1)));
    bt_fails(brood_array_set(bytes, 1, brood_bytes("XY", 2)), BROOD_ETYPE);
    bt_ok(brood_array_slice(bytes, 0, 4, &value));
    bt_ok(brood_get_bytes(&value, &data, &size));
    assert_int_equal(size, 4);
    assert_memory_equal(data, "aXcd", 4);
    brood_value_clear(&value);
    bt_ok(brood_array_create(&wide, "u", 5, NULL));
    const char *word = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa3";
    bt_ok(brood_array_assign(wide, 1, brood_str(word)));
    bt_ok(brood_array_set(wide, 0, brood_str("\xc3\xa4")));
    bt_fails(brood_array_set(wide, 0, brood_str("ab")), BROOD_ETYPE);
    bt_fails(brood_array_set(wide, 0, brood_str("")), BROOD_ETYPE);
    bt_fails(brood_array_assign(wide, 2, brood_str(word)), BROOD_ERANGE);
    bt_ok(brood_array_slice(wide, 1, 4, &value));
    bt_ok(brood_get_str(&value, &text, &size));
    assert_string_equal(text, word);
    brood_value_clear(&value);
    bt_fails(brood_array_add(wide, 0, 1, NULL), BROOD_ETYPE);
    ((uint32_t *)brood_array_data(wide))[0] = 0x110000;
    bt_fails(brood_array_get(wide, 0, &value), BROOD_EFORMAT);
    brood_array_destroy(bytes);
    brood_array_destroy(wide);
}

static void test_bounds_and_slices(void **state)
{
    (void)state;
    brood_array *array;
    brood_value value;
    bt_ok(brood_array_create(&array, "i", 5, NULL));
    bt_fails(brood_array_get(array, 5, &value), BROOD_ERANGE);
    bt_message_has("position 5");
    bt_fails(brood_array_set(array, SIZE_MAX, brood_int(0)), BROOD_ERANGE);
    bt_fails(brood_array_add(array, 5, 1, NULL), BROOD_ERANGE);
    bt_fails(brood_array_slice(array, 3, 3, &value), BROOD_ERANGE);
    bt_fails(brood_array_slice(array, 3, SIZE_MAX, &value), BROOD_ERANGE);
    bt_ok(brood_array_assign(array, 2, brood_pack("[iii]", 7, 8, 9)));
    bt_fails(brood_array_assign(array, 3, brood_pack("[iii]", 7, 8, 9)), BROOD_ERANGE);
    bt_fails(brood_array_assign(array, 0, brood_pack("[is]", 1, "x")), BROOD_ETYPE);
    bt_fails(brood_array_assign(array, 0, brood_int(1)), BROOD_ETYPE);
    bt_ok(brood_array_slice(array, 0, 5, &value));
    int64_t items[5];
    bt_ok(brood_unpack(&value, "[iiiii]", &items[0], &items[1], &items[2], &items[3], &items[4]));
    assert_true(items[0] == 0 && items[1] == 0 && items[2] == 7 && items[3] == 8 && items[4] == 9);
    brood_value_clear(&value);
    bt_ok(brood_array_slice(array, 5, 0, &value));
    assert_int_equal(brood_value_length(&value), 0);
    brood_value_clear(&value);
    brood_array_destroy(array);
}

typedef struct pixel {
    double x, y;
    int32_t name;
} pixel;

static void test_structs_are_used_in_place(void **state)
{
    (void)state;
    brood_array *array;
    brood_value value;
    bt_ok(brood_array_create_of(&array, sizeof(pixel), 3, NULL));
    assert_int_equal(brood_array_item_size(array), sizeof(pixel));
    assert_int_equal(brood_array_length(array), 3);
    assert_string_equal(brood_array_type(array), "");
    pixel *points = brood_array_data(array);
    bt_ok(brood_array_acquire(array, BROOD_FOREVER));
    points[2] = (pixel){1.5, 2.5, 3};
    bt_ok(brood_array_release(array));
    bt_fails(brood_array_get(array, 0, &value), BROOD_ETYPE);
    bt_fails(brood_array_set(array, 0, brood_int(1)), BROOD_ETYPE);
    brood_array_destroy(array);
}

static void test_the_lock_is_recursive_and_may_be_left_out(void **state)
{
    (void)state;
    brood_array *array;
    bt_ok(brood_array_create(&array, "d", 1, NULL));
    bt_fails(brood_array_release(array), BROOD_ESTATE);
    bt_ok(brood_array_acquire(array, 0));
    bt_ok(brood_array_acquire(array, 0));
    bt_ok(brood_array_release(array));
    bt_ok(brood_array_release(array));
    bt_fails(brood_array_release(array), BROOD_ESTATE);
    brood_array_destroy(array);
    bt_ok(brood_array_create(&array, "d", 1, &(brood_array_options){.unlocked = true}));
    bt_fails(brood_array_acquire(array, 0), BROOD_ESTATE);
    bt_fails(brood_array_release(array), BROOD_ESTATE);
    brood_array_destroy(array);
}

static void test_wrong_arguments_are_errors(void **state)
{
    (void)state;
    brood_array *array;
    brood_value value;
    bt_fails(brood_array_create(&array, "x", 1, NULL), BROOD_EINVALID);
    bt_message_has("\"x\"");
    bt_fails(brood_array_create(&array, NULL, 1, NULL), BROOD_EINVALID);
    bt_fails(brood_array_create_of(&array, 0, 1, NULL), BROOD_EINVALID);
    bt_fails(brood_array_create(&array, "d", SIZE_MAX / 4, NULL), BROOD_ENOMEM);
    bt_fails(brood_array_create(&array, "d", (size_t)1 << 50, NULL), BROOD_ENOMEM);
    bt_fails(brood_array_get(NULL, 0, &value), BROOD_EINVALID);
    bt_fails(brood_array_set(NULL, 0, brood_str("freed")), BROOD_EINVALID);
    bt_fails(brood_array_assign(NULL, 0, brood_list()), BROOD_EINVALID);
    bt_fails(brood_array_acquire(NULL, 0), BROOD_EINVALID);
    assert_int_equal(brood_array_length(NULL), 0);
    assert_int_equal(brood_array_item_size(NULL), 0);
    assert_null(brood_array_data(NULL));
    brood_array_destroy(NULL);
    value = brood_int(1);
    bt_fails(brood_get_array(&value, &array), BROOD_ETYPE);
    assert_int_equal(brood_array_value(NULL).kind, BROOD_INVALID);
}

static void test_a_gigabyte_is_there(void **state)
{
    (void)state;
    /* Wine takes 20 s to back a gigabyte. */
    const size_t size = (size_t)(bt_is_windows() ? 1 : 8) << 27;
    brood_array *array;
    brood_status status = brood_array_create(&array, "B", size, NULL);
    if (status == BROOD_ENOMEM) {
        bt_message_has("bytes");
        bt_skip("there is no gigabyte of shared memory free");
    }
    bt_ok(status);
    unsigned char *bytes = brood_array_data(array);
    for (size_t i = 0; i < size; i += (size_t)64 << 20)
        bytes[i] = 1;
    bytes[size - 1] = 2;
    brood_array_destroy(array);
}

static void test_an_empty_one_is_possible(void **state)
{
    (void)state;
    brood_array *array;
    brood_value value;
    bt_ok(brood_array_create(&array, "i", 0, NULL));
    assert_int_equal(brood_array_length(array), 0);
    bt_fails(brood_array_get(array, 0, &value), BROOD_ERANGE);
    brood_array_destroy(array);
}

/* ---- processes ---- */

static brood_status write_far(brood_call *call)
{
    const brood_value *value;
    brood_array *array;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_array(value, &array));
    size_t last = brood_array_length(array) - 1;
    brood_value item;
    BROOD_TRY(brood_array_get(array, last, &item));
    bt_check(call, item.as.integer == 666);
    BROOD_TRY(brood_array_set(array, last, brood_int(888)));
    return brood_array_set(array, 0, brood_int(1));
}

/* Small ones, some in a block of their own, and some that are large for the arena. */
static void test_the_parent_sees_what_a_child_writes(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 10, 100000, 1000000};
    for (int i = 0; i < 4; i++) {
        brood_array *array;
        brood_value value;
        uint64_t used = bt_arena_used();
        bt_ok(brood_array_create(&array, "i", lengths[i], NULL));
        bt_ok(brood_array_set(array, lengths[i] - 1, brood_int(666)));
        brood_process *process = bt_process(write_far, brood_pack("(v)", brood_array_value(array)));
        assert_int_equal(bt_join(process), 0);
        bt_ok(brood_array_get(array, lengths[i] - 1, &value));
        assert_int_equal(value.as.integer, lengths[i] == 1 ? 1 : 888);
        bt_ok(brood_array_get(array, 0, &value));
        assert_int_equal(value.as.integer, 1);
        brood_array_destroy(array);
        assert_in_range(bt_arena_used(), 0, used + 64 * 64);
    }
}

static brood_status count(brood_call *call)
{
    const brood_value *value;
    brood_array *array;
    int64_t n;
    BROOD_TRY(brood_call_args(call, "vi", &value, &n));
    BROOD_TRY(brood_get_array(value, &array));
    for (int64_t i = 0; i < n; i++) {
        brood_value item;
        BROOD_TRY(brood_array_add(array, 0, 1, NULL));
        BROOD_TRY(brood_array_acquire(array, LONG));
        BROOD_TRY(brood_array_get(array, 1, &item));
        BROOD_TRY(brood_array_set(array, 1, brood_int(item.as.integer + 1)));
        BROOD_TRY(brood_array_release(array));
    }
    return BROOD_OK;
}

static void test_no_step_is_lost(void **state)
{
    (void)state;
    enum { N = 4, STEPS = 3000 };
    brood_array *array;
    brood_process *processes[N];
    bt_ok(brood_array_create(&array, "h", 2, NULL));
    for (int i = 0; i < N; i++)
        processes[i] = bt_process(count, brood_pack("vi", brood_array_value(array), STEPS));
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        brood_value item;
        bt_ok(brood_array_get(array, i, &item));
        assert_int_equal(item.as.integer, N * STEPS);
    }
    brood_array_destroy(array);
}

static brood_status hold(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_array *array;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_array(object, &array));
    BROOD_TRY(brood_array_acquire(array, -1));
    return actor_pause(told);
}

static void test_the_holders_death_is_told(void **state)
{
    (void)state;
    brood_array *array;
    bt_ok(brood_array_create(&array, "i", 1, NULL));
    actor holder = actor_start(hold, brood_array_value(array));
    actor_await(&holder);
    assert_int_equal(brood_array_acquire(array, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_process_kill(holder.process));
    BT_WITHIN_A_SECOND(assert_int_equal(brood_array_acquire(array, LONG), BROOD_EOWNERDIED));
    bt_ok(brood_array_release(array));
    actor_kill(&holder);
    brood_array_destroy(array);
}

/* ---- kills ---- */

static brood_status make_and_drop(brood_call *call)
{
    const brood_value *nothing;
    BROOD_TRY(bt_kills_begin(call, &nothing));
    for (int i = 0; i < 2; i++) {
        brood_array *array;
        BROOD_TRY(brood_array_create(&array, "d", 100000, NULL));
        brood_array_destroy(array);
    }
    return bt_kills_end();
}

static brood_value give_nothing(void *context)
{
    *(uint64_t *)context = bt_arena_used();
    return brood_none();
}

static void check_use(void *context, const char *point, int n)
{
    uint64_t used = bt_arena_used(), before = *(uint64_t *)context;
    if (used > before + (2 << 20)) /* a block of this size, and small ones */
        fail_msg("%llu bytes are lost after %s, %d", (unsigned long long)(used - before), point, n);
}

static void test_a_kill_costs_one_block_at_most(void **state)
{
    (void)state;
    uint64_t used;
    bt_kills kills = {
        .run = make_and_drop, .prepare = give_nothing, .verify = check_use, .context = &used};
    assert_true(bt_kill_everywhere(&kills) >= 10);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_integers_of_all_types),
                   bt_test(test_sums_and_exchanges_of_all_types),
                   bt_test(test_an_unsigned_item_takes_no_negative_sum), bt_test(test_floats),
                   bt_test(test_characters), bt_test(test_bounds_and_slices),
                   bt_test(test_structs_are_used_in_place),
                   bt_test(test_the_lock_is_recursive_and_may_be_left_out),
                   bt_test(test_wrong_arguments_are_errors), bt_test(test_a_gigabyte_is_there),
                   bt_test(test_an_empty_one_is_possible),
                   bt_test(test_the_parent_sees_what_a_child_writes), bt_test(test_no_step_is_lost),
                   bt_test(test_the_holders_death_is_told),
                   bt_test(test_a_kill_costs_one_block_at_most));
}
