/*
 * stress.c - processes use all primitives at random while others are killed at random; whatever is
 * killed, each message comes at most once and whole, no more is lost than the killed had in hand,
 * counters are exact, and nobody is left waiting.
 *
 *     stress [--seed N] [--seconds N] [--workers N] [--method spawn|fork|forkserver] [--calm 1]
 *
 * It works in rounds with new objects each. The seed is printed; with it each worker tries the same
 * things in the same order, and the same ones are killed, though the system decides which of them
 * meet. --calm kills nobody, and prints what the workers did in their first turns.
 */
#include "stress.h"

#include "ipc/arena.h"
#include "platform/ident.h"

enum { WORKERS = 6, MOST_AT_ONCE = 64, ROUND_MS = 5000, STILL_MS = 15000, END_MS = 20000 };

typedef struct options {
    uint64_t seed;
    brood_ms length;
    int workers;
    bool calm;
} options;

typedef struct game {
    world all;
    uint64_t block;
    record *notes;
    uint64_t seed; /* of the round */
    bool calm;
    uint32_t next; /* worker */
    uint32_t killed;
    int n;
    brood_process *workers[MOST_AT_ONCE];
} game;

static int failures;

static void fail(const char *format, unsigned long long a, unsigned long long b)
{
    fprintf(stderr, "stress: ");
    fprintf(stderr, format, a, b);
    fprintf(stderr, "\n");
    failures++;
}

