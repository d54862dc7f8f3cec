/* pool/worker.c - what runs in a worker process: takes tasks until it is told to end. */
#include "pool/worker.h"

#include <string.h>

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/registry.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "platform/limits.h"
#include "pool/payload.h"
#include "pool/pool.h"

typedef struct known_function {
    uint64_t record;
    brood_function function; /* NULL: it cannot be found */
} known_function;

/* Handles that it lends with a result which the parent may still read. */
typedef struct lent_result {
    uint32_t index; /* of the slot */
    uint64_t loan;
} lent_result;

typedef struct worker {
    bri_shared *shared;
    bri_task_table *table;
    bri_arena *arena;
    bri_worker_number number;
    bri_worker_record *record;
    known_function *known; /* the one used last stands first */
    size_t n_known;
    bri_payload frame;     /* results of one task */
    brood_value arguments; /* a tuple of one, used again and again */
    bri_call_control control;
    bool rests; /* it ends because it was idle for so long */
    uint64_t n_run;
    int64_t born;
    uint64_t memory; /* of its own, when it was ready */
    bri_spin_place spin;
    bri_buffer lent;   /* lent_result */
    uint32_t returned; /* the table's, when it looked at them last */
} worker;

/* The function behind a record, as this process finds it. */
static brood_status find_function(worker *self, uint64_t record, brood_function *function)
{
    const bri_function_record *made = bri_arena_at(self->arena, record);
    bri_item item = {.kind = BRI_ITEM_VALUE, .data = made->bytes, .size = (size_t)made->size};
    brood_value reference;
    BROOD_TRY(bri_payload_value(&item, &reference));
    brood_status status = bri_function_resolve(&reference, true, function);
    brood_value_clear(&reference);
    return status;
}

static brood_status know_function(worker *self, uint64_t record, brood_function *function)
{
    if (self->n_known > 0 && self->known[0].record == record) {
        *function = self->known[0].function;
        return BROOD_OK;
    }
    size_t i = 1;
    while (i < self->n_known && self->known[i].record != record)
        i++;
    known_function found = {.record = record};
    if (i >= self->n_known) {
        BROOD_TRY(find_function(self, record, &found.function));
        known_function *more = bri_realloc(self->known, (self->n_known + 1) * sizeof *more);
        if (more == NULL)
            return BROOD_ENOMEM;
        self->known = more;
        i = self->n_known++;
    } else {
        found = self->known[i];
    }
    self->known[i] = self->known[0];
    self->known[0] = found;
    *function = found.function;
    return BROOD_OK;
}

/* Calls the function with one item. */
static void run_item(worker *self, const bri_item *item, brood_function function,
                     bri_outcome *outcome)
{
    brood_value value;
    brood_status status = bri_payload_value(item, &value);
    if (status != BROOD_OK)
        bri_fail_within("could not read the arguments of a task");
    else
        status = brood_set_item(&self->arguments, 0, value);
    if (status == BROOD_OK) {
        bri_call_run_with(function, &self->arguments, outcome);
    } else {
        bri_outcome_fail(outcome, status);
    }
}

/* Calls it with the arguments that the item is made of. */
static void run_call(const bri_item *item, brood_function function, bri_task_style style,
                     bri_outcome *outcome)
{
    brood_value value = {0};
    brood_status status = bri_payload_value(item, &value);
    brood_kind kind = brood_value_kind(&value);
    if (status != BROOD_OK)
        bri_fail_within("could not read the arguments of a task");
    else if (kind != BROOD_TUPLE && kind != BROOD_LIST)
        status = bri_fail(BROOD_ETYPE,
                          "could not run a task: its arguments are of type %s, not a "
                          "tuple or a list",
                          brood_kind_name(kind));
    if (status != BROOD_OK)
        bri_outcome_fail(outcome, status);
    else if (style == BRI_STYLE_STAR)
        bri_call_run_with(function, &value, outcome);
    else
        bri_call_run_pair(function, brood_item(&value, 0), brood_item(&value, 1), outcome);
    brood_value_clear(&value);
}

