/* brood-test: start-methods */
/* Named memory and lists in it: who finds it, and when its name goes. */
#include "support.h"

#include <stdatomic.h>

#include "core/killpoint.h"
#include "platform/child.h"
#include "platform/ident.h"

enum { KILLS = 30 };

/* A name that no other run of this test uses. */
static const char *fresh_name(void)
{
    static int n;
    static char name[32];
    snprintf(name, sizeof name, "bt-%lld-%d", (long long)brp_pid(), n++);
    return name;
}

static bool can_open(const char *name)
{
    brood_shared_memory *memory;
    if (brood_shared_memory_open(&memory, name) != BROOD_OK)
        return false;
    brood_shared_memory_close(memory);
    return true;
}

static bool is_gone(void *name)
{
    return !can_open(name);
}

static void test_made_found_and_removed(void **state)
{
    (void)state;
    brood_shared_memory *memory, *same;
    const char *name = fresh_name();
    bt_fails(brood_shared_memory_open(&same, name), BROOD_ENOTFOUND);
    bt_message_has(name);
    bt_ok(brood_shared_memory_create(&memory, name, 10000, BROOD_LIFETIME_OWNER));
    assert_int_equal(brood_shared_memory_size(memory), 10000);
    assert_string_equal(brood_shared_memory_name(memory), name);
    bt_fails(brood_shared_memory_create(&same, name, 1, BROOD_LIFETIME_OWNER), BROOD_EEXIST);
    bt_fails(brood_shared_memory_create(&same, name, 1, BROOD_LIFETIME_PERSISTENT), BROOD_EEXIST);
    bt_ok(brood_shared_memory_open(&same, name));
    assert_int_equal(brood_shared_memory_size(same), 10000);
    unsigned char *one = brood_shared_memory_data(memory), *other = brood_shared_memory_data(same);
    assert_ptr_not_equal(one, other);
    for (int i = 0; i < 10000; i += 999)
        assert_int_equal(one[i], 0);
    one[9999] = 7;
    assert_int_equal(other[9999], 7);
    brood_shared_memory_close(memory);
    assert_false(can_open(name)); /* its owner has closed it */
    assert_int_equal(other[9999], 7);
    brood_shared_memory_close(same);
}

static void test_unlinked_memory_stays_where_it_is_open(void **state)
{
    (void)state;
    for (int lifetime = 0; lifetime <= BROOD_LIFETIME_PERSISTENT; lifetime++) {
        brood_shared_memory *memory;
        const char *name = fresh_name();
        bt_ok(brood_shared_memory_create(&memory, name, 100, (brood_lifetime)lifetime));
        bt_ok(brood_shared_memory_unlink(name));
        bt_fails(brood_shared_memory_unlink(name), BROOD_ENOTFOUND);
        assert_false(can_open(name));
        memset(brood_shared_memory_data(memory), 1, 100);
        brood_shared_memory_close(memory);
    }
}

static void test_the_last_holder_removes_it(void **state)
{
    (void)state;
    brood_shared_memory *memory, *same;
    const char *name = fresh_name();
    bt_ok(brood_shared_memory_create(&memory, name, 100, BROOD_LIFETIME_HOLDERS));
    bt_ok(brood_shared_memory_open(&same, name));
    brood_shared_memory_close(memory);
    assert_true(can_open(name));
    brood_shared_memory_close(same);
    assert_false(can_open(name));
}

static void test_a_persistent_one_stays(void **state)
{
    (void)state;
    brood_shared_memory *memory;
    const char *name = fresh_name();
    bt_ok(brood_shared_memory_create(&memory, name, 4096, BROOD_LIFETIME_PERSISTENT));
    strcpy(brood_shared_memory_data(memory), "here");
    brood_shared_memory_close(memory);
    bt_ok(brood_shared_memory_open(&memory, name));
    assert_int_equal(brood_shared_memory_size(memory), 4096);
    assert_string_equal(brood_shared_memory_data(memory), "here");
    bt_ok(brood_shared_memory_unlink(name));
    brood_shared_memory_close(memory);
    assert_false(can_open(name));
}

