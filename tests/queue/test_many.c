/* brood-test: start-methods */
/* Batches, messages in place, throwing away: order, bounds, errors, and kills at every point. */
#include "harness.h"
#include "kills.h"

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/thread.h"
#include "ipc/arena.h"
#include "queue/local.h"

/* ---- batches ---- */

static void test_values_come_and_go_in_batches(void **state)
{
    (void)state;
    enum { N = 500 };
    static brood_value values[N];
    static char text[6000];
    brood_queue *queue;
    size_t n, got = 0;
    bt_ok(brood_queue_create(&queue, NULL));
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < N; i++)
        values[i] = brood_pack("(is)", i, i % 97 == 5 ? text : "short");
    bt_ok(brood_queue_put_many(queue, values, N, 0, &n));
    assert_int_equal(n, N);
    assert_int_equal(brood_queue_size(queue), N);
    assert_int_equal(values[7].kind, BROOD_INVALID);
    while (got < N) {
        brood_value some[50];
        bt_ok(brood_queue_get_many(queue, some, 50, &n, 0));
        assert_true(n >= 1 && n <= 50);
        for (size_t i = 0; i < n; i++) {
            int64_t number;
            const char *what;
            bt_ok(brood_unpack(&some[i], "is", &number, &what));
            assert_int_equal(number, got + i);
            assert_int_equal(strlen(what), number % 97 == 5 ? sizeof text - 1 : 5);
            brood_value_clear(&some[i]);
        }
        got += n;
    }
    assert_int_equal(brood_queue_get_many(queue, values, N, &n, 0), BROOD_EEMPTY);
    assert_int_equal(brood_queue_get_many(queue, values, N, &n, 20), BROOD_ETIMEDOUT);
    bt_fails(brood_queue_get_many(queue, values, 0, &n, 0), BROOD_EINVALID);
    bt_ok(brood_queue_put_many(queue, values, 0, 0, NULL));
    brood_queue_destroy(queue);
}

static void test_a_batch_goes_as_far_as_there_is_room(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value values[8], value;
    size_t n = 99;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 5}));
    for (int i = 0; i < 8; i++)
        values[i] = brood_int(i);
    assert_int_equal(brood_queue_put_many(queue, values, 8, 0, &n), BROOD_EFULL);
    assert_int_equal(n, 5);
    for (int i = 0; i < 8; i++)
        values[i] = brood_int(i);
    assert_int_equal(brood_queue_put_many(queue, values, 8, 20, &n), BROOD_ETIMEDOUT);
    assert_int_equal(n, 0);
    bt_ok(brood_queue_get(queue, &value, 0));
    values[0] = brood_int(5);
    values[1] = (brood_value){0}; /* cannot be pickled */
    values[2] = brood_int(6);
    bt_fails(brood_queue_put_many(queue, values, 3, 0, &n), BROOD_EINVALID);
    assert_int_equal(n, 1);
    for (int i = 1; i <= 5; i++) {
        bt_ok(brood_queue_get(queue, &value, 0));
        assert_int_equal(value.as.integer, i);
    }
    brood_queue_close(queue);
    values[0] = brood_int(7);
    bt_fails(brood_queue_put_many(queue, values, 1, BROOD_FOREVER, &n), BROOD_ECLOSED);
    bt_fails(brood_queue_get_many(queue, values, 1, &n, BROOD_FOREVER), BROOD_ECLOSED);
    brood_queue_destroy(queue);
}

static void test_bytes_come_packed(void **state)
{
    (void)state;
    static char large[5000], room[6000];
    size_t sizes[8], n;
    brood_queue *queue;
    brood_value value;
    const brood_span spans[] = {
        {"one", 3}, {NULL, 0}, {large, sizeof large}, {"three", 5}, {large, sizeof large}};
    memset(large, 'L', sizeof large);
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_put_bytes_many(queue, spans, 5, 0, &n));
    assert_int_equal(n, 5);
    bt_ok(brood_queue_put(queue, brood_none(), 0));
    bt_ok(brood_queue_get_bytes_many(queue, room, sizeof room, sizes, 8, &n, 0));
    assert_int_equal(n, 4); /* the fifth does not fit */
    assert_memory_equal(room, "one", 3);
    assert_memory_equal(room + 3, large, sizeof large);
    assert_memory_equal(room + 3 + sizeof large, "three", 5);
    assert_int_equal(sizes[1], 0);
    bt_fails(brood_queue_get_bytes_many(queue, room, 100, sizes, 8, &n, 0), BROOD_ETOOLONG);
    assert_int_equal(sizes[0], sizeof large);
    bt_ok(brood_queue_get_bytes_many(queue, room, sizeof room, sizes, 8, &n, 0));
    assert_int_equal(n, 1);
    bt_fails(brood_queue_get_bytes_many(queue, room, sizeof room, sizes, 8, &n, 0), BROOD_ETYPE);
    bt_fails(brood_queue_get_bytes_many(queue, room, sizeof room, sizes, 0, &n, 0), BROOD_EINVALID);
    bt_ok(brood_queue_get(queue, &value, 0));
    brood_queue_destroy(queue);
}

