/* What happens when the shared memory is used up. */
#include "harness.h"
#include "kills.h"

#include "base/memory.h"
#include "ipc/arena.h"

enum { ARENA_SIZE = 4 << 20, MOST = 20000 };

static uint64_t blocks[MOST];

/* Takes blocks of that size until there is none. */
static int fill(bri_arena *arena, uint64_t size)
{
    int n = 0;
    while (n < MOST && bri_arena_alloc(arena, size, &blocks[n]) == BROOD_OK)
        memset(bri_arena_at(arena, blocks[n++]), 1, (size_t)size);
    return n;
}

static void empty(bri_arena *arena, int n)
{
    while (n-- > 0)
        bri_arena_free(arena, blocks[n]);
}

static bri_arena *the_arena(void)
{
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    return arena;
}

static void test_the_size_is_what_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(bri_arena_reserved(the_arena()), ARENA_SIZE);
    bt_fails(brood_set_arena_size(0), BROOD_ESTATE);
}

static void test_large_blocks_end_where_small_ones_are(void **state)
{
    (void)state;
    int n = fill(the_arena(), 1000000);
    assert_true(n >= 1 && n <= 4);
    bt_message_has("could not take");
    uint64_t block;
    bt_fails(bri_arena_alloc(the_arena(), 3000000, &block), BROOD_ENOMEM);
    bt_ok(bri_arena_alloc(the_arena(), 100, &block));
    bri_arena_free(the_arena(), block);
    empty(the_arena(), n);
}

static void test_a_full_queue_gives_an_error_and_goes_on(void **state)
{
    (void)state;
    static char bytes[3000];
    brood_queue *queue;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    brood_status status;
    int n = 0;
    while ((status = brood_queue_put_bytes(queue, bytes, sizeof bytes, 0)) == BROOD_OK)
        n++;
    assert_int_equal(status, BROOD_ENOMEM);
    bt_message_has("could not put into a queue");
    bt_message_has("shared memory");
    assert_true(n > 100);
    assert_int_equal(brood_queue_size(queue), n);
    for (int i = 0; i < 2 * n; i++) {
        bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
        brood_free(data);
        if (i >= 50 && i < n + 50)
            bt_ok(brood_queue_put_bytes(queue, bytes, sizeof bytes, 0));
    }
    assert_true(brood_queue_is_empty(queue));
    brood_queue_destroy(queue);
}

static void test_making_fails_and_leaves_nothing(void **state)
{
    (void)state;
    int n = fill(the_arena(), 4000);
    while (n < MOST && bri_arena_alloc(the_arena(), 1, &blocks[n]) == BROOD_OK)
        n++;
    uint64_t used = bt_arena_used();
    long before = bri_memory_blocks();
    brood_lock *lock;
    brood_queue *queue;
    bt_fails(brood_lock_create(&lock), BROOD_ENOMEM);
    bt_message_has("could not create a lock");
    bt_fails(brood_queue_create(&queue, NULL), BROOD_ENOMEM);
    bt_message_has("could not create a queue");
    assert_int_equal(bri_memory_blocks(), before);
    assert_int_equal(bt_arena_used(), used);
    empty(the_arena(), n);
    bt_ok(brood_lock_create(&lock));
    brood_lock_destroy(lock);
}

static void test_freed_memory_serves_again(void **state)
{
    (void)state;
    int first = fill(the_arena(), 4000);
    empty(the_arena(), first);
    assert_true(first > 0);
    assert_int_equal(fill(the_arena(), 4000), first);
    empty(the_arena(), first);
    /* A block that is larger than asked for is better than none. */
    uint64_t block;
    bt_ok(bri_arena_alloc(the_arena(), 40, &block));
    bri_arena_free(the_arena(), block);
}

int main(int argc, char **argv)
{
    if (brood_set_arena_size(ARENA_SIZE) != BROOD_OK)
        return 2;
    return bt_main(argc, argv, bt_test(test_the_size_is_what_was_asked_for),
                   bt_test(test_large_blocks_end_where_small_ones_are),
                   bt_test(test_a_full_queue_gives_an_error_and_goes_on),
                   bt_test(test_making_fails_and_leaves_nothing),
                   bt_test(test_freed_memory_serves_again));
}