static void test_a_name_can_be_left_to_brood(void **state)
{
    (void)state;
    brood_shared_memory *one, *other;
    bt_ok(brood_shared_memory_create(&one, NULL, 1, BROOD_LIFETIME_OWNER));
    bt_ok(brood_shared_memory_create(&other, NULL, 1, BROOD_LIFETIME_HOLDERS));
    assert_string_not_equal(brood_shared_memory_name(one), brood_shared_memory_name(other));
    assert_true(can_open(brood_shared_memory_name(one)));
    brood_shared_memory_close(one);
    brood_shared_memory_close(other);
}

static void test_wrong_arguments_are_errors(void **state)
{
    (void)state;
    brood_shared_memory *memory;
    static const char *const names[] = {"", ".hidden", "a/b", "0123456789012345678901234567890",
                                        "sp ace"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bt_fails(brood_shared_memory_create(&memory, names[i], 1, BROOD_LIFETIME_OWNER),
                 BROOD_EINVALID);
        bt_fails(brood_shared_memory_open(&memory, names[i]), BROOD_EINVALID);
        bt_fails(brood_shared_memory_unlink(names[i]), BROOD_EINVALID);
    }
    bt_fails(brood_shared_memory_open(&memory, NULL), BROOD_EINVALID);
    bt_fails(brood_shared_memory_create(&memory, NULL, 0, BROOD_LIFETIME_OWNER), BROOD_EINVALID);
    bt_fails(brood_shared_memory_create(&memory, NULL, 1, (brood_lifetime)9), BROOD_EINVALID);
    assert_null(brood_shared_memory_data(NULL));
    assert_int_equal(brood_shared_memory_size(NULL), 0);
    assert_string_equal(brood_shared_memory_name(NULL), "");
    brood_shared_memory_close(NULL);
    assert_int_equal(brood_shared_memory_value(NULL).kind, BROOD_INVALID);
    brood_value value = brood_int(1);
    bt_fails(brood_get_shared_memory(&value, &memory), BROOD_ETYPE);
}

static void test_too_much_is_an_error_with_sizes(void **state)
{
    (void)state;
    brood_shared_memory *memory;
    const char *name = fresh_name();
    bt_fails(brood_shared_memory_create(&memory, name, (size_t)1 << 46, BROOD_LIFETIME_OWNER),
             BROOD_ENOMEM);
    bt_message_has("70368744177664 bytes");
    assert_false(can_open(name));
}

static void test_a_gigabyte_is_there(void **state)
{
    (void)state;
    brood_shared_memory *memory;
    const size_t size = (size_t)1 << 30;
    brood_status status = brood_shared_memory_create(&memory, NULL, size, BROOD_LIFETIME_OWNER);
    if (status == BROOD_ENOMEM) {
        bt_message_has("1073741824 bytes");
        bt_skip("there is no gigabyte of shared memory free");
    }
    bt_ok(status);
    unsigned char *bytes = brood_shared_memory_data(memory);
    for (size_t i = 0; i < size; i += (size_t)64 << 20)
        bytes[i] = 1;
    bytes[size - 1] = 2;
    brood_shared_memory_close(memory);
}

/* ---- processes ---- */

static brood_status find_by_name(brood_call *call)
{
    const char *name;
    brood_shared_memory *memory;
    BROOD_TRY(brood_call_args(call, "s", &name));
    BROOD_TRY(brood_shared_memory_open(&memory, name));
    strcpy(brood_shared_memory_data(memory), "child");
    brood_shared_memory_close(memory);
    return BROOD_OK;
}

static brood_status get_as_value(brood_call *call)
{
    const brood_value *value;
    brood_shared_memory *memory;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_shared_memory(value, &memory));
    strcpy(brood_shared_memory_data(memory), "value");
    return BROOD_OK;
}

