/* brood-test: start-methods */
/*
 * Many tasks of all kinds while workers are killed at random: each task ends exactly once, as it
 * should, and nothing is left. A short run by default; for a long one
 *
 *     BROOD_SOAK_TASKS=1000000 BROOD_SOAK_KILL_MS=100 BROOD_SOAK_SEED=7 test_pool_soak
 *
 * The seed decides on everything but the system's timing, and is printed.
 */
#include "harness.h"

#include "ipc/arena.h"
#include "platform/child.h"
#include "platform/ident.h"
#include "proc/children.h"

enum { HANG = 60000, WORKERS = 4, WINDOW = 400, LARGE = 150000 };
enum { HANDLES_SPARE = 64, MEMORY_SPARE = 32 << 20 };

typedef enum kind { SMALL, BIG, RAISE, TAKE_TIME, DIE, KINDS } kind;

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t setting(const char *name, int64_t fallback)
{
    const char *text = getenv(name);
    return text == NULL ? fallback : strtoll(text, NULL, 10);
}

/* (number, kind): what is expected of it is told by both. */
static brood_status work(brood_call *call)
{
    int64_t number, what;
    BROOD_TRY(brood_call_args(call, "ll", &number, &what));
    if (what == BIG) {
        char *data = malloc(LARGE);
        bt_check(call, data != NULL);
        memset(data, (int)(number & 0x7f), LARGE);
        brood_value bytes = brood_bytes(data, LARGE);
        free(data);
        return brood_call_return(call, bytes);
    }
    if (what == RAISE)
        return brood_call_raise(call, "ValueError", "%d", (int)number);
    if (what == TAKE_TIME)
        brood_sleep(1);
    if (what == DIE && brood_call_attempt(call) == 1)
        brp_kill_self();
    return brood_call_return(call, brood_int(number));
}

typedef struct entry {
    brood_future *future;
    int64_t number;
    kind what;
    int retries;
} entry;

/* What must stay as it is while tasks come and go, and workers. */
typedef struct level {
    size_t handles, children;
    uint64_t memory, arena;
} level;

typedef struct soak {
    brood_pool *pool;
    int64_t n, submitted, ended, died, killed;
    unsigned char *told; /* how often the end of each was told */
    entry window[WINDOW];
    level first, last;
} soak;

/* Each task's callbacks get a pointer to its count. */
static void note_value(void *context, const brood_value *value)
{
    (void)value;
    ++*(unsigned char *)context;
}

static void note_failure(void *context, brood_status status, const brood_failure *failure)
{
    (void)status, (void)failure;
    ++*(unsigned char *)context;
}

static void submit(soak *s, entry *e)
{
    uint64_t r = next_random();
    *e = (entry){.number = s->submitted, .retries = (int)((r >> 32) % 3)};
    e->what = r % 100 < 80 ? SMALL : (kind)(r / 128 % KINDS);
    if (e->what == DIE && r / 1024 % 8 != 0) /* not too many: each costs a start */
        e->what = SMALL;
    brood_apply_options options = {.callback = note_value,
                                   .error_callback = note_failure,
                                   .context = &s->told[s->submitted],
                                   .policy = {.retries = e->retries,
                                              .priority = (int)((r >> 40) % 3) - 1,
                                              .hard_deadline = (r >> 44) % 4 == 0 ? HANG : 0}};
    bt_ok(brood_pool_apply_async(s->pool, work, brood_pack("(ll)", e->number, (int64_t)e->what),
                                 &options, &e->future));
    s->submitted++;
}

static void check_value(const entry *e, const brood_value *value)
{
    if (e->what == BIG) {
        const void *data;
        size_t size;
        bt_ok(brood_get_bytes(value, &data, &size));
        assert_int_equal(size, LARGE);
        assert_int_equal(((const unsigned char *)data)[LARGE - 1], e->number & 0x7f);
    } else {
        int64_t number;
        bt_ok(brood_get_int(value, &number));
        assert_int_equal(number, e->number);
    }
}

/* The future has ended as it may; it is gone then. */
static void settle(soak *s, entry *e)
{
    brood_value value;
    brood_failure failure;
    brood_status status = brood_future_take(e->future, &value, 0);
    switch (status) {
    case BROOD_OK:
        assert_true(e->what != RAISE && (e->what != DIE || e->retries > 0));
        check_value(e, &value);
        brood_value_clear(&value);
        break;
    case BROOD_ETASK:
        bt_ok(brood_future_failure(e->future, &failure, 0));
        assert_int_equal(e->what, RAISE);
        assert_string_equal(failure.kind, "ValueError");
        break;
    default:
        assert_int_equal(status, BROOD_EWORKERDIED);
        bt_ok(brood_future_failure(e->future, &failure, 0));
        assert_true(failure.pid > 0 && failure.exitcode != 0);
        s->died++;
    }
    brood_future_destroy(e->future);
    e->future = NULL;
    s->ended++;
}

