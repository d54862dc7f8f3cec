/* worker.c - a process that does one thing after the other, until it is told to stop or killed. */
#include "stress.h"

#include "core/killpoint.h"

enum { LONGEST = 9000, SHORT_MS = 3 };

typedef struct self {
    world all;
    record *notes;
    line *mine;
    uint32_t number;
    uint64_t seed;            /* of this turn */
    brood_shared_memory *own; /* the last that it made */
} self;

/* What others can bring about at any time. */
static bool is_common(brood_status status)
{
    return status == BROOD_OK || status == BROOD_ETIMEDOUT || status == BROOD_EFULL ||
           status == BROOD_EEMPTY || status == BROOD_EOWNERDIED;
}

static void expect_common(self *me, brood_status status, const char *what)
{
    if (!is_common(status))
        note_wrong(me->notes, "%s gave %s: %s", what, brood_status_name(status),
                   brood_last_error()->message);
}

/* ---- queues ---- */

/* The worker's next message to the queue; its size, or 0 when it has put all that it may. */
static size_t write_message(self *me, queue_name queue, uint32_t ahead, void *room)
{
    uint32_t number = atomic_load(&me->mine->puts[queue]) + ahead;
    if (number >= MESSAGES)
        return 0;
    uint32_t least = (uint32_t)sizeof(message);
    uint32_t size = least + (draw(&me->seed, 20) == 0 ? draw(&me->seed, LONGEST - least)
                                                      : draw(&me->seed, 200));
    message head = {me->number, (uint32_t)queue, number, size};
    memset(room, (int)(number + me->number), size);
    memcpy(room, &head, sizeof head);
    return size;
}

static void note_puts(self *me, queue_name queue, size_t n)
{
    atomic_fetch_add(&me->mine->puts[queue], (uint32_t)n);
}

static void put_one(self *me, queue_name queue)
{
    char bytes[LONGEST];
    size_t size = write_message(me, queue, 0, bytes);
    if (size == 0)
        return;
    brood_status status = brood_queue_put_bytes(me->all.queues[queue], bytes, size,
                                                draw(&me->seed, 2) ? SHORT_MS : 0);
    if (status == BROOD_OK)
        note_puts(me, queue, 1);
    expect_common(me, status, "put");
}

static void put_batch(self *me, queue_name queue)
{
    static char bytes[BATCH][LONGEST];
    brood_span spans[BATCH];
    size_t n = 0, n_put = 0;
    while (n < BATCH && (spans[n].size = write_message(me, queue, (uint32_t)n, bytes[n])) != 0) {
        spans[n].data = bytes[n];
        n++;
    }
    brood_status status =
        brood_queue_put_bytes_many(me->all.queues[queue], spans, n, SHORT_MS, &n_put);
    note_puts(me, queue, n_put);
    expect_common(me, status, "put_many");
}

static void put_in_place(self *me, queue_name queue)
{
    char bytes[LONGEST];
    void *made;
    size_t size = write_message(me, queue, 0, bytes);
    if (size == 0)
        return;
    brood_status status = brood_queue_reserve(me->all.queues[queue], size + 8, &made);
    if (status == BROOD_OK) {
        memcpy(made, bytes, size);
        status = brood_queue_commit(me->all.queues[queue], made, size, SHORT_MS);
        if (status == BROOD_OK)
            note_puts(me, queue, 1);
        else
            brood_queue_release(me->all.queues[queue], made);
    }
    expect_common(me, status, "commit");
}

static void get_one(self *me, queue_name queue)
{
    void *data;
    size_t size;
    brood_status status = brood_queue_get_bytes(me->all.queues[queue], &data, &size,
                                                draw(&me->seed, 2) ? SHORT_MS : 0);
    if (status == BROOD_OK) {
        note_message(me->notes, queue, data, size);
        brood_free(data);
        if (queue == WORK)
            status = brood_queue_task_done(me->all.queues[queue]);
    }
    expect_common(me, status, "get");
}

static void get_batch(self *me, queue_name queue)
{
    static char bytes[BATCH * LONGEST];
    size_t sizes[BATCH], n = 0;
    brood_status status = brood_queue_get_bytes_many(me->all.queues[queue], bytes, sizeof bytes,
                                                     sizes, BATCH, &n, SHORT_MS);
    const char *at = bytes;
    for (size_t i = 0; status == BROOD_OK && i < n; at += sizes[i++])
        note_message(me->notes, queue, at, sizes[i]);
    for (size_t i = 0; status == BROOD_OK && queue == WORK && i < n; i++)
        status = brood_queue_task_done(me->all.queues[queue]);
    expect_common(me, status, "get_many");
}