static void test_what_cannot_be_read_is_an_error_among_others(void **state)
{
    (void)state;
    brood_queue *queue, *inner;
    brood_value values[3];
    size_t n;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_create(&inner, NULL));
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    bt_ok(brood_queue_put(queue, brood_queue_value(inner), 0));
    bt_ok(brood_queue_put(queue, brood_int(3), 0));
    brood_queue_destroy(inner);
    bt_ok(brood_queue_get_many(queue, values, 3, &n, 0));
    assert_int_equal(n, 3);
    assert_int_equal(values[0].as.integer, 1);
    assert_string_equal(brood_error_kind(&values[1]), "ECLOSED");
    assert_int_equal(values[2].as.integer, 3);
    brood_value_clear(&values[1]);
    brood_queue_destroy(queue);
}

static void test_messages_are_thrown_away(void **state)
{
    (void)state;
    static char large[100000];
    uint64_t used = bt_arena_used();
    brood_queue *queue;
    brood_value value;
    size_t n;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_discard(queue, &n));
    assert_int_equal(n, 0);
    for (int i = 0; i < 200; i++)
        bt_ok(brood_queue_put_bytes(queue, large, i % 20 == 0 ? sizeof large : (size_t)i, 0));
    bt_ok(brood_queue_discard(queue, &n));
    assert_int_equal(n, 200);
    assert_true(brood_queue_is_empty(queue));
    bt_ok(brood_queue_put(queue, brood_int(5), 0));
    brood_queue_close(queue);
    bt_ok(brood_queue_discard(queue, NULL));
    bt_fails(brood_queue_get(queue, &value, BROOD_FOREVER), BROOD_ECLOSED);
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

/* ---- in place ---- */

static void test_a_message_is_made_and_shown_in_place(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 1 << 20};
    uint64_t used = bt_arena_used();
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, NULL));
    for (size_t i = 0; i < 6; i++) {
        unsigned char *made;
        const void *seen;
        size_t size;
        bt_ok(brood_queue_reserve(queue, sizes[i] + 10, (void **)&made));
        assert_true((uintptr_t)made % 64 == 0);
        assert_true(brood_queue_is_empty(queue));
        memset(made, (int)i + 1, sizes[i] + 10);
        bt_ok(brood_queue_commit(queue, made, sizes[i], 0));
        bt_fails(brood_queue_commit(queue, made, sizes[i], 0), BROOD_EINVALID);
        assert_int_equal(brood_queue_size(queue), 1);
        bt_ok(brood_queue_peek(queue, &seen, &size, 0));
        assert_ptr_equal(seen, made);
        assert_int_equal(size, sizes[i]);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(((const unsigned char *)seen)[j], i + 1);
        assert_true(brood_queue_is_empty(queue));
        brood_queue_release(queue, seen);
    }
    brood_queue_release(queue, NULL);
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

static void test_whatever_was_put_can_be_peeked_at(void **state)
{
    (void)state;
    static char large[10000];
    brood_queue *queue;
    const void *seen[3];
    size_t size[3], n;
    void *made;
    char into[10];
    brood_value value;
    bt_ok(brood_queue_create(&queue, NULL));
    assert_int_equal(brood_queue_peek(queue, &seen[0], &size[0], 0), BROOD_EEMPTY);
    bt_ok(brood_queue_put_bytes(queue, "short", 5, 0));
    bt_ok(brood_queue_put_bytes(queue, large, sizeof large, 0));
    bt_ok(brood_queue_put_bytes(queue, "next", 4, 0));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_queue_peek(queue, &seen[i], &size[i], 0));
    assert_memory_equal(seen[0], "short", 5);
    assert_int_equal(size[1], sizeof large);
    assert_memory_equal(seen[2], "next", 4);
    for (int i = 0; i < 3; i++)
        brood_queue_release(queue, seen[i]);
    /* And what was made in place can be taken in any way. */
    bt_ok(brood_queue_reserve(queue, 3, &made));
    memcpy(made, "abc", 3);
    bt_ok(brood_queue_commit(queue, made, 3, 0));
    bt_ok(brood_queue_get_bytes_into(queue, into, sizeof into, &n, 0));
    assert_int_equal(n, 3);
    assert_memory_equal(into, "abc", 3);
    bt_ok(brood_queue_put(queue, brood_none(), 0));
    bt_fails(brood_queue_peek(queue, &seen[0], &size[0], 0), BROOD_ETYPE);
    bt_ok(brood_queue_get(queue, &value, 0));
    brood_queue_destroy(queue);
}