static void kill_one(soak *s)
{
    int64_t pids[WORKERS];
    size_t n;
    bt_ok(brood_pool_pids(s->pool, pids, WORKERS, &n));
    if (n == 0)
        return;
    brp_child victim;
    brp_child_init(&victim);
    if (brp_child_adopt(&victim, pids[next_random() % n]) == BROOD_OK &&
        brp_child_signal(&victim, BRP_KILL) == BROOD_OK)
        s->killed++;
    brp_child_close(&victim);
}

static uint64_t bytes_in_use(void)
{
    bri_arena *arena;
    bri_arena_use use;
    bt_ok(bri_arena_get(&arena));
    bri_arena_count(arena, &use);
    return use.cut - use.idle;
}

/* At each tenth of the way. The first is of a pool that has met everything. */
static void take_level(soak *s)
{
    level now = {.handles = brp_handle_count(),
                 .children = bri_children_held(),
                 .memory = brp_private_memory(),
                 .arena = bytes_in_use()};
    print_message("%3d %%: %zu handles, %zu children, %llu KiB of memory, %llu KiB of the arena\n",
                  (int)(s->ended * 100 / s->n), now.handles, now.children,
                  (unsigned long long)(now.memory >> 10), (unsigned long long)(now.arena >> 10));
    if (s->first.children == 0)
        s->first = now;
    s->last = now;
    /* Of workers that have just died, or are just started: far fewer than die on the way. */
    assert_in_range(now.handles, 0, s->first.handles + HANDLES_SPARE);
    assert_in_range(now.children, 0, 2 * WORKERS);
}

static void run(soak *s, int64_t kill_every)
{
    brood_ms next_kill = brood_now() + kill_every;
    int64_t next_level = s->n / 10;
    for (size_t at = 0; s->ended < s->n; at = (at + 1) % WINDOW) {
        entry *e = &s->window[at];
        if (e->future != NULL) {
            bt_ok(brood_future_wait(e->future, HANG));
            settle(s, e);
        }
        if (s->submitted < s->n)
            submit(s, e);
        if (s->ended == next_level) {
            take_level(s);
            next_level += s->n / 10;
        }
        if (brood_now() >= next_kill) {
            kill_one(s);
            next_kill = brood_now() + kill_every;
        }
    }
}

static void test_each_task_ends_once_while_workers_are_killed(void **state)
{
    (void)state;
    bool slow = bt_has_address_sanitizer() || bt_has_thread_sanitizer() || bt_is_windows();
    soak *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->n = setting("BROOD_SOAK_TASKS", slow ? 2000 : 20000);
    seed = (uint64_t)setting("BROOD_SOAK_SEED", 20240229);
    print_message("seed %llu\n", (unsigned long long)seed);
    s->told = calloc((size_t)s->n, 1);
    assert_non_null(s->told);
    bt_ok(brood_pool_create(&s->pool, &(brood_pool_options){.workers = 1}));
    brood_pool_destroy(s->pool); /* what the first pool of a process makes is made */
    uint64_t before = bytes_in_use();
    bt_ok(brood_pool_create(&s->pool, &(brood_pool_options){.workers = WORKERS}));
    run(s, setting("BROOD_SOAK_KILL_MS", 20));
    bt_ok(brood_pool_drain(s->pool, HANG));
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(s->pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.submitted, s->n);
    assert_int_equal(stats.ended, s->n);
    assert_int_equal(stats.queued + stats.in_hand, 0);
    assert_true(stats.deaths > 0);
    bt_ok(brood_pool_close(s->pool));
    bt_ok(brood_pool_join(s->pool, HANG));
    brood_pool_destroy(s->pool);
    for (int64_t i = 0; i < s->n; i++)
        assert_int_equal(s->told[i], 1);
    print_message("%lld tasks, %lld lost with %lld deaths (%lld kills), %lld retries\n",
                  (long long)s->n, (long long)s->died, (long long)stats.deaths,
                  (long long)s->killed, (long long)stats.retries);
    /* A kill may leave a block of its process's own unused, never more. */
    assert_true(bytes_in_use() <= before + (uint64_t)stats.deaths * (LARGE * 2));
    /* The program's own memory is flat, but for pages that its allocator keeps, and what a
     * sanitizer does not give out again. */
    if (!bt_has_address_sanitizer() && !bt_has_thread_sanitizer())
        assert_true(s->last.memory <= s->first.memory + MEMORY_SPARE);
    free(s->told);
    free(s);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_each_task_ends_once_while_workers_are_killed));
}