static void test_a_child_writes_into_it(void **state)
{
    (void)state;
    brood_shared_memory *memory;
    bt_ok(brood_shared_memory_create(&memory, NULL, 100, BROOD_LIFETIME_HOLDERS));
    brood_process *process =
        bt_process(find_by_name, brood_pack("(s)", brood_shared_memory_name(memory)));
    assert_int_equal(bt_join(process), 0);
    assert_string_equal(brood_shared_memory_data(memory), "child");
    process = bt_process(get_as_value, brood_pack("(v)", brood_shared_memory_value(memory)));
    assert_int_equal(bt_join(process), 0);
    assert_string_equal(brood_shared_memory_data(memory), "value");
    assert_true(can_open(brood_shared_memory_name(memory)));
    brood_shared_memory_close(memory);
}

static brood_status make_and_pause(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    const char *name;
    int64_t lifetime;
    brood_shared_memory *memory;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_unpack(object, "si", &name, &lifetime));
    BROOD_TRY(brood_shared_memory_create(&memory, name, 100, (brood_lifetime)lifetime));
    return actor_pause(told);
}

static actor start_maker(const char *name, brood_lifetime lifetime)
{
    actor maker = actor_start(make_and_pause, brood_pack("(si)", name, (int)lifetime));
    actor_await(&maker);
    assert_true(can_open(name));
    return maker;
}

static void test_the_name_goes_with_a_killed_owner(void **state)
{
    (void)state;
    for (int lifetime = BROOD_LIFETIME_OWNER; lifetime <= BROOD_LIFETIME_HOLDERS; lifetime++) {
        char name[32];
        snprintf(name, sizeof name, "%s", fresh_name());
        actor maker = start_maker(name, (brood_lifetime)lifetime);
        actor_kill(&maker);
        assert_true(bt_await(is_gone, name, 2000));
    }
}

static void test_and_with_one_that_ends_in_order(void **state)
{
    (void)state;
    for (int lifetime = BROOD_LIFETIME_OWNER; lifetime <= BROOD_LIFETIME_HOLDERS; lifetime++) {
        char name[32];
        snprintf(name, sizeof name, "%s", fresh_name());
        actor maker = start_maker(name, (brood_lifetime)lifetime);
        actor_go_on(&maker);
        actor_end(&maker);
        assert_false(can_open(name));
    }
}

static void test_a_holder_keeps_it_when_its_maker_is_killed(void **state)
{
    (void)state;
    char name[32];
    brood_shared_memory *memory;
    snprintf(name, sizeof name, "%s", fresh_name());
    actor maker = start_maker(name, BROOD_LIFETIME_HOLDERS);
    bt_ok(brood_shared_memory_open(&memory, name));
    actor_kill(&maker);
    brood_sleep(50); /* whatever would remove it has had its time */
    assert_true(can_open(name));
    brood_shared_memory_close(memory);
    assert_false(can_open(name));
}

static void test_a_persistent_one_outlives_its_maker(void **state)
{
    (void)state;
    char name[32];
    snprintf(name, sizeof name, "%s", fresh_name());
    actor maker = start_maker(name, BROOD_LIFETIME_PERSISTENT);
    actor_kill(&maker);
    assert_true(can_open(name));
    bt_ok(brood_shared_memory_unlink(name));
}

/* The maker is killed together with everything below it, as the root of a tree would be. */
static brood_status start_a_maker(brood_call *call)
{
    const brood_value *object;
    brood_connection *told, *ours, *theirs;
    brood_process *below;
    brood_value word, copy;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_pipe(&ours, &theirs, true));
    BROOD_TRY(brood_value_copy(object, &copy));
    BROOD_TRY(brood_process_create(&below, make_and_pause,
                                   brood_pack("vv", copy, brood_connection_value(theirs)), NULL));
    BROOD_TRY(brood_process_start(below));
    BROOD_TRY(brood_connection_recv(ours, &word, LONG));
    return actor_pause(told);
}