static void test_reserved_memory_is_checked_and_kept_on_failure(void **state)
{
    (void)state;
    uint64_t used = bt_arena_used();
    brood_queue *queue;
    void *made[70], *none = NULL;
    char own[64];
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 1}));
    for (int i = 0; i < 70; i++)
        bt_ok(brood_queue_reserve(queue, 100, &made[i]));
    bt_fails(brood_queue_commit(queue, made[0], 101, 0), BROOD_EINVALID);
    bt_message_has("100");
    bt_fails(brood_queue_commit(queue, own, 1, 0), BROOD_EINVALID);
    bt_fails(brood_queue_commit(queue, NULL, 0, 0), BROOD_EINVALID);
    bt_fails(brood_queue_reserve(queue, SIZE_MAX, &none), BROOD_ENOMEM);
    bt_fails(brood_queue_reserve(queue, SIZE_MAX - 40, &none), BROOD_ENOMEM);
    assert_null(none);
    bt_ok(brood_queue_commit(queue, made[0], 100, 0));
    assert_int_equal(brood_queue_commit(queue, made[1], 100, 0), BROOD_EFULL);
    bt_ok(brood_queue_discard(queue, NULL));
    bt_ok(brood_queue_commit(queue, made[1], 100, 0));
    brood_queue_release(queue, made[2]);
    /* The others are given back by the end of the queue. */
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

static void test_reserved_memory_belongs_to_its_queue(void **state)
{
    (void)state;
    uint64_t used = bt_arena_used();
    brood_queue *queue, *other;
    void *made;
    const void *shown;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_create(&other, NULL));
    bt_ok(brood_queue_reserve(queue, 100, &made));
    memset(made, 'x', 100);
    bt_fails(brood_queue_commit(other, made, 100, 0), BROOD_EINVALID);
    bt_message_has("not reserved it from that queue");
    assert_int_equal(brood_queue_size(other), 0);
    brood_queue_release(other, made);
    bt_ok(brood_queue_commit(queue, made, 100, 0));
    bt_ok(brood_queue_peek(queue, &shown, &size, 0));
    assert_int_equal(size, 100);
    brood_queue_release(other, shown);
    brood_queue_destroy(other);
    assert_int_equal(*(const char *)shown, 'x');
    brood_queue_release(queue, shown);
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

static void test_out_of_memory_loses_no_message_that_is_peeked_at(void **state)
{
    (void)state;
    brood_queue *queue;
    const void *seen;
    size_t size;
    static char bytes[3000];
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_put_bytes(queue, bytes, sizeof bytes, 0));
    brood_status status = BROOD_ENOMEM;
    for (int n = 1; status != BROOD_OK; n++) {
        bri_memory_fail_at(n, 0);
        status = brood_queue_peek(queue, &seen, &size, 0);
        bri_memory_fail_at(0, 0);
        assert_true(status == BROOD_OK || status == BROOD_ENOMEM);
        assert_int_equal(brood_queue_size(queue), status != BROOD_OK);
    }
    assert_int_equal(size, sizeof bytes);
    brood_queue_release(queue, seen);
    brood_queue_destroy(queue);
}

/* ---- threads ---- */

enum { LONG_ONES = 40, LONG = 5000, MEET_MS = 20 };

static _Atomic uint32_t found;

static bool has_other_come(void *context)
{
    return atomic_load(&found) > *(uint32_t *)context + 1;
}

/* Two threads that have found the note of the same block go on together, if they meet at all. */
static void meet(const char *point)
{
    if (strcmp(point, "parcel-note-found") != 0)
        return;
    uint32_t mine = atomic_fetch_add(&found, 1);
    if (mine % 2 == 0)
        (void)bt_await(has_other_come, &mine, MEET_MS);
}

