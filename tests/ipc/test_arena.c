/* The allocator of the shared memory: blocks, threads, processes, kills. */
#include "harness.h"
#include "kills.h"

#include "core/thread.h"
#include "ipc/arena.h"
#include "platform/ident.h"

enum { MIB = 1 << 20 };

static bri_arena *the_arena(void)
{
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    return arena;
}

static void test_blocks_have_their_size_and_place(void **state)
{
    (void)state;
    bri_arena *arena = the_arena();
    for (uint64_t size = 0; size < 3 * MIB; size += size / 3 + 1) {
        uint64_t block;
        bt_ok(bri_arena_alloc(arena, size, &block));
        assert_int_equal(block % 64, 16);
        uint64_t room = bri_arena_block_size(arena, block);
        assert_true(room >= size);
        assert_true(room <= size + size / 4 + 128);
        memset(bri_arena_at(arena, block), 0xa5, (size_t)size);
        assert_int_equal(bri_arena_offset(arena, bri_arena_at(arena, block)), block);
        bri_arena_free(arena, block);
    }
}

static void test_blocks_in_use_are_apart(void **state)
{
    (void)state;
    enum { N = 300 };
    bri_arena *arena = the_arena();
    uint64_t blocks[N], used = bt_arena_used();
    for (unsigned i = 0; i < N; i++) {
        bt_ok(bri_arena_alloc(arena, i * i / 3, &blocks[i]));
        memset(bri_arena_at(arena, blocks[i]), (int)i, i * i / 3);
    }
    for (unsigned i = 0; i < N; i++) {
        const unsigned char *at = bri_arena_at(arena, blocks[i]);
        for (unsigned j = 0; j < i * i / 3; j++)
            assert_int_equal(at[j], (unsigned char)i);
        bri_arena_free(arena, blocks[i]);
    }
    assert_int_equal(bt_arena_used(), used);
}

static void test_a_freed_block_is_used_again(void **state)
{
    (void)state;
    bri_arena *arena = the_arena();
    for (uint64_t size = 100; size <= 40 * MIB; size *= 20) {
        uint64_t block, other;
        bt_ok(bri_arena_alloc(arena, size, &block));
        bri_arena_free(arena, block);
        bt_ok(bri_arena_alloc(arena, size - 8, &other));
        assert_int_equal(other, block);
        /* Also when its memory was given back in between. */
        memset(bri_arena_at(arena, other), 1, (size_t)size - 8);
        bri_arena_free(arena, other);
    }
}

static void test_a_large_block_is_backed_as_far_as_it_is_asked_for(void **state)
{
    (void)state;
    bri_arena *arena = the_arena();
    uint64_t block, again;
    bt_ok(bri_arena_alloc(arena, 33 * MIB + 5, &block));
    bri_arena_free(arena, block);
    bt_ok(bri_arena_alloc(arena, 39 * MIB, &again));
    assert_int_equal(again, block);
    memset(bri_arena_at(arena, again), 7, 39 * MIB);
    bri_arena_free(arena, again);
}

static void test_too_much_is_an_error_with_sizes(void **state)
{
    (void)state;
    bri_arena *arena = the_arena();
    uint64_t block = 17;
    bt_fails(bri_arena_alloc(arena, UINT64_C(1) << 50, &block), BROOD_ENOMEM);
    bt_message_has("1125899906842624");
    bt_fails(bri_arena_alloc(arena, UINT64_MAX, &block), BROOD_ENOMEM);
    assert_int_equal(block, 17);
}

/* ---- together ---- */

/* Takes, fills, checks and frees blocks of random sizes; true when nobody else wrote into them. */
static bool work(bri_arena *arena, unsigned seed, int rounds)
{
    enum { N = 40 };
    struct {
        uint64_t block;
        size_t size;
        unsigned char fill;
    } held[N] = {0};
    bool good = true;
    for (int round = 0; good && round < rounds + N; round++) {
        unsigned i = (unsigned)round % N;
        const unsigned char *at = bri_arena_at(arena, held[i].block);
        for (size_t j = 0; good && j < held[i].size; j++)
            good = at[j] == held[i].fill;
        bri_arena_free(arena, held[i].block);
        held[i].block = held[i].size = 0;
        if (round >= rounds)
            continue;
        seed = seed * 1103515245 + 12345;
        size_t size = (seed >> 8) % 5 == 0 ? (seed >> 12) % 40000 : (seed >> 12) % 400;
        if ((seed >> 20) % 500 == 0)
            size += 2 * MIB;
        if (bri_arena_alloc(arena, size, &held[i].block) != BROOD_OK)
            return false;
        held[i].size = size;
        held[i].fill = (unsigned char)seed;
        memset(bri_arena_at(arena, held[i].block), held[i].fill, size);
    }
    return good;
}

typedef struct worker {
    unsigned seed;
    bool good;
} worker;

static void work_in_thread(void *context)
{
    worker *self = context;
    self->good = work(the_arena(), self->seed, 4000);
}