static void test_nothing_is_left_of_a_killed_tree(void **state)
{
    (void)state;
    for (int lifetime = BROOD_LIFETIME_OWNER; lifetime <= BROOD_LIFETIME_HOLDERS; lifetime++) {
        char name[32];
        snprintf(name, sizeof name, "%s", fresh_name());
        actor top = actor_start(start_a_maker, brood_pack("(si)", name, lifetime));
        actor_await(&top);
        assert_true(can_open(name));
        actor_kill(&top);
        assert_true(bt_await(is_gone, name, 2000));
    }
}

/* Makes and closes memory of both lifetimes all the time. */
static brood_status make_and_close(brood_call *call)
{
    const char *name;
    brood_shared_memory *memory[2];
    BROOD_TRY(brood_call_args(call, "s", &name));
    for (int i = 0;; i++) {
        for (int lifetime = 0; lifetime < 2; lifetime++) {
            char full[40];
            snprintf(full, sizeof full, "%s-%d", name, lifetime);
            BROOD_TRY(brood_shared_memory_create(&memory[lifetime], full, 100000,
                                                 (brood_lifetime)lifetime));
        }
        if (i % 2 == 0)
            BROOD_TRY(brood_shared_memory_unlink(brood_shared_memory_name(memory[0])));
        brood_shared_memory_close(memory[0]);
        brood_shared_memory_close(memory[1]);
    }
}

/* The steps of making a name are the system's calls: there are no points between them, so many
 * kills at different times have to do. */
static void test_no_name_is_left_whenever_its_maker_is_killed(void **state)
{
    (void)state;
    char names[KILLS][32];
    for (int i = 0; i < KILLS; i++) {
        snprintf(names[i], sizeof names[i], "%.20s", fresh_name());
        brood_process *maker = bt_process(make_and_close, brood_pack("(s)", names[i]));
        brood_sleep(i % 12);
        bt_ok(brood_process_kill(maker));
        assert_int_equal(bt_join(maker), -9);
    }
    for (int i = 0; i < KILLS; i++) {
        for (int lifetime = 0; lifetime < 2; lifetime++) {
            char full[48];
            snprintf(full, sizeof full, "%.31s-%d", names[i], lifetime);
            assert_true(bt_await(is_gone, full, 2000));
        }
    }
}

/* ---- lists ---- */

static void expect_item(brood_shareable_list *list, size_t position, brood_value wanted)
{
    brood_value got;
    bt_ok(brood_shareable_list_get(list, position, &got));
    assert_int_equal(got.kind, wanted.kind);
    assert_true(brood_value_equal(&got, &wanted));
    brood_value_clear(&got);
    brood_value_clear(&wanted);
}

static void test_a_list_keeps_what_is_put_into_it(void **state)
{
    (void)state;
    brood_shareable_list *list, *same;
    const char *name = fresh_name();
    bt_ok(brood_shareable_list_create(
        &list, name, brood_pack("[ifbsyn]", -5, 2.5, true, "h\xc3\xa4llo", "abc", (size_t)3),
        BROOD_LIFETIME_OWNER));
    assert_int_equal(brood_shareable_list_length(list), 6);
    bt_ok(brood_shareable_list_open(&same, name));
    expect_item(same, 0, brood_int(-5));
    expect_item(same, 1, brood_float(2.5));
    expect_item(same, 2, brood_bool(true));
    expect_item(same, 3, brood_str("h\xc3\xa4llo"));
    expect_item(same, 4, brood_bytes("abc", 3));
    expect_item(same, 5, brood_none());
    bt_ok(brood_shareable_list_set(same, 3, brood_str("12345678")));
    expect_item(list, 3, brood_str("12345678"));
    bt_fails(brood_shareable_list_set(list, 3, brood_str("123456789")), BROOD_ETOOLONG);
    bt_message_has("room for 8");
    bt_ok(brood_shareable_list_set(list, 3, brood_none()));
    expect_item(same, 3, brood_none());
    bt_ok(brood_shareable_list_set(list, 0, brood_str("now text")));
    expect_item(same, 0, brood_str("now text"));
    bt_ok(brood_shareable_list_set(list, 0, brood_float(0.5)));
    expect_item(same, 0, brood_float(0.5));
    bt_fails(brood_shareable_list_set(list, 6, brood_int(1)), BROOD_ERANGE);
    bt_fails(brood_shareable_list_set(list, 0, brood_list()), BROOD_ETYPE);
    bt_fails(brood_shareable_list_set(list, 0, brood_uint(UINT64_MAX)), BROOD_ERANGE);
    brood_shareable_list_close(same);
    brood_shareable_list_close(list);
    assert_false(can_open(name));
}