static brood_process *start_worker(game *play)
{
    brood_process *process;
    brood_value arguments = brood_pack("vuuu", world_value(&play->all), play->block,
                                       (uint64_t)play->next++, play->seed);
    BROOD_CHECK(brood_process_create(&process, worker, arguments, NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

/* Its exit code; a worker that does not end is a hang. */
static int end_worker(brood_process *process, int number)
{
    int code = 0;
    if (brood_process_join(process, END_MS) != BROOD_OK) {
        fail("worker %llu (pid %llu) hangs", (unsigned long long)number,
             (unsigned long long)brood_process_pid(process));
        exit(1);
    }
    BROOD_CHECK(brood_process_exitcode(process, &code));
    brood_process_destroy(process);
    return code;
}

static void begin_round(game *play)
{
    bri_arena *arena;
    memset(&play->all, 0, sizeof play->all);
    BROOD_CHECK(world_make(&play->all));
    BROOD_CHECK(bri_arena_get(&arena));
    BROOD_CHECK(bri_arena_alloc(arena, sizeof(record), &play->block));
    play->notes = record_at(play->block);
    memset(play->notes, 0, sizeof *play->notes);
    play->notes->pid = brp_pid();
    play->next = 0;
    play->killed = 0;
    for (int i = 0; i < play->n; i++)
        play->workers[i] = start_worker(play);
}

/* Kills and replaces until the time is up. */
static void kill_at_random(game *play, brood_ms length)
{
    brood_ms end = brood_now() + length, moved = brood_now();
    uint32_t turns = 0;
    uint64_t seed = play->seed;
    while (brood_now() < end && play->next < MOST_WORKERS && failures == 0 &&
           atomic_load(&play->notes->wrong) == 0) {
        brood_sleep((brood_ms)draw(&seed, 8) + 1);
        uint32_t now = atomic_load(&play->notes->turns);
        if (now != turns)
            moved = brood_now();
        else if (brood_now() - moved > STILL_MS)
            fail("nothing moves since %llu ms, after %llu kills",
                 (unsigned long long)(brood_now() - moved), play->killed);
        turns = now;
        int i = (int)draw(&seed, (uint32_t)play->n);
        if (play->calm)
            continue;
        BROOD_CHECK(brood_process_kill(play->workers[i]));
        int code = end_worker(play->workers[i], i);
        if (code != -9)
            fail("a worker that was killed ended with %llu, after %llu kills",
                 (unsigned long long)(long long)code, play->killed);
        play->killed++;
        play->workers[i] = start_worker(play);
    }
    atomic_store(&play->notes->stop, 1);
    for (int i = 0; i < play->n; i++) {
        int code = end_worker(play->workers[i], i);
        if (code != 0)
            fail("worker %llu ended with %llu", (unsigned long long)i,
                 (unsigned long long)(long long)code);
    }
}

/* ---- what has to hold ---- */

/* Takes what is left. */
static void drain(game *play, queue_name queue)
{
    void *data;
    size_t size;
    while (brood_queue_get_bytes(play->all.queues[queue], &data, &size, 0) == BROOD_OK) {
        note_message(play->notes, queue, data, size);
        brood_free(data);
        if (queue == WORK)
            BROOD_CHECK(brood_queue_task_done(play->all.queues[queue]));
    }
    if (brood_queue_size(play->all.queues[queue]) != 0)
        fail("queue %llu has %llu messages that cannot be taken", (unsigned long long)queue,
             brood_queue_size(play->all.queues[queue]));
}

/* A kill costs the message, or the batch, that the killed had in hand; a worker that was killed may
 * also have put one more than it has noted, and what was not taken is not lost. */
static void check_queue(game *play, queue_name queue)
{
    bool by_batches = queue == WIDE || queue == WORK;
    uint32_t lost = 0, most = play->killed * (by_batches ? BATCH : 1);
    drain(play, queue);
    for (uint32_t i = 0; i < play->next; i++) {
        const line *of = &play->notes->lines[i];
        for (uint32_t n = 0; n < atomic_load(&of->puts[queue]); n++)
            lost += (atomic_load(&of->seen[queue][n / 8]) >> n % 8 & 1) == 0;
    }
    if (lost > most)
        fail("%llu messages are lost, with %llu kills", lost, play->killed);
}

static void check_joined(game *play)
{
    brood_queue *queue = play->all.queues[WORK];
    brood_status status = brood_queue_join(queue, 0);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED)
        fail("join gave %llu with %llu to be done", status, brood_queue_unfinished(queue));
    if (brood_queue_task_done(queue) != BROOD_ESTATE)
        fail("a task was done twice (%llu, %llu)", 0, 0);
}

/* Each worker counts right after: so a number is at most one a kill ahead. */
static void check_count(const char *what, uint64_t number, uint64_t noted, uint32_t killed)
{
    if (number >= noted && number - noted <= killed)
        return;
    fprintf(stderr, "stress: %s:\n", what);
    fail("counted %llu, noted %llu", number, noted);
}

static void check_counters(game *play)
{
    uint64_t locks = 0, rlocks = 0, adds = 0, locked_adds = 0, swaps = 0, touches = 0, touched = 0;
    const uint32_t *touched_by = brood_shared_memory_data(play->all.memory);
    brood_value in_list = {0};
    for (uint32_t i = 0; i < play->next; i++) {
        const line *of = &play->notes->lines[i];
        locks += atomic_load(&of->locks);
        rlocks += atomic_load(&of->rlocks);
        adds += atomic_load(&of->adds);
        locked_adds += atomic_load(&of->locked_adds);
        swaps += atomic_load(&of->swaps);
        touches += atomic_load(&of->touches);
        touched += touched_by[i];
    }
    BROOD_CHECK(brood_shareable_list_get(play->all.list, 0, &in_list));
    const int64_t *numbers = brood_array_data(play->all.counters);
    check_count("lock", play->notes->one, locks, play->killed);
    check_count("rlock", play->notes->r_one, rlocks, play->killed);
    check_count("add", (uint64_t)numbers[0], adds, play->killed);
    check_count("array lock", (uint64_t)numbers[1], locked_adds, play->killed);
    check_count("compare and set", (uint64_t)numbers[2], swaps, play->killed);
    check_count("memory", touched, touches, play->killed);
    /* Counted after the lock's own count. */
    check_count("list", locks, (uint64_t)in_list.as.integer, play->killed);
}

/* All who might put are gone, and this process has taken what was left: so it ends. */
static void check_ended(game *play)
{
    void *data;
    size_t size;
    brood_queue *queue = play->all.queues[ENDING];
    if (brood_queue_get_bytes(queue, &data, &size, 1000) != BROOD_ECLOSED)
        fail("the queue does not end (%llu, %llu)", 0, 0);
}

/* Each name goes within 2 s of the death of who made it. */
static void check_names(game *play)
{
    brood_ms end = brood_now() + 2000;
    for (uint32_t i = 0; i < play->next; i++) {
        for (uint32_t n = 0; n < atomic_load(&play->notes->lines[i].names); n++) {
            char name[32];
            brood_shared_memory *memory;
            write_name(play->notes, i, n, name);
            while (brood_shared_memory_open(&memory, name) == BROOD_OK) {
                brood_shared_memory_close(memory);
                if (brood_now() > end) {
                    fail("name %llu of worker %llu is left", n, i);
                    return;
                }
                brood_sleep(10);
            }
        }
    }
}

static bool is_held(brood_status status)
{
    return status == BROOD_OK || status == BROOD_EOWNERDIED;
}

static void check_usable(game *play)
{
    world *all = &play->all;
    if (!is_held(brood_lock_acquire(all->lock, END_MS)) || brood_lock_release(all->lock) != 0)
        fail("the lock is lost (%llu, %llu)", 0, 0);
    if (!is_held(brood_rlock_acquire(all->rlock, END_MS)) || brood_rlock_release(all->rlock) != 0)
        fail("the rlock is lost (%llu, %llu)", 0, 0);
    if (!is_held(brood_array_acquire(all->counters, END_MS)) ||
        brood_array_release(all->counters) != 0)
        fail("the array's lock is lost (%llu, %llu)", 0, 0);
    if (!is_held(brood_condition_acquire(all->condition, END_MS)) ||
        brood_condition_notify_all(all->condition) != 0 ||
        brood_condition_wait(all->condition, 1) != BROOD_ETIMEDOUT ||
        brood_condition_release(all->condition) != 0)
        fail("the condition does not work (%llu, %llu)", 0, 0);
    for (int i = 0; i < UNITS; i++)
        if (brood_semaphore_acquire(all->semaphore, END_MS) != BROOD_OK)
            fail("the semaphore has only %llu of %llu units", (unsigned long long)i, UNITS);
    if (brood_semaphore_acquire(all->semaphore, 0) == BROOD_OK)
        fail("the semaphore has more than %llu units (%llu)", UNITS, 0);
    if (brood_event_set(all->event) != BROOD_OK || brood_event_wait(all->event, 0) != BROOD_OK)
        fail("the event does not work (%llu, %llu)", 0, 0);
    if (brood_barrier_reset(all->barrier) != BROOD_OK || brood_barrier_is_broken(all->barrier) ||
        brood_barrier_n_waiting(all->barrier) != 0)
        fail("the barrier has %llu waiting (%llu)", brood_barrier_n_waiting(all->barrier), 0);
}

static void end_round(game *play)
{
    bri_arena *arena;
    for (int i = 0; i < QUEUES; i++)
        check_queue(play, (queue_name)i);
    check_joined(play);
    check_ended(play);
    check_counters(play);
    check_names(play);
    check_usable(play);
    if (atomic_load(&play->notes->wrong) != 0) {
        fail("%llu things were wrong, %llu messages twice, the first:", play->notes->wrong,
             play->notes->twice);
        fprintf(stderr, "stress: %s\n", play->notes->said);
    }
    for (int i = 0; play->calm && i < play->n; i++)
        if (atomic_load(&play->notes->lines[i].turns) >= KEPT_TURNS)
            printf("worker %d: %016llx\n", i,
                   (unsigned long long)atomic_load(&play->notes->lines[i].choices));
    printf("%u workers, %u killed, %u turns, %u failures\n", play->next, play->killed,
           atomic_load(&play->notes->turns), (unsigned)failures);
    fflush(stdout);
    world_destroy(&play->all);
    BROOD_CHECK(bri_arena_get(&arena));
    bri_arena_free(arena, play->block);
}

/* ---- the command line ---- */

static const char *word_of(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

static uint64_t number_of(int argc, char **argv, const char *name, uint64_t fallback)
{
    const char *word = word_of(argc, argv, name);
    return word == NULL ? fallback : strtoull(word, NULL, 10);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    const char *method_name = word_of(argc, argv, "--method");
    if (method_name != NULL) {
        brood_start_method method;
        BROOD_CHECK(brood_start_method_parse(method_name, &method));
        BROOD_CHECK(brood_set_start_method(method));
    }
    options wanted = {.seed = number_of(argc, argv, "--seed", (uint64_t)brood_now()),
                      .length = (brood_ms)number_of(argc, argv, "--seconds", 10) * 1000,
                      .workers = (int)number_of(argc, argv, "--workers", WORKERS),
                      .calm = number_of(argc, argv, "--calm", 0) != 0};
    static game play;
    play.calm = wanted.calm;
    play.n = wanted.workers < 1 ? 1 : wanted.workers > MOST_AT_ONCE ? MOST_AT_ONCE : wanted.workers;
    printf("seed %llu\n", (unsigned long long)wanted.seed);
    fflush(stdout);
    brood_ms end = brood_now() + wanted.length, left;
    for (uint64_t round = 0; (left = end - brood_now()) > 0 && failures == 0; round++) {
        play.seed = seed_of(wanted.seed, round);
        begin_round(&play);
        kill_at_random(&play, left < ROUND_MS ? left : ROUND_MS);
        end_round(&play);
    }
    return failures != 0;
}