static void put_long_ones(void *context)
{
    static char bytes[LONG];
    for (int i = 0; i < LONG_ONES; i++)
        if (brood_queue_put_bytes(context, bytes, sizeof bytes, 20000) != BROOD_OK)
            return;
}

/* One thread still forgets a block when the other has it already: each forgets one note of two. */
static void test_threads_leave_no_notes_of_blocks_behind(void **state)
{
    (void)state;
    static char bytes[LONG];
    uint64_t used = bt_arena_used();
    brood_queue *queue;
    bri_thread *thread;
    size_t size;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 2}));
    bri_kill_watch(meet);
    bt_ok(bri_thread_start(&thread, put_long_ones, queue));
    for (int i = 0; i < LONG_ONES; i++)
        bt_ok(brood_queue_get_bytes_into(queue, bytes, sizeof bytes, &size, 20000));
    bri_thread_join(thread);
    bri_kill_watch(NULL);
    assert_int_equal(atomic_load(&queue->shared.holder->loose[0]), 0);
    uint64_t offset = atomic_load(&queue->shared.holder->loose[1]);
    const _Atomic uint64_t *words =
        offset == 0 ? NULL : bri_arena_at(bri_the_runtime.arena, offset);
    for (int i = 0; words != NULL && i < 30; i++) /* the link and the notes */
        assert_int_equal(atomic_load(&words[i]), 0);
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

/* ---- larger than 4 GiB ---- */

#define HUGE_SIZE ((UINT64_C(4) << 30) + 100)

static brood_status see_huge(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    const void *seen;
    size_t size;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    BROOD_TRY(brood_queue_peek(queue, &seen, &size, 20000));
    bt_check(call, size == HUGE_SIZE);
    bt_check(call, memcmp(seen, "begin", 5) == 0);
    bt_check(call, memcmp((const char *)seen + (HUGE_SIZE - 3), "end", 3) == 0);
    brood_queue_release(queue, seen);
    return BROOD_OK;
}

static void test_a_message_may_have_more_than_4_gib(void **state)
{
    (void)state;
    brood_queue *queue;
    void *made;
    if (bt_has_address_sanitizer() || bt_has_thread_sanitizer())
        bt_skip("the sanitizer leaves too little room for addresses");
    if (!bt_method_is(BROOD_START_SPAWN))
        bt_skip("takes 4 GiB of memory: once is enough");
    bt_ok(brood_queue_create(&queue, NULL));
    brood_status status = brood_queue_reserve(queue, (size_t)HUGE_SIZE, &made);
    if (status == BROOD_ENOMEM) {
        brood_queue_destroy(queue);
        bt_skip("this machine has not 4 GiB to spare");
    }
    bt_ok(status);
    memcpy(made, "begin", 5);
    memcpy((char *)made + (HUGE_SIZE - 3), "end", 3);
    bt_ok(brood_queue_commit(queue, made, (size_t)HUGE_SIZE, 0));
    assert_int_equal(bt_join(bt_process(see_huge, brood_pack("(v)", brood_queue_value(queue)))), 0);
    assert_true(brood_queue_is_empty(queue));
    brood_queue_destroy(queue);
}

/* ---- kills ---- */

enum { ROUNDS = 6, EACH = 10, MESSAGES = ROUNDS * EACH };

typedef struct kill_state {
    brood_queue *queue;
    uint64_t used;
    bool getting;
} kill_state;

static size_t size_of(int64_t number)
{
    return number % 7 == 3 ? LONG : sizeof number;
}

static void write_number(void *bytes, int64_t number)
{
    memset(bytes, 0, size_of(number));
    memcpy(bytes, &number, sizeof number);
}

static brood_status begin(brood_call *call, brood_queue **queue)
{
    const brood_value *object;
    BROOD_TRY(bt_kills_begin(call, &object));
    return brood_get_queue(object, queue);
}

/* Puts by batches, and some in place. */
static brood_status put_all(brood_call *call)
{
    static char bytes[EACH][LONG];
    brood_queue *queue;
    BROOD_TRY(begin(call, &queue));
    for (int64_t i = 0; i < MESSAGES; i += EACH) {
        brood_span spans[EACH];
        for (int64_t j = 0; j + 1 < EACH; j++) {
            write_number(bytes[j], i + j);
            spans[j] = (brood_span){bytes[j], size_of(i + j)};
        }
        void *made, *unused;
        BROOD_TRY(brood_queue_reserve(queue, LONG, &made));
        BROOD_TRY(brood_queue_reserve(queue, 10, &unused));
        BROOD_TRY(brood_queue_put_bytes_many(queue, spans, EACH - 1, -1, NULL));
        write_number(made, i + EACH - 1);
        BROOD_TRY(brood_queue_commit(queue, made, size_of(i + EACH - 1), -1));
    }
    return bt_kills_end();
}