/* Runs all items of a task; their outcomes are in the frame then. */
static brood_status run_items(worker *self, const bri_task_slot *slot)
{
    uint64_t block = atomic_load_explicit(&slot->arguments, memory_order_relaxed);
    bri_payload_reader reader = {slot->bytes, (size_t)slot->size};
    if (block != 0)
        reader.data = bri_arena_at(self->arena, block);
    brood_function function = NULL;
    brood_status found = know_function(self, slot->function, &function);
    for (uint32_t i = 0; i < slot->n; i++) {
        bri_item item;
        bri_outcome outcome = {0};
        brood_status status = found != BROOD_OK ? found : bri_payload_next(&reader, &item);
        if (status == BROOD_OK && slot->style == BRI_STYLE_ITEM)
            run_item(self, &item, function, &outcome);
        else if (status == BROOD_OK)
            run_call(&item, function, (bri_task_style)slot->style, &outcome);
        else
            bri_outcome_fail(&outcome, status);
        BROOD_TRY(bri_payload_append_outcome(&self->frame, &outcome));
    }
    return BROOD_OK;
}

/* ---- handles in results ---- */

static uint64_t lent_word(const worker *self, uint64_t loan)
{
    return (uint64_t)self->number << 32 | (uint32_t)loan;
}

/* Ends the loans of results that nobody will read any more. */
static void end_returned(worker *self)
{
    size_t kept = 0;
    for (size_t at = 0; at < self->lent.length; at += sizeof(lent_result)) {
        lent_result one;
        memcpy(&one, self->lent.data + at, sizeof one);
        if (atomic_load(bri_tasks_lent(self->table, one.index)) == lent_word(self, one.loan)) {
            memmove(self->lent.data + kept, &one, sizeof one);
            kept += sizeof one;
        } else {
            bri_loan_end(one.loan);
        }
    }
    self->lent.length = kept;
}

/* The same when the parent says that there may be some. */
static void see_to_returned(worker *self)
{
    uint32_t now = atomic_load(&self->table->returned);
    if (now == self->returned)
        return;
    self->returned = now;
    end_returned(self);
}

/* The frame's loan is the slot's then. */
static brood_status lend_with_result(worker *self, uint32_t index)
{
    lent_result one = {.index = index, .loan = self->frame.loan};
    end_returned(self); /* so there are no more than slots */
    BROOD_TRY(bri_buffer_append(&self->lent, &one, sizeof one));
    atomic_store(bri_tasks_lent(self->table, index), lent_word(self, one.loan));
    self->frame.loan = 0;
    return BROOD_OK;
}

/* Puts the frame into the slot; a size of 0 says that there was no memory for it. */
static void store_result(worker *self, uint32_t index)
{
    bri_task_slot *slot = bri_tasks_slot(self->table, index);
    size_t size = bri_payload_size(&self->frame);
    void *to = slot->bytes;
    if (self->frame.refers.length != 0 &&
        bri_payload_hold(&self->frame, self->arena, bri_tasks_holds(self->table, index)) !=
            BROOD_OK)
        size = 0;
    if (size > BRI_SLOT_INLINE) {
        uint64_t block;
        if (bri_arena_alloc(self->arena, size, &block) == BROOD_OK) {
            atomic_store_explicit(&slot->result, block, memory_order_relaxed);
            to = bri_arena_at(self->arena, block);
        } else {
            size = 0;
        }
    }
    BRI_KILL_POINT("pool-result-writing");
    if (size > 0 && self->frame.loan != 0 && lend_with_result(self, index) != BROOD_OK)
        size = 0;
    if (size > 0)
        bri_payload_copy(&self->frame, to);
    slot->size = size;
}

