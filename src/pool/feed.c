/* pool/feed.c - cuts the jobs that wait into tasks, as slots are free. */
#include "pool/collector.h"

#include "base/memory.h"
#include "core/thread.h"

/* The next item of a job; NULL when there is none. It stays valid until the next call. */
static const brood_value *next_item(bri_job *job)
{
    if (job->generator == NULL)
        return job->next < job->n ? brood_item(&job->items, job->next) : NULL;
    if (job->holds)
        return &job->held;
    if (job->n != SIZE_MAX)
        return NULL;
    brood_value item = {0};
    bri_gate_leave();
    brood_status status = job->generator(job->context, &item);
    bri_gate_enter();
    if (status != BROOD_OK) {
        job->n = job->next;
        if (status != BROOD_EEOF)
            job->status = status;
        return NULL;
    }
    brood_value_clear(&job->held);
    job->held = item;
    job->holds = true;
    return &job->held;
}

/* Writes up to `most` items into the scratch frame. An item that cannot be written has failed, and
 * ends the chunk if it is not its first. */
static uint32_t write_chunk(bri_round *round, bri_job *job, size_t most, size_t *first)
{
    uint32_t n = 0;
    bri_sink sink = bri_job_sink(job);
    const brood_value *item;
    brood_value last = {0}; /* the frame may still refer to its bytes */
    bri_payload_reset(&round->scratch);
    brood_value_clear(&round->kept);
    while (n < most && (item = next_item(job)) != NULL) {
        brood_status status = bri_payload_append(&round->scratch, item);
        if (status == BROOD_OK) {
            if (n++ == 0)
                *first = job->next;
            brood_value_clear(&last);
            if (job->generator != NULL)
                last = brood_value_take(&job->held);
        } else if (n > 0) {
            break;
        } else {
            bri_fail_within("could not send an item to a worker");
            bri_item_failed_here(&sink, job->next, status);
            job->done++;
            bri_round_note_progress(round, job);
        }
        job->holds = false;
        job->next++;
    }
    round->kept = last;
    return n;
}

typedef enum fed { FED_NOTHING, FED_TASK, FED_FULL } fed;

/* One task of a call. */
static fed feed_call(bri_round *round, bri_job *job)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    if (!bri_request_take_slot(pool, &pool->collector.request, &index))
        return FED_FULL;
    bri_payload frame = {
        .tail = job->frame, .tail_size = job->size, .loan = job->loan, .refers = job->refers};
    if (bri_task_fill(pool, index, &frame, &job->shape, 0, 1) != BROOD_OK) {
        bri_request_give_slot(pool, index);
        if (pool->collector.request.n_slots > 0)
            return FED_FULL; /* until some have ended */
        bri_sink sink = bri_job_sink(job);
        bri_item_failed_here(&sink, 0, BROOD_ENOMEM);
        bri_job_unwait(job);
        bri_round_finish(round, job);
        return FED_TASK;
    }
    bri_free(job->frame);
    job->frame = NULL;
    job->loan = 0;
    bri_references_clear(&job->refers);
    bri_job_unwait(job);
    bri_job_put_task(job, index);
    return FED_TASK;
}

/* One task of many items. Lets the mutex go meanwhile. */
static fed feed_many(bri_round *round, bri_job *job)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    size_t room = SIZE_MAX, first = 0;
    if (job->is_cancelled || job->is_ended)
        return FED_NOTHING;
    if (job->kind == BRI_JOB_ITERATION && job->next < job->n)
        room = bri_imap_room(job->iterator, job->next);
    if (room == 0)
        return FED_NOTHING;
    if (!bri_request_take_slot(pool, &pool->collector.request, &index))
        return FED_FULL;
    brp_mutex_unlock(pool->mutex);
    uint32_t n = write_chunk(round, job, job->chunk < room ? job->chunk : room, &first);
    brood_status status =
        n == 0 ? BROOD_OK : bri_task_fill(pool, index, &round->scratch, &job->shape, first, n);
    brp_mutex_lock(pool->mutex);
    if (n != 0 && status == BROOD_OK) {
        bri_job_put_task(job, index);
        return FED_TASK;
    }
    bri_request_give_slot(pool, index);
    if (status != BROOD_OK) {
        bri_sink sink = bri_job_sink(job);
        for (size_t i = first; i < first + n; i++)
            bri_item_failed_here(&sink, i, status);
        job->done += n;
        bri_round_note_progress(round, job);
    }
    if (bri_job_is_complete(job))
        bri_round_finish(round, job);
    return n != 0 ? FED_TASK : FED_NOTHING;
}

/* Whether all of its items are in tasks. */
static bool is_cut(const bri_job *job)
{
    return job->kind == BRI_JOB_CALL ? !job->is_waiting : job->next >= job->n && !job->holds;
}

uint32_t bri_round_feed(bri_round *round)
{
    brood_pool *pool = round->pool;
    uint32_t n = 0, unrung = 0;
    for (int level = BRI_TASK_LEVELS - 1; level >= 0; level--) {
        bri_job *next;
        for (bri_job *job = pool->collector.waiting[level].first; job != NULL; job = next) {
            fed what = FED_TASK;
            next = job->next_waiting;
            while (what == FED_TASK && n < BRI_BATCH && !is_cut(job)) {
                what = job->kind == BRI_JOB_CALL ? feed_call(round, job) : feed_many(round, job);
                n += what == FED_TASK;
                if (what == FED_TASK && ++unrung == 16) {
                    bri_tasks_ring(pool->table, unrung);
                    unrung = 0;
                }
                if (job->kind == BRI_JOB_CALL)
                    break;
            }
            if (job->kind != BRI_JOB_CALL) {
                next = job->next_waiting;
                if (is_cut(job)) {
                    bri_job_unwait(job);
                    if (bri_job_is_complete(job))
                        bri_round_finish(round, job);
                }
            }
            if (what == FED_FULL || n >= BRI_BATCH) {
                bri_tasks_ring(pool->table, unrung);
                return n;
            }
        }
    }
    if (unrung > 0)
        bri_tasks_ring(pool->table, unrung);
    return n;
}
