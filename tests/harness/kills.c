/* kills.c - see the header. */
#include "kills.h"

#include <stdatomic.h>

#include "core/killpoint.h"
#include "ipc/arena.h"

enum { MOST_POINTS = 256 };

/* The points that this process has passed. */
static struct {
    const char *name;
    int n;
} passed[MOST_POINTS];
static int n_passed;
static brood_queue *told; /* where they are told; borrowed from the call */

/* Any thread may pass a point. */
static atomic_flag is_noting = ATOMIC_FLAG_INIT;

static void begin_noting(void)
{
    while (atomic_flag_test_and_set(&is_noting)) {
    }
}

static void note_point(const char *name)
{
    int i = 0;
    begin_noting();
    while (i < n_passed && strcmp(passed[i].name, name) != 0)
        i++;
    if (i == MOST_POINTS)
        abort();
    passed[i].name = name;
    passed[i].n++;
    if (i == n_passed)
        n_passed++;
    atomic_flag_clear(&is_noting);
}

brood_status bt_kills_begin(brood_call *call, const brood_value **objects)
{
    static char point[80];
    const char *name;
    int64_t n;
    const brood_value *log;
    BROOD_TRY(brood_call_args(call, "sivv", &name, &n, &log, objects));
    if (*name != '\0') {
        snprintf(point, sizeof point, "%s", name);
        bri_kill_arm(point, (int)n);
        return BROOD_OK;
    }
    BROOD_TRY(brood_get_queue(log, &told));
    bri_kill_watch(note_point);
    return BROOD_OK;
}

brood_status bt_kills_end(void)
{
    bri_kill_watch(NULL);
    bri_kill_arm(NULL, 0);
    begin_noting();
    int n = n_passed; /* what comes later was not asked for */
    atomic_flag_clear(&is_noting);
    for (int i = 0; told != NULL && i < n; i++) {
        begin_noting();
        brood_value point = brood_pack("(si)", passed[i].name, passed[i].n);
        atomic_flag_clear(&is_noting);
        BROOD_TRY(brood_queue_put(told, point, -1));
    }
    return BROOD_OK;
}

static int run_child(const bt_kills *kills, const char *point, int n, brood_queue *log)
{
    brood_value objects = kills->prepare(kills->context);
    return bt_join(
        bt_process(kills->run, brood_pack("(sivv)", point, n, brood_queue_value(log), objects)));
}

static bool is_ignored(const bt_kills *kills, const char *point)
{
    for (int i = 0; kills->ignored != NULL && kills->ignored[i] != NULL; i++)
        if (strncmp(point, kills->ignored[i], strlen(kills->ignored[i])) == 0)
            return true;
    return false;
}

/* Whether it was killed there. Another order of threads may have passed the point less often. */
static bool kill_at(const bt_kills *kills, const char *point, int n, brood_queue *log)
{
    int code = run_child(kills, point, n, log);
    if (code != 0 && code != -9)
        fail_msg("exit code %d for %s, %d", code, point, n);
    kills->verify(kills->context, point, n);
    if (code == -9 && getenv("BROOD_TEST_SHOW_KILLS") != NULL)
        fprintf(stderr, "KILLED at %s, %d\n", point, n);
    return code == -9;
}

int bt_kill_everywhere(const bt_kills *kills)
{
    brood_queue *log;
    brood_value points = brood_list(), item;
    bt_ok(brood_queue_create(&log, NULL));
    assert_int_equal(run_child(kills, "", 0, log), 0);
    kills->verify(kills->context, "", 0);
    while (brood_queue_get(log, &item, 0) == BROOD_OK)
        bt_ok(brood_append(&points, item));
    assert_true(brood_value_length(&points) > 0);
    int killed = 0, most = kills->most == 0 ? 2 : kills->most;
    for (size_t i = 0; i < brood_value_length(&points); i++) {
        const char *point;
        int64_t times;
        bt_ok(brood_unpack(brood_item(&points, i), "si", &point, &times));
        for (int n = 1; n <= times && n <= most && !is_ignored(kills, point); n++)
            killed += kill_at(kills, point, n, log);
    }
    brood_value_clear(&points);
    brood_queue_destroy(log);
    return killed;
}

uint64_t bt_arena_used(void)
{
    bri_arena *arena;
    bri_arena_use use;
    bt_ok(bri_arena_get(&arena));
    bri_arena_count(arena, &use);
    return use.cut - use.idle;
}