/* False when the task was taken away, and the worker is being killed. */
static bool run_task(worker *self, uint32_t index)
{
    bri_task_slot *slot = bri_tasks_slot(self->table, index);
    self->control.asked = &slot->asked;
    self->control.attempt = slot->attempt;
    self->control.deadline =
        slot->soft_ms == 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), slot->soft_ms);
    if (atomic_load_explicit(&slot->started, memory_order_relaxed) == 0)
        atomic_store(&slot->started, brp_clock_now());
    BRI_KILL_POINT("pool-task-begin");
    if (run_items(self, slot) != BROOD_OK)
        bri_payload_reset(&self->frame);
    store_result(self, index);
    bri_payload_reset(&self->frame);
    (void)brood_set_item(&self->arguments, 0, brood_none()); /* it may hold a lot */
    uint64_t tasks = atomic_load_explicit(&self->record->tasks, memory_order_relaxed);
    atomic_store_explicit(&self->record->tasks, tasks + 1, memory_order_relaxed);
    return bri_tasks_finish(self->table, self->number, index);
}

static void set_phase(worker *self, bri_worker_phase phase)
{
    atomic_store(&self->record->phase, (uint32_t)phase);
}

/* Waits a moment for the next task, without sleeping. */
static bool spin_for_task(worker *self, uint32_t *index)
{
    bool taken = false;
    bri_spin spin = bri_spin_begin(&self->spin);
    while (!taken && bri_spin_next(&spin))
        taken =
            bri_tasks_has_ready(self->table) && bri_tasks_take(self->table, self->number, index);
    bri_spin_end(&self->spin, &spin, taken);
    return taken;
}

/* It was busy until now, or idle. */
static void count_busy(worker *self, int64_t now, bool was_busy)
{
    bri_worker_record *record = self->record;
    int64_t since = atomic_load_explicit(&record->since, memory_order_relaxed);
    int64_t busy = atomic_load_explicit(&record->busy, memory_order_relaxed);
    if (was_busy)
        atomic_store_explicit(&record->busy, busy + now - since, memory_order_relaxed);
    atomic_store_explicit(&record->since, now, memory_order_relaxed);
}

/* Whether it ends between two tasks, to be replaced. */
static bool shall_leave(worker *self)
{
    const bri_worker_limits *limits = &self->table->limits;
    if (atomic_load_explicit(&self->record->leave, memory_order_relaxed) != 0)
        return true;
    if (limits->tasks != 0 && self->n_run >= limits->tasks)
        return true;
    if (limits->age != 0 && brp_clock_now() - self->born >= limits->age)
        return true;
    return limits->growth != 0 && brp_private_memory() > self->memory + limits->growth;
}

/* Gets the next task; false when the worker shall end. */
static bool next_task(worker *self, uint32_t *index)
{
    if (shall_leave(self))
        return false;
    if (self->lent.length != 0)
        see_to_returned(self);
    if (bri_tasks_take(self->table, self->number, index) || spin_for_task(self, index))
        return true;
    set_phase(self, BRI_WORKER_IDLE);
    int64_t now = brp_clock_now(), idle = self->table->limits.idle;
    count_busy(self, now, true);
    bool rests = idle != 0 && idle < BRI_NEVER - now;
    bri_parking parking = bri_parking_until(rests ? now + idle : BRI_NEVER);
    while (!bri_tasks_take(self->table, self->number, index)) {
        if (atomic_load(&self->table->ending) != 0 || atomic_load(&self->record->leave) != 0)
            return false;
        see_to_returned(self);
        if (bri_tasks_wait_ready(self->table, self->record, self->returned, &parking) ==
            BRI_PARK_TIMED_OUT) {
            self->rests = true;
            return false;
        }
    }
    set_phase(self, BRI_WORKER_BUSY);
    count_busy(self, brp_clock_now(), false);
    if (bri_tasks_has_ready(self->table))
        bri_tasks_ring(self->table, 1);
    return true;
}

