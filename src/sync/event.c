/*
 * sync/event.c - one word: whether the event is set, whether somebody may sleep, and how often it
 * was set, so that a waiter sees that it was even if it is clear again.
 */
#include <brood/event.h>

#include "core/killpoint.h"
#include "ipc/park.h"
#include "sync/sync.h"

enum { IS_SET = 1, WAITED = 2, ONE_SETTING = 4 };

/* In the arena. */
typedef struct event_body {
    _Atomic uint32_t word;
} event_body;

struct brood_event {
    bri_shared shared;
    bri_spin_place spin;
};

static brood_status rebuild_event(const brood_value *arguments, bri_transfer *transfer,
                                  void **object);

/* ---- brood_wait ---- */

static _Atomic uint32_t *watched_word(bri_shared *object)
{
    return &((event_body *)object->body)->word;
}

static bool is_ready(bri_shared *object)
{
    _Atomic uint32_t *word = watched_word(object);
    uint32_t seen = atomic_load(word);
    while ((seen & (IS_SET | WAITED)) == 0 &&
           !atomic_compare_exchange_weak(word, &seen, seen | WAITED))
        ;
    return (seen & IS_SET) != 0;
}

const bri_shared_class bri_event_class = {
    .type = {.name = "Event",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_event},
    .kind = BRI_EVENT_KIND,
    .local_size = sizeof(brood_event),
    .watched_word = watched_word,
    .is_ready = is_ready,
};

static brood_status rebuild_event(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    return bri_shared_rebuild(&bri_event_class, arguments, transfer, object);
}

brood_status brood_event_create(brood_event **event)
{
    bri_shared *made;
    BROOD_TRY(bri_shared_create(&bri_event_class, sizeof(event_body), "create an event", NULL, NULL,
                                &made));
    *event = (brood_event *)made;
    return BROOD_OK;
}

static _Atomic uint32_t *word_of(const brood_event *event)
{
    return &((event_body *)event->shared.body)->word;
}

/* Set now, or in between. */
static bool was_set(uint32_t now, uint32_t begun)
{
    return (now & IS_SET) != 0 || now / ONE_SETTING != begun / ONE_SETTING;
}

static brood_status wait_until_set(brood_event *event, uint32_t begun, bri_deadline deadline)
{
    _Atomic uint32_t *word = word_of(event);
    bri_spin spin = bri_spin_begin(&event->spin);
    bool lucky = false;
    while (!lucky && bri_spin_next(&spin))
        lucky = was_set(atomic_load(word), begun);
    bri_spin_end(&event->spin, &spin, lucky);
    if (lucky)
        return BROOD_OK;
    bri_parking parking = bri_parking_until(deadline);
    bri_park_end end = BRI_PARK_WOKEN;
    for (;;) {
        bri_parking_look(&parking);
        uint32_t seen = atomic_load(word);
        if (was_set(seen, begun))
            return BROOD_OK;
        if (end == BRI_PARK_TIMED_OUT)
            return BROOD_ETIMEDOUT;
        if ((seen & WAITED) == 0 && !atomic_compare_exchange_strong(word, &seen, seen | WAITED))
            continue;
        BRI_KILL_POINT("event-announced");
        end = bri_park(&parking, word, seen | WAITED);
    }
}

brood_status brood_event_wait(brood_event *event, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(event, "wait for an event"));
    uint32_t seen = atomic_load(word_of(event));
    if ((seen & IS_SET) != 0)
        return BROOD_OK;
    return timeout == 0 ? BROOD_ETIMEDOUT
                        : wait_until_set(event, seen, bri_deadline_from_now(timeout));
}

/* The step that sets it is one; who is killed before the wake is found dead, and that wakes all. */
brood_status brood_event_set(brood_event *event)
{
    BROOD_TRY(bri_shared_check(event, "set an event"));
    _Atomic uint32_t *word = word_of(event);
    uint32_t seen = atomic_load(word), next;
    do {
        if ((seen & IS_SET) != 0)
            return BROOD_OK;
        next = ((seen + ONE_SETTING) | IS_SET) & ~(uint32_t)WAITED;
    } while (!atomic_compare_exchange_weak(word, &seen, next));
    BRI_KILL_POINT("event-set");
    if ((seen & WAITED) != 0)
        bri_unpark(word, INT32_MAX);
    return BROOD_OK;
}

brood_status brood_event_clear(brood_event *event)
{
    BROOD_TRY(bri_shared_check(event, "clear an event"));
    atomic_fetch_and(word_of(event), ~(uint32_t)IS_SET);
    BRI_KILL_POINT("event-cleared");
    return BROOD_OK;
}

bool brood_event_is_set(brood_event *event)
{
    return event != NULL && event->shared.body != NULL &&
           (atomic_load(word_of(event)) & IS_SET) != 0;
}

void brood_event_destroy(brood_event *event)
{
    bri_shared_release(event);
}

brood_value brood_event_value(brood_event *event)
{
    return bri_shared_value(event);
}

brood_status brood_get_event(const brood_value *value, brood_event **event)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_event_class, value, &object));
    *event = (brood_event *)object;
    return BROOD_OK;
}
