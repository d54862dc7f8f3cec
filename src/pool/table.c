/* pool/table.c - see the header. */
#include "pool/table.h"

#include "core/killpoint.h"

enum { LINE = 64, ASLEEP = 1, CALL = 2 };

_Static_assert(sizeof(bri_task_slot) == 2 * LINE && sizeof(bri_worker_record) == LINE &&
                   sizeof(bri_task_table) % LINE == 0 && sizeof(bri_task_ring) == 2 * LINE,
               "every group of words has its own line");

static size_t round_up(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

/* Enough that a parent that is slow to be woken finds its workers still busy. */
static uint32_t slots_for(uint32_t n_workers)
{
    uint32_t n = 1024;
    while (n < 8 * n_workers)
        n *= 2;
    return n;
}

size_t bri_tasks_size(uint32_t n_workers)
{
    uint32_t n = slots_for(n_workers);
    return round_up(sizeof(bri_task_table) + n_workers * sizeof(bri_worker_record)) +
           BRI_TASK_LEVELS * 2 * n * sizeof(uint32_t) +
           n * (sizeof(bri_task_slot) + 2 * sizeof(uint64_t));
}

void bri_tasks_init(bri_task_table *table, uint32_t n_workers)
{
    table->n_workers = n_workers;
    table->n_slots = slots_for(n_workers);
    table->n_ring = 2 * table->n_slots;
    table->ring_at =
        (uint32_t)round_up(sizeof(bri_task_table) + n_workers * sizeof(bri_worker_record));
    table->slots_at = table->ring_at + BRI_TASK_LEVELS * table->n_ring * (uint32_t)sizeof(uint32_t);
    atomic_store(&table->done_wanted, 1);
    for (uint32_t i = 0; i < table->n_slots; i++)
        bri_tasks_slot(table, i)->level = BRI_LEVEL_NORMAL;
}

bri_task_slot *bri_tasks_slot(bri_task_table *table, uint32_t index)
{
    return (bri_task_slot *)(void *)((unsigned char *)table + table->slots_at) + index;
}

/* Two words a slot, which stand behind the slots: few tasks need them. */
_Atomic uint64_t *bri_tasks_holds(bri_task_table *table, uint32_t index)
{
    return (_Atomic uint64_t *)(void *)bri_tasks_slot(table, table->n_slots) + 2 * index;
}

_Atomic uint64_t *bri_tasks_lent(bri_task_table *table, uint32_t index)
{
    return bri_tasks_holds(table, index) + 1;
}

/* An entry of a ring. */
static _Atomic uint32_t *entry_at(bri_task_table *table, uint32_t level, uint64_t position)
{
    return (_Atomic uint32_t *)(void *)((unsigned char *)table + table->ring_at) +
           level * table->n_ring + (position & (table->n_ring - 1));
}

/* Advances head from `position` by one, unless somebody has: gives what head is now. */
static uint64_t pass(bri_task_ring *ring, uint64_t position)
{
    uint64_t head = position;
    return atomic_compare_exchange_strong(&ring->head, &head, position + 1) ? position + 1 : head;
}

static bool take_from(bri_task_table *table, uint32_t level, bri_worker_number worker,
                      uint32_t *index)
{
    bri_task_ring *ring = &table->rings[level];
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    while (head != atomic_load_explicit(&ring->tail, memory_order_acquire)) {
        uint32_t at = atomic_load_explicit(entry_at(table, level, head), memory_order_relaxed);
        _Atomic uint32_t *state = &bri_tasks_slot(table, at)->state;
        uint32_t ready = BRI_TASK_READY;
        bool taken =
            atomic_load_explicit(state, memory_order_relaxed) == BRI_TASK_READY &&
            atomic_compare_exchange_strong(state, &ready, bri_task_state(BRI_TASK_RUNNING, worker));
        if (taken)
            BRI_KILL_POINT("pool-take-taken");
        head = pass(ring, head);
        if (taken) {
            *index = at;
            return true;
        }
    }
    return false;
}

/* The levels but the normal one cost nothing as long as nobody uses them. */
bool bri_tasks_take(bri_task_table *table, bri_worker_number worker, uint32_t *index)
{
    uint32_t levels = atomic_load_explicit(&table->levels, memory_order_acquire);
    if (atomic_load_explicit(&table->paused, memory_order_relaxed) != 0)
        return false;
    if ((levels & ~(1u << BRI_LEVEL_NORMAL)) == 0)
        return take_from(table, BRI_LEVEL_NORMAL, worker, index);
    for (uint32_t level = BRI_TASK_LEVELS; level-- > 0;)
        if ((levels >> level & 1) != 0 && take_from(table, level, worker, index))
            return true;
    return false;
}

bool bri_tasks_has_ready(bri_task_table *table)
{
    uint32_t levels = atomic_load(&table->levels);
    if (atomic_load(&table->paused) != 0)
        return false;
    for (uint32_t level = 0; level < BRI_TASK_LEVELS; level++)
        if ((levels >> level & 1) != 0 &&
            atomic_load(&table->rings[level].head) != atomic_load(&table->rings[level].tail))
            return true;
    return false;
}

/* Wakes up to `n` sleepers of a bell, if one may be asleep. Who goes to sleep sets the bit first
 * and looks afterwards, so whoever changes something first and calls then needs no more than this.
 */
static void call(_Atomic uint32_t *bell, int n)
{
    uint32_t old = atomic_load(bell);
    while ((old & ASLEEP) != 0)
        if (atomic_compare_exchange_weak(bell, &old, old - ASLEEP + CALL)) {
            bri_unpark(bell, n);
            return;
        }
}

bool bri_tasks_finish(bri_task_table *table, bri_worker_number worker, uint32_t index)
{
    bri_task_slot *slot = bri_tasks_slot(table, index);
    BRI_KILL_POINT("pool-finish-written");
    uint32_t running = bri_task_state(BRI_TASK_RUNNING, worker);
    if (!atomic_compare_exchange_strong_explicit(&slot->state, &running,
                                                 bri_task_state(BRI_TASK_DONE, worker),
                                                 memory_order_release, memory_order_relaxed))
        return false;
    BRI_KILL_POINT("pool-finish-done");
    uint64_t old = atomic_load_explicit(&table->done, memory_order_relaxed), new;
    do {
        atomic_store_explicit(&slot->next, (uint32_t)old, memory_order_relaxed);
        new = ((old >> 32) + 1) << 32 | (index + 1);
    } while (!atomic_compare_exchange_weak(&table->done, &old, new));
    BRI_KILL_POINT("pool-finish-pushed");
    if (new >> 32 >= atomic_load(&table->done_wanted))
        call(&table->done_bell, INT32_MAX);
    return true;
}

bool bri_tasks_take_away(bri_task_table *table, uint32_t index, bri_worker_number *worker)
{
    _Atomic uint32_t *state = &bri_tasks_slot(table, index)->state;
    uint32_t now = atomic_load(state);
    if ((now & BRI_TASK_TAG) != BRI_TASK_RUNNING ||
        !atomic_compare_exchange_strong(state, &now, bri_task_state(BRI_TASK_KILLED, now >> 4)))
        return false;
    *worker = now >> 4;
    return true;
}

bri_park_end bri_tasks_wait_ready(bri_task_table *table, const bri_worker_record *record,
                                  uint32_t returned, bri_parking *parking)
{
    bri_parking_look(parking);
    uint32_t seen = atomic_fetch_or(&table->bell, ASLEEP) | ASLEEP;
    if (bri_tasks_has_ready(table) || atomic_load(&table->ending) != 0 ||
        atomic_load(&record->leave) != 0 || atomic_load(&table->returned) != returned)
        return BRI_PARK_WOKEN;
    /* A worker with nothing to do means that little is coming: the parent need not wait for more.
     */
    if (atomic_load(&table->done) != 0)
        call(&table->done_bell, INT32_MAX);
    bri_park_end end = bri_park(parking, &table->bell, seen);
    /* A call clears the bit for all, but wakes only as many as it has tasks. */
    atomic_fetch_or(&table->bell, ASLEEP);
    return end;
}

/* Passes entries of tasks that were withdrawn: nobody else may come by for a long time. */
static bool make_room(bri_task_table *table, uint32_t level, uint64_t tail)
{
    bri_task_ring *ring = &table->rings[level];
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    while (tail - head >= table->n_ring) {
        uint32_t at = atomic_load_explicit(entry_at(table, level, head), memory_order_relaxed);
        if (atomic_load(&bri_tasks_slot(table, at)->state) == BRI_TASK_READY)
            return false;
        head = pass(ring, head);
    }
    return true;
}

bool bri_tasks_put(bri_task_table *table, uint32_t index)
{
    uint32_t level = bri_tasks_slot(table, index)->level;
    bri_task_ring *ring = &table->rings[level];
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (!make_room(table, level, tail))
        return false;
    atomic_store_explicit(&bri_tasks_slot(table, index)->state, BRI_TASK_READY,
                          memory_order_release);
    atomic_store_explicit(entry_at(table, level, tail), index, memory_order_relaxed);
    if ((atomic_load_explicit(&table->levels, memory_order_relaxed) >> level & 1) == 0)
        atomic_fetch_or(&table->levels, 1u << level);
    atomic_store(&ring->tail, tail + 1);
    return true;
}

void bri_tasks_ring(bri_task_table *table, uint32_t n)
{
    call(&table->bell, n > INT32_MAX ? INT32_MAX : (int)n);
}

void bri_tasks_return_lent(bri_task_table *table, uint32_t index, bool is_read)
{
    atomic_store(bri_tasks_lent(table, index), 0);
    if (is_read)
        return;
    atomic_fetch_add(&table->returned, 1);
    call(&table->bell, INT32_MAX);
}

bool bri_tasks_withdraw(bri_task_table *table, uint32_t index)
{
    uint32_t ready = BRI_TASK_READY;
    return atomic_compare_exchange_strong(&bri_tasks_slot(table, index)->state, &ready,
                                          BRI_TASK_FREE);
}

brood_status bri_tasks_collect(bri_task_table *table, uint32_t *indices, uint32_t *n)
{
    *n = 0;
    if (atomic_load_explicit(&table->done, memory_order_relaxed) == 0)
        return BROOD_OK;
    uint64_t done = atomic_exchange(&table->done, 0);
    uint32_t at = (uint32_t)done, count = (uint32_t)(done >> 32);
    if (count > table->n_slots)
        return bri_fail(BROOD_EBROKEN, "could not read the pool's results: the shared memory is "
                                       "damaged");
    for (uint32_t left = count; left > 0; left--) {
        bri_task_slot *slot = at == 0 || at > table->n_slots ? NULL : bri_tasks_slot(table, at - 1);
        if (slot == NULL || (atomic_load(&slot->state) & BRI_TASK_TAG) != BRI_TASK_DONE)
            return bri_fail(BROOD_EBROKEN, "could not read the pool's results: the shared memory "
                                           "is damaged");
        atomic_store_explicit(&slot->state, BRI_TASK_FREE, memory_order_relaxed);
        indices[left - 1] = at - 1;
        at = atomic_load_explicit(&slot->next, memory_order_relaxed);
    }
    *n = count;
    return BROOD_OK;
}

bri_left bri_tasks_take_left(bri_task_table *table, bri_worker_number worker, uint32_t index)
{
    _Atomic uint32_t *state = &bri_tasks_slot(table, index)->state;
    uint32_t now = atomic_load(state);
    if (now != bri_task_state(BRI_TASK_RUNNING, worker) &&
        now != bri_task_state(BRI_TASK_KILLED, worker) &&
        now != bri_task_state(BRI_TASK_DONE, worker))
        return BRI_LEFT_NOTHING;
    atomic_store_explicit(state, BRI_TASK_FREE, memory_order_relaxed);
    return (now & BRI_TASK_TAG) == BRI_TASK_DONE ? BRI_LEFT_RESULT : BRI_LEFT_LOST;
}

uint32_t bri_tasks_announce_wait(bri_task_table *table, uint32_t wanted)
{
    atomic_store(&table->done_wanted, wanted);
    return atomic_fetch_or(&table->done_bell, ASLEEP) | ASLEEP;
}

bri_park_end bri_tasks_wait_done(bri_task_table *table, bri_parking *parking, uint32_t announced)
{
    if (atomic_load(&table->done) >> 32 >= atomic_load(&table->done_wanted))
        return BRI_PARK_WOKEN;
    return bri_park(parking, &table->done_bell, announced);
}

void bri_tasks_nudge(bri_task_table *table)
{
    call(&table->done_bell, INT32_MAX);
}

void bri_tasks_end(bri_task_table *table)
{
    atomic_store(&table->ending, 1);
    call(&table->bell, INT32_MAX);
}
