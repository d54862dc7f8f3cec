/* world.c - see stress.h. */
#include "stress.h"

#include <stdarg.h>

#include "ipc/arena.h"

record *record_at(uint64_t block)
{
    bri_arena *arena;
    BROOD_CHECK(bri_arena_get(&arena));
    return bri_arena_at(arena, block);
}

brood_status world_make(world *all)
{
    static const brood_queue_options options[QUEUES] = {
        {.memory_limit = 200000},
        {.maxsize = 5},
        {.joinable = true, .maxsize = 50},
        {.ends_with_producers = true, .maxsize = 100}};
    for (int i = 0; i < QUEUES; i++)
        BROOD_TRY(brood_queue_create(&all->queues[i], &options[i]));
    BROOD_TRY(brood_lock_create(&all->lock));
    BROOD_TRY(brood_rlock_create(&all->rlock));
    BROOD_TRY(brood_semaphore_create(&all->semaphore, UNITS));
    BROOD_TRY(brood_event_create(&all->event));
    BROOD_TRY(brood_condition_create(&all->condition, NULL));
    BROOD_TRY(brood_barrier_create(&all->barrier, PARTIES, NULL));
    BROOD_TRY(brood_array_create(&all->counters, "q", 3, NULL));
    BROOD_TRY(brood_shared_memory_create(&all->memory, NULL, MOST_WORKERS * sizeof(uint32_t),
                                         BROOD_LIFETIME_HOLDERS));
    return brood_shareable_list_create(&all->list, NULL, brood_pack("[i]", 0),
                                       BROOD_LIFETIME_OWNER);
}

brood_value world_value(const world *all)
{
    return brood_pack("(vvvvvvvvvvvvv)", brood_queue_value(all->queues[WIDE]),
                      brood_queue_value(all->queues[NARROW]), brood_queue_value(all->queues[WORK]),
                      brood_queue_value(all->queues[ENDING]), brood_lock_value(all->lock),
                      brood_rlock_value(all->rlock), brood_semaphore_value(all->semaphore),
                      brood_event_value(all->event), brood_condition_value(all->condition),
                      brood_barrier_value(all->barrier), brood_array_value(all->counters),
                      brood_shared_memory_value(all->memory),
                      brood_shareable_list_value(all->list));
}

brood_status world_get(const brood_value *value, world *all)
{
    for (size_t i = 0; i < QUEUES; i++)
        BROOD_TRY(brood_get_queue(brood_item(value, i), &all->queues[i]));
    BROOD_TRY(brood_get_lock(brood_item(value, 4), &all->lock));
    BROOD_TRY(brood_get_rlock(brood_item(value, 5), &all->rlock));
    BROOD_TRY(brood_get_semaphore(brood_item(value, 6), &all->semaphore));
    BROOD_TRY(brood_get_event(brood_item(value, 7), &all->event));
    BROOD_TRY(brood_get_condition(brood_item(value, 8), &all->condition));
    BROOD_TRY(brood_get_barrier(brood_item(value, 9), &all->barrier));
    BROOD_TRY(brood_get_array(brood_item(value, 10), &all->counters));
    BROOD_TRY(brood_get_shared_memory(brood_item(value, 11), &all->memory));
    return brood_get_shareable_list(brood_item(value, 12), &all->list);
}

void world_destroy(world *all)
{
    for (int i = 0; i < QUEUES; i++)
        brood_queue_destroy(all->queues[i]);
    brood_lock_destroy(all->lock);
    brood_rlock_destroy(all->rlock);
    brood_semaphore_destroy(all->semaphore);
    brood_event_destroy(all->event);
    brood_condition_destroy(all->condition);
    brood_barrier_destroy(all->barrier);
    brood_array_destroy(all->counters);
    brood_shared_memory_close(all->memory);
    brood_shareable_list_close(all->list);
}

void note_wrong(record *notes, const char *format, ...)
{
    va_list arguments;
    if (atomic_fetch_add(&notes->wrong, 1) != 0)
        return;
    va_start(arguments, format);
    vsnprintf(notes->said, sizeof notes->said, format, arguments);
    va_end(arguments);
}

void note_message(record *notes, queue_name queue, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    message head = {0};
    if (size >= sizeof head)
        memcpy(&head, data, sizeof head);
    bool whole = size >= sizeof head && head.size == size && head.queue == (uint32_t)queue &&
                 head.worker < MOST_WORKERS && head.number < MESSAGES;
    for (size_t i = sizeof head; whole && i < size; i++)
        whole = bytes[i] == (unsigned char)(head.number + head.worker);
    if (!whole) {
        atomic_fetch_add(&notes->torn, 1);
        note_wrong(notes, "a message of %zu bytes says that it is number %u of %u, of %u bytes",
                   size, head.number, head.worker, head.size);
        return;
    }
    uint8_t bit = (uint8_t)(1u << head.number % 8);
    _Atomic uint8_t *seen = &notes->lines[head.worker].seen[queue][head.number / 8];
    if ((atomic_fetch_or(seen, bit) & bit) != 0) {
        atomic_fetch_add(&notes->twice, 1);
        note_wrong(notes, "message %u of %u came twice through queue %d", head.number, head.worker,
                   (int)queue);
    }
}

uint32_t draw(uint64_t *seed, uint32_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % n;
}

uint64_t seed_of(uint64_t seed, uint64_t n)
{
    uint64_t made = (seed ^ n * UINT64_C(0xd6e8feb86659fd93)) + UINT64_C(0x9e3779b97f4a7c15);
    made = (made ^ made >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    made = (made ^ made >> 27) * UINT64_C(0x94d049bb133111eb);
    return made ^ made >> 31;
}

void write_name(const record *notes, uint32_t number, uint32_t n, char name[32])
{
    snprintf(name, 32, "st-%lld-%u-%u", (long long)notes->pid, number, n);
}
