/* brood-test: start-methods */
/* Producers and consumers are killed at random: every message at most once, nobody hangs, nothing
 * is lost but what the killed had in hand. */
#include "harness.h"
#include "kills.h"

#include "ipc/arena.h"

enum { PRODUCERS = 3, CONSUMERS = 3, MOST = 100000, IDS = 80, KILLS = 30 };

/* In the arena. */
typedef struct record {
    _Atomic uint32_t puts[IDS]; /* that have returned */
    _Atomic uint8_t seen[IDS][MOST];
    _Atomic uint32_t gets, torn, twice;
} record;

typedef struct message {
    uint32_t id;
    uint32_t number;
    uint32_t size;
} message;

static record *record_at(uint64_t block)
{
    bri_arena *arena;
    return bri_arena_get(&arena) == BROOD_OK ? bri_arena_at(arena, block) : NULL;
}

static brood_status produce(brood_call *call)
{
    static unsigned char bytes[30000];
    const brood_value *value;
    brood_queue *queue;
    uint64_t block, id;
    BROOD_TRY(brood_call_args(call, "vuu", &value, &block, &id));
    BROOD_TRY(brood_get_queue(value, &queue));
    record *all = record_at(block);
    for (uint32_t i = 0; i < MOST; i++) {
        uint32_t size = (uint32_t)sizeof(message) + (i % 50 == 7 ? i % 29000 : i * 13 % 300);
        message head = {(uint32_t)id, i, size};
        memset(bytes, (int)(i + id), size);
        memcpy(bytes, &head, sizeof head);
        brood_status status = brood_queue_put_bytes(queue, bytes, size, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        atomic_store(&all->puts[id], i + 1);
        /* In bursts, so that the messages last as long as the slowest system takes to start the
         * processes. */
        if (i % 50 == 49)
            brood_sleep(5);
    }
    return BROOD_OK;
}

static void note_message(record *all, const unsigned char *data, size_t size)
{
    message head;
    memcpy(&head, data, sizeof head);
    bool whole = size >= sizeof head && head.size == size && head.id < IDS && head.number < MOST;
    for (size_t i = sizeof head; whole && i < size; i++)
        whole = data[i] == (unsigned char)(head.number + head.id);
    if (!whole)
        atomic_fetch_add(&all->torn, 1);
    else if (atomic_fetch_add(&all->seen[head.id][head.number], 1) != 0)
        atomic_fetch_add(&all->twice, 1);
    atomic_fetch_add(&all->gets, 1);
}

static brood_status consume(brood_call *call)
{
    const brood_value *value;
    brood_queue *queue;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_queue(value, &queue));
    for (;;) {
        void *data;
        size_t size;
        brood_status status = brood_queue_get_bytes(queue, &data, &size, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        note_message(record_at(block), data, size);
        brood_free(data);
    }
}

typedef struct arena_state {
    brood_queue *queue;
    uint64_t block;
    uint64_t next_id;
} arena_state;

static brood_process *start_one(arena_state *all, int i)
{
    if (i < PRODUCERS)
        return bt_process(
            produce, brood_pack("vuu", brood_queue_value(all->queue), all->block, all->next_id++));
    return bt_process(consume, brood_pack("vu", brood_queue_value(all->queue), all->block));
}

typedef struct progress {
    record *all;
    uint32_t gets;
} progress;

static bool has_gone_on(void *context)
{
    progress *seen = context;
    return atomic_load(&seen->all->gets) > seen->gets + 20;
}

static void count_losses(const arena_state *state, int *lost)
{
    const record *all = record_at(state->block);
    *lost = 0;
    for (uint64_t id = 0; id < state->next_id; id++)
        for (uint32_t i = 0; i < atomic_load(&all->puts[id]); i++)
            *lost += atomic_load(&all->seen[id][i]) == 0;
}

static void run_stress(size_t maxsize, unsigned seed)
{
    enum { ALL = PRODUCERS + CONSUMERS };
    arena_state all = {0};
    bri_arena *arena;
    brood_process *processes[ALL];
    print_message("seed %u\n", seed);
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(record), &all.block));
    memset(record_at(all.block), 0, sizeof(record));
    bt_ok(brood_queue_create(&all.queue,
                             &(brood_queue_options){.maxsize = maxsize, .memory_limit = 300000}));
    for (int i = 0; i < ALL; i++)
        processes[i] = start_one(&all, i);
    int killed = 0;
    for (int n = 0; n < KILLS; n++) {
        progress seen = {record_at(all.block), atomic_load(&record_at(all.block)->gets)};
        if (!bt_await(has_gone_on, &seen, 10000))
            fail_msg("nothing moves after %d kills", n);
        seed = seed * 1103515245 + 12345;
        int i = (int)(seed >> 16) % ALL;
        bt_ok(brood_process_kill(processes[i]));
        killed += bt_join(processes[i]) == -9;
        processes[i] = start_one(&all, i);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        bt_ok(brood_process_kill(processes[i]));
        killed += bt_join(processes[i]) == -9;
    }
    brood_queue_close(all.queue);
    for (int i = PRODUCERS; i < ALL; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    int lost;
    count_losses(&all, &lost);
    assert_int_equal(atomic_load(&record_at(all.block)->torn), 0);
    assert_int_equal(atomic_load(&record_at(all.block)->twice), 0);
    assert_true(lost <= killed);
    brood_queue_destroy(all.queue);
    bri_arena_free(arena, all.block);
}

static void test_kills_at_random_harm_nobody_else(void **state)
{
    (void)state;
    run_stress(0, 1);
    run_stress(10, 2);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_kills_at_random_harm_nobody_else));
}