static void test_a_damaged_list_is_refused(void **state)
{
    (void)state;
    brood_shareable_list *list;
    brood_value value;
    bt_fails(brood_shareable_list_create(&list, NULL, brood_pack("[v]", brood_list()),
                                         BROOD_LIFETIME_OWNER),
             BROOD_ETYPE);
    bt_fails(brood_shareable_list_create(&list, NULL, brood_int(1), BROOD_LIFETIME_OWNER),
             BROOD_ETYPE);
    bt_ok(brood_shareable_list_create(&list, NULL, brood_pack("[is]", 1, "text"),
                                      BROOD_LIFETIME_OWNER));
    brood_shared_memory *memory = brood_shareable_list_memory(list);
    uint64_t *numbers = brood_shared_memory_data(memory);
    size_t n = brood_shared_memory_size(memory) / 8;
    for (size_t i = 0; i < n; i++) {
        static const uint64_t odd[] = {0, 1, 7, UINT64_MAX, UINT64_C(1) << 62, 0x7373737373737373};
        uint64_t before = numbers[i];
        for (size_t j = 0; j < sizeof odd / sizeof *odd; j++) {
            brood_shareable_list *damaged;
            numbers[i] = odd[j];
            if (brood_shareable_list_open(&damaged, brood_shared_memory_name(memory)) != BROOD_OK)
                continue;
            for (size_t k = 0; k < brood_shareable_list_length(damaged) && k < 4; k++) {
                if (brood_shareable_list_get(damaged, k, &value) == BROOD_OK)
                    brood_value_clear(&value);
                (void)brood_shareable_list_set(damaged, k, brood_int(1));
            }
            brood_shareable_list_close(damaged);
        }
        numbers[i] = before;
    }
    brood_shareable_list_close(list);
    brood_shareable_list_close(NULL);
    assert_int_equal(brood_shareable_list_length(NULL), 0);
    assert_null(brood_shareable_list_memory(NULL));
    bt_fails(brood_shareable_list_get(NULL, 0, &value), BROOD_EINVALID);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_made_found_and_removed),
        bt_test(test_unlinked_memory_stays_where_it_is_open),
        bt_test(test_the_last_holder_removes_it), bt_test(test_a_persistent_one_stays),
        bt_test(test_a_name_can_be_left_to_brood), bt_test(test_wrong_arguments_are_errors),
        bt_test(test_too_much_is_an_error_with_sizes), bt_test(test_a_gigabyte_is_there),
        bt_test(test_a_child_writes_into_it), bt_test(test_the_name_goes_with_a_killed_owner),
        bt_test(test_and_with_one_that_ends_in_order),
        bt_test(test_a_holder_keeps_it_when_its_maker_is_killed),
        bt_test(test_a_persistent_one_outlives_its_maker),
        bt_test(test_nothing_is_left_of_a_killed_tree),
        bt_test(test_no_name_is_left_whenever_its_maker_is_killed),
        bt_test(test_a_list_keeps_what_is_put_into_it), bt_test(test_a_damaged_list_is_refused));
}