static void test_threads_share_it(void **state)
{
    (void)state;
    enum { N = 4 };
    uint64_t used = bt_arena_used();
    worker workers[N];
    bri_thread *threads[N];
    for (unsigned i = 0; i < N; i++) {
        workers[i].seed = i + 1;
        bt_ok(bri_thread_start(&threads[i], work_in_thread, &workers[i]));
    }
    for (unsigned i = 0; i < N; i++) {
        bri_thread_join(threads[i]);
        assert_true(workers[i].good);
    }
    assert_int_equal(bt_arena_used(), used);
}

static brood_status work_in_process(brood_call *call)
{
    int64_t seed;
    BROOD_TRY(brood_call_args(call, "i", &seed));
    bri_arena *arena;
    BROOD_TRY(bri_arena_get(&arena));
    bt_check(call, work(arena, (unsigned)seed, 4000));
    return BROOD_OK;
}

static void test_processes_share_it(void **state)
{
    (void)state;
    enum { N = 4 };
    brood_process *processes[N];
    uint64_t used = bt_arena_used();
    for (int i = 0; i < N; i++)
        processes[i] = bt_process(work_in_process, brood_pack("(i)", i + 100));
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    assert_int_equal(bt_arena_used(), used);
}

/* What is given back and taken again at once must not cost new pages each time, though many were
 * given back before. */
static void test_large_blocks_keep_their_memory_after_many_were_free(void **state)
{
    (void)state;
    enum { N = 40 };
    bri_arena *arena = the_arena();
    uint64_t blocks[N], again;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++)
            bt_ok(bri_arena_alloc(arena, MIB, &blocks[i]));
        if (round == 0)
            for (int i = 0; i < N; i++)
                bri_arena_free(arena, blocks[i]);
    }
    unsigned char *middle = (unsigned char *)bri_arena_at(arena, blocks[0]) + MIB / 2;
    *middle = 77;
    bri_arena_free(arena, blocks[0]);
    bt_ok(bri_arena_alloc(arena, MIB, &again));
    assert_int_equal(again, blocks[0]);
    assert_int_equal(*middle, 77); /* a page that was given back is all zero */
    for (int i = 0; i < N; i++)
        bri_arena_free(arena, blocks[i]);
}

/* ---- kills ---- */

enum { MORE = 200 };

/* Until none that are free already are left, and small ones until more memory is backed. */
static brood_status take_until_cut(bri_arena *arena, uint64_t size, uint64_t *blocks, int *n)
{
    bri_arena_use before, now;
    bri_arena_count(arena, &before);
    do {
        BROOD_TRY(bri_arena_alloc(arena, size, &blocks[(*n)++]));
        bri_arena_count(arena, &now);
    } while (*n < MORE / 2 * (size < MIB ? 1 : 2) &&
             (now.cut == before.cut || (size < MIB && now.committed == before.committed)));
    return BROOD_OK;
}

static brood_status take_and_free(brood_call *call)
{
    const brood_value *objects;
    bri_arena *arena;
    uint64_t blocks[6];
    BROOD_TRY(bri_arena_get(&arena));
    /* Sizes that nothing else uses, so that blocks are cut, not found. */
    int64_t odd;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_get_int(objects, &odd));
    uint64_t size = 20000 * (uint64_t)odd, more[MORE];
    int n = 0;
    for (int i = 0; i < 6; i++)
        BROOD_TRY(bri_arena_alloc(arena, i < 3 ? size : size + 2 * MIB, &blocks[i]));
    BROOD_TRY(take_until_cut(arena, size, more, &n));
    BROOD_TRY(take_until_cut(arena, size + 2 * MIB, more, &n));
    for (int i = 0; i < 6; i++)
        bri_arena_free(arena, blocks[i]);
    while (n > 0)
        bri_arena_free(arena, more[--n]);
    return bt_kills_end();
}

typedef struct kill_state {
    int64_t round;
    uint64_t used;
} kill_state;

static brood_value count_rounds(void *context)
{
    kill_state *kill = context;
    kill->used = bt_arena_used();
    return brood_int(++kill->round % 8 + 1);
}

/* At most the blocks that were held are lost (a killed process has nobody to give them back), and
 * the allocator goes on working for the others. */
static void check_arena(void *context, const char *point, int n)
{
    kill_state *kill = context;
    (void)point;
    (void)n;
    uint64_t used = bt_arena_used();
    assert_true(used <= kill->used + MORE * 3 * MIB);
    assert_true(work(the_arena(), (unsigned)kill->round, 200));
    assert_int_equal(bt_arena_used(), used);
}

static void test_a_kill_at_any_point_leaves_it_usable(void **state)
{
    (void)state;
    kill_state kill = {0};
    bt_kills kills = {.run = take_and_free,
                      .prepare = count_rounds,
                      .verify = check_arena,
                      .context = &kill,
                      .most = 3};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv,
                   /* the first: nothing is kept yet */
                   bt_test(test_large_blocks_keep_their_memory_after_many_were_free),
                   bt_test(test_blocks_have_their_size_and_place),
                   bt_test(test_blocks_in_use_are_apart), bt_test(test_a_freed_block_is_used_again),
                   bt_test(test_a_large_block_is_backed_as_far_as_it_is_asked_for),
                   bt_test(test_too_much_is_an_error_with_sizes), bt_test(test_threads_share_it),
                   bt_test(test_processes_share_it),
                   bt_test(test_a_kill_at_any_point_leaves_it_usable));
}