static void get_values(self *me, queue_name queue)
{
    brood_value values[BATCH];
    size_t n = 0;
    brood_status status = brood_queue_get_many(me->all.queues[queue], values, BATCH, &n, SHORT_MS);
    for (size_t i = 0; status == BROOD_OK && i < n; i++) {
        const void *data;
        size_t size = 0;
        if (brood_get_bytes(&values[i], &data, &size) == BROOD_OK)
            note_message(me->notes, queue, data, size);
        else
            note_wrong(me->notes, "a message is no bytes");
        brood_value_clear(&values[i]);
        if (queue == WORK)
            expect_common(me, brood_queue_task_done(me->all.queues[queue]), "task_done");
    }
    expect_common(me, status, "get_many of values");
}

static void get_in_place(self *me, queue_name queue)
{
    const void *seen;
    size_t size;
    brood_status status = brood_queue_peek(me->all.queues[queue], &seen, &size, SHORT_MS);
    if (status == BROOD_OK) {
        note_message(me->notes, queue, seen, size);
        brood_queue_release(me->all.queues[queue], seen);
        if (queue == WORK)
            status = brood_queue_task_done(me->all.queues[queue]);
    }
    expect_common(me, status, "peek");
}

/* The batches and the messages in place go through the wide and the joinable queue only, so that
 * through the others a kill costs one message at most. */
static void use_queue(self *me)
{
    static void (*const ways[])(self *, queue_name) = {
        put_batch, put_in_place, get_batch, get_in_place, put_one, get_one, get_values};
    queue_name queue = (queue_name)draw(&me->seed, QUEUES);
    if (queue == WIDE || queue == WORK)
        ways[draw(&me->seed, 7)](me, queue);
    else if (draw(&me->seed, 2) == 0)
        put_one(me, queue);
    else
        get_one(me, queue);
}

/* ---- locks ---- */

/* Held: both numbers are equal, or the last holder died in between. */
static void work_locked(self *me, uint64_t *one, uint64_t *other, bool is_suspect,
                        _Atomic uint32_t *done)
{
    if (*one != *other && !is_suspect)
        note_wrong(me->notes, "%llu and %llu differ under a lock", (unsigned long long)*one,
                   (unsigned long long)*other);
    *other = *one;
    *one = *one + 1;
    if (draw(&me->seed, 4) == 0)
        brood_sleep(1);
    *other = *other + 1;
    atomic_fetch_add(done, 1);
}

/* The lock is held: one more than `locks` if the last one was killed before it came to this. */
static void count_in_list(self *me)
{
    brood_value number;
    brood_status status = brood_shareable_list_get(me->all.list, 0, &number);
    if (status == BROOD_OK)
        status = brood_shareable_list_set(me->all.list, 0, brood_int(number.as.integer + 1));
    expect_common(me, status, "list");
}

static void use_lock(self *me)
{
    brood_status status = brood_lock_acquire(me->all.lock, SHORT_MS);
    if (status == BROOD_OK || status == BROOD_EOWNERDIED) {
        work_locked(me, &me->notes->one, &me->notes->other, status == BROOD_EOWNERDIED,
                    &me->mine->locks);
        count_in_list(me);
        status = brood_lock_release(me->all.lock);
    }
    expect_common(me, status, "lock");
}

static void use_rlock(self *me)
{
    brood_status status = brood_rlock_acquire(me->all.rlock, SHORT_MS);
    if (status == BROOD_OK || status == BROOD_EOWNERDIED) {
        bool is_suspect = status == BROOD_EOWNERDIED;
        expect_common(me, brood_rlock_acquire(me->all.rlock, 0), "rlock again");
        work_locked(me, &me->notes->r_one, &me->notes->r_other, is_suspect, &me->mine->rlocks);
        expect_common(me, brood_rlock_release(me->all.rlock), "rlock release");
        status = brood_rlock_release(me->all.rlock);
    }
    expect_common(me, status, "rlock");
}

static void use_semaphore(self *me)
{
    brood_status status = brood_semaphore_acquire(me->all.semaphore, SHORT_MS);
    if (status == BROOD_OK) {
        if (draw(&me->seed, 3) == 0)
            brood_sleep(1);
        status = brood_semaphore_release(me->all.semaphore);
    }
    expect_common(me, status, "semaphore");
}

static void use_condition(self *me)
{
    brood_condition *condition = me->all.condition;
    brood_status status = brood_condition_acquire(condition, SHORT_MS);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED) {
        expect_common(me, status, "condition acquire");
        return;
    }
    if (draw(&me->seed, 2) == 0) {
        me->notes->tokens++;
        status = draw(&me->seed, 4) == 0 ? brood_condition_notify_all(condition)
                                         : brood_condition_notify(condition, 1);
        expect_common(me, status, "notify");
    } else {
        if (me->notes->tokens == 0)
            expect_common(me, brood_condition_wait(condition, SHORT_MS), "condition wait");
        if (me->notes->tokens != 0)
            me->notes->tokens--;
    }
    expect_common(me, brood_condition_release(condition), "condition release");
}

/* ---- the others ---- */