/* Runs the pool's initializer, if it has one. */
static brood_status initialise(brood_call *call, const brood_value *reference,
                               const brood_value *initargs)
{
    if (brood_value_kind(reference) == BROOD_NONE)
        return BROOD_OK;
    brood_function function;
    brood_value arguments;
    BROOD_TRY(bri_function_resolve(reference, true, &function));
    BROOD_TRY(brood_value_copy(initargs, &arguments));
    bri_outcome outcome;
    bri_call_run(function, arguments, (brood_value){0}, &outcome);
    brood_failure failure = {0};
    brood_status status = BROOD_OK;
    if (outcome.failed) {
        bri_outcome_describe(&outcome, &failure);
        status = brood_call_raise_at(call, failure.file, failure.line, failure.kind, "%s",
                                     failure.message);
    }
    bri_outcome_clear(&outcome);
    return status;
}

static brood_status limit_itself(const worker *self)
{
    const bri_worker_limits *limits = &self->table->limits;
    if (limits->is_bound != 0)
        BROOD_TRY(brp_bind_cpu((uint32_t)(self->record - self->table->workers)));
    return limits->memory == 0 ? BROOD_OK : brp_limit_memory(limits->memory);
}

/* Attaches the pool's table; the record is this worker's. */
static brood_status attach(worker *self, const brood_value *arguments)
{
    uint64_t offset, generation;
    int64_t seat, number;
    BROOD_TRY(brood_get_uint(brood_item(arguments, 0), &offset));
    BROOD_TRY(brood_get_uint(brood_item(arguments, 1), &generation));
    BROOD_TRY(brood_get_int(brood_item(arguments, 2), &seat));
    BROOD_TRY(brood_get_int(brood_item(arguments, 3), &number));
    BROOD_TRY(bri_arena_get(&self->arena));
    BROOD_TRY(bri_shared_attach(&bri_pool_class, offset, generation, &self->shared));
    self->table = self->shared->body;
    if (seat < 0 || seat >= self->table->n_workers)
        return bri_fail(BROOD_EFORMAT, "could not work for a pool: it has no seat %lld",
                        (long long)seat);
    self->record = &self->table->workers[seat];
    self->number = (bri_worker_number)number;
    return BROOD_OK;
}

/* A wake that was meant for this worker may be for a task that is still there. */
static void leave(worker *self)
{
    set_phase(self, self->rests ? BRI_WORKER_RESTING : BRI_WORKER_LEAVING);
    if (bri_tasks_has_ready(self->table))
        bri_tasks_ring(self->table, 1);
}

brood_status bri_pool_worker(brood_call *call)
{
    worker self = {.arguments = brood_tuple(1)};
    const brood_value *arguments = brood_call_arguments(call);
    if (brood_value_length(arguments) != 6)
        return bri_fail(BROOD_EFORMAT, "could not work for a pool: wrong arguments");
    brood_status status = attach(&self, arguments);
    if (status == BROOD_OK) {
        BRI_KILL_POINT("pool-worker-attached");
        status = limit_itself(&self);
    }
    if (status == BROOD_OK) {
        status = initialise(call, brood_item(arguments, 4), brood_item(arguments, 5));
        set_phase(&self, status == BROOD_OK ? BRI_WORKER_BUSY : BRI_WORKER_FAILED);
        BRI_KILL_POINT("pool-worker-ready");
    }
    uint32_t index;
    bool is_wanted = true;
    self.born = brp_clock_now();
    self.memory = status == BROOD_OK && self.table->limits.growth != 0 ? brp_private_memory() : 0;
    if (status == BROOD_OK)
        atomic_store(&self.record->since, self.born);
    bri_call_set_control(&self.control);
    while (status == BROOD_OK && is_wanted && next_task(&self, &index)) {
        self.n_run++;
        is_wanted = run_task(&self, index);
    }
    bri_call_set_control(NULL);
    if (status == BROOD_OK && is_wanted)
        leave(&self);
    bri_shared_release(self.shared);
    bri_payload_fini(&self.frame);
    bri_buffer_fini(&self.lent);
    brood_value_clear(&self.arguments);
    bri_free(self.known);
    return status;
}