static brood_status get_all(brood_call *call)
{
    static char bytes[EACH * LONG];
    size_t sizes[EACH], n;
    brood_queue *queue;
    BROOD_TRY(begin(call, &queue));
    for (int64_t i = 0; i < MESSAGES;) {
        const void *seen[2];
        size_t size;
        for (int j = 0; j < 2 && i < MESSAGES; j++, i++) {
            BROOD_TRY(brood_queue_peek(queue, &seen[j], &size, -1));
            bt_check(call, size == size_of(i) && memcmp(seen[j], &i, sizeof i) == 0);
        }
        BROOD_TRY(brood_queue_get_bytes_many(queue, bytes, sizeof bytes, sizes, EACH - 2, &n, -1));
        brood_queue_release(queue, seen[0]);
        brood_queue_release(queue, seen[1]);
        i += (int64_t)n;
    }
    return bt_kills_end();
}

static brood_value prepare(void *context)
{
    kill_state *kill = context;
    static char bytes[LONG];
    kill->used = bt_arena_used();
    bt_ok(brood_queue_create(&kill->queue, NULL));
    for (int64_t i = 0; kill->getting && i < MESSAGES; i++) {
        write_number(bytes, i);
        bt_ok(brood_queue_put_bytes(kill->queue, bytes, size_of(i), 0));
    }
    return brood_queue_value(kill->queue);
}

/* What is there is whole, in order and without a gap: from the first when putting, up to the last
 * when getting. */
static void verify(void *context, const char *point, int n)
{
    kill_state *kill = context;
    int64_t there = (int64_t)brood_queue_size(kill->queue), number;
    int64_t first = kill->getting ? MESSAGES - there : 0;
    for (int64_t i = 0; i < there; i++) {
        void *data;
        size_t size;
        bt_ok(brood_queue_get_bytes(kill->queue, &data, &size, 5000));
        memcpy(&number, data, sizeof number);
        if (number != first + i || size != size_of(number))
            fail_msg("message %d is %d after %s, %d", (int)(first + i), (int)number, point, n);
        brood_free(data);
    }
    bt_ok(brood_queue_put_bytes(kill->queue, "x", 1, 5000));
    brood_queue_destroy(kill->queue);
    uint64_t used = bt_arena_used();
    /* One block that was between two owners, and one that was just cut or unlinked. */
    if (used > kill->used + 128 + LONG + LONG / 4)
        fail_msg("%llu bytes are lost after %s, %d", (unsigned long long)(used - kill->used), point,
                 n);
}

static const char *const ours[] = {"shared", "sweep", "proctable", "arena", "park", NULL};

static void test_a_putter_of_many_that_is_killed_harms_nobody(void **state)
{
    (void)state;
    kill_state kill = {.getting = false};
    bt_kills kills = {
        .run = put_all, .prepare = prepare, .verify = verify, .context = &kill, .ignored = ours};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

static void test_a_getter_of_many_that_is_killed_harms_nobody(void **state)
{
    (void)state;
    kill_state kill = {.getting = true};
    bt_kills kills = {
        .run = get_all, .prepare = prepare, .verify = verify, .context = &kill, .ignored = ours};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_values_come_and_go_in_batches),
        bt_test(test_a_batch_goes_as_far_as_there_is_room), bt_test(test_bytes_come_packed),
        bt_test(test_what_cannot_be_read_is_an_error_among_others),
        bt_test(test_messages_are_thrown_away), bt_test(test_a_message_is_made_and_shown_in_place),
        bt_test(test_whatever_was_put_can_be_peeked_at),
        bt_test(test_reserved_memory_is_checked_and_kept_on_failure),
        bt_test(test_reserved_memory_belongs_to_its_queue),
        bt_test(test_out_of_memory_loses_no_message_that_is_peeked_at),
        bt_test(test_threads_leave_no_notes_of_blocks_behind),
        bt_test(test_a_message_may_have_more_than_4_gib),
        bt_test(test_a_putter_of_many_that_is_killed_harms_nobody),
        bt_test(test_a_getter_of_many_that_is_killed_harms_nobody));
}