static void use_event(self *me)
{
    brood_event *event = me->all.event;
    uint32_t what = draw(&me->seed, 4);
    brood_status status = what == 0   ? brood_event_set(event)
                          : what == 1 ? brood_event_clear(event)
                                      : brood_event_wait(event, SHORT_MS);
    expect_common(me, status, "event");
}

static void use_barrier(self *me)
{
    uint32_t index = 0;
    brood_status status = brood_barrier_wait(me->all.barrier, SHORT_MS, &index);
    if (status == BROOD_OK && index >= PARTIES)
        note_wrong(me->notes, "index %u of a barrier", index);
    if (status == BROOD_ETIMEDOUT || status == BROOD_EBROKEN)
        status = brood_barrier_reset(me->all.barrier);
    expect_common(me, status, "barrier");
}

static void use_counters(self *me)
{
    int64_t after;
    expect_common(me, brood_array_add(me->all.counters, 0, 1, &after), "add");
    atomic_fetch_add(&me->mine->adds, 1);
    int64_t seen = 0;
    bool done = false;
    expect_common(me, brood_array_compare_and_set(me->all.counters, 2, &seen, 0, &done), "look");
    for (done = false; !done;)
        expect_common(me, brood_array_compare_and_set(me->all.counters, 2, &seen, seen + 1, &done),
                      "compare and set");
    atomic_fetch_add(&me->mine->swaps, 1);
    brood_status status = brood_array_acquire(me->all.counters, SHORT_MS);
    if (status == BROOD_OK || status == BROOD_EOWNERDIED) {
        int64_t *numbers = brood_array_data(me->all.counters);
        numbers[1]++;
        atomic_fetch_add(&me->mine->locked_adds, 1);
        status = brood_array_release(me->all.counters);
    }
    expect_common(me, status, "array lock");
}

/* Its number in the memory that all have, sometimes by its name. */
static void touch_memory(self *me)
{
    brood_shared_memory *again = NULL;
    brood_shared_memory *memory = me->all.memory;
    if (draw(&me->seed, 2) == 0) {
        expect_common(me, brood_shared_memory_open(&again, brood_shared_memory_name(memory)),
                      "open memory");
        memory = again == NULL ? memory : again;
    }
    atomic_fetch_add((_Atomic uint32_t *)brood_shared_memory_data(memory) + me->number, 1);
    atomic_fetch_add(&me->mine->touches, 1);
    brood_shared_memory_close(again);
}

/* Memory with a name of its own, which goes with this process. */
static void make_memory(self *me)
{
    char name[32];
    write_name(me->notes, me->number, atomic_fetch_add(&me->mine->names, 1), name);
    brood_shared_memory_close(me->own);
    me->own = NULL;
    brood_status status = brood_shared_memory_create(
        &me->own, name, 5000, draw(&me->seed, 2) ? BROOD_LIFETIME_OWNER : BROOD_LIFETIME_HOLDERS);
    expect_common(me, status, "make memory");
    if (status == BROOD_OK)
        memset(brood_shared_memory_data(me->own), 1, 5000);
}

static void use_memory(self *me)
{
    if (draw(&me->seed, 8) == 0)
        make_memory(me);
    else
        touch_memory(me);
}

static void use_wait(self *me)
{
    brood_wait_item items[] = {{.queue = me->all.queues[WIDE]},
                               {.queue = me->all.queues[NARROW]},
                               {.queue = me->all.queues[WORK]},
                               {.event = me->all.event}};
    expect_common(me, brood_wait(items, 4, SHORT_MS), "wait");
}

/* What a turn tries depends on the seed, the worker's number and the turn alone, so that a seed
 * gives the same again. */
static void take_turn(self *me, uint64_t seed, uint32_t turn)
{
    static void (*const things[])(self *) = {
        use_queue, use_queue,     use_queue,     use_queue,    use_queue, use_lock,    use_rlock,
        use_event, use_semaphore, use_condition, use_counters, use_wait,  use_barrier, use_memory};
    me->seed = seed_of(seed, turn);
    uint32_t choice = draw(&me->seed, sizeof things / sizeof things[0]);
    if (turn < KEPT_TURNS)
        atomic_fetch_or(&me->mine->choices, (uint64_t)choice << 4 * turn);
    things[choice](me);
    atomic_store(&me->mine->turns, turn + 1);
    atomic_fetch_add(&me->notes->turns, 1);
}

brood_status worker(brood_call *call)
{
    self me = {0};
    const brood_value *objects;
    uint64_t block, number, seed;
    BROOD_TRY(brood_call_args(call, "vuuu", &objects, &block, &number, &seed));
    BROOD_TRY(world_get(objects, &me.all));
    me.notes = record_at(block);
    me.number = (uint32_t)number;
    me.mine = &me.notes->lines[number];
    seed = seed_of(seed, number);
    for (uint32_t turn = 0; atomic_load(&me.notes->stop) == 0; turn++)
        take_turn(&me, seed, turn);
    brood_shared_memory_close(me.own);
    return BROOD_OK;
}
