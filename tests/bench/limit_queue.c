/*
 * limit_queue.c - messages through a ring in shared memory: plain C that can sleep, but survives no
 * death.
 *
 *     --bytes N  --producers N  --consumers N  --count N   one way, with one or more on each side
 *     --through rtt  --cpus 1|2  --count N                 8 bytes there and back, through two
 * rings
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { LINE = 64, SPINS = 300, LEAST_ROOM = 1 << 20 };

/* Slots of one size. A side with more than one process has a spin lock. */
typedef struct side {
    _Alignas(LINE) _Atomic uint64_t count;
    _Alignas(LINE) _Atomic uint32_t lock;
    uint64_t other; /* the other side's count, when it was last looked at */
    _Alignas(LINE) _Atomic uint32_t sleepers;
    _Atomic uint32_t wakes; /* a futex: those of this side sleep on it */
} side;

typedef struct ring {
    uint64_t slots;
    size_t stride;
    size_t bytes;
    bool is_shared; /* by more than one process at a side */
    side put, take;
    unsigned char *data;
} ring;

static void futex(_Atomic uint32_t *word, int what, uint32_t value)
{
    syscall(SYS_futex, word, what, value, NULL, NULL, 0);
}

static ring *make_ring(size_t bytes, bool is_shared)
{
    size_t stride = (bytes + LINE - 1) / LINE * LINE, room = stride * 16;
    if (bytes < LINE)
        stride = 8 + (bytes + 7) / 8 * 8;
    room = room < LEAST_ROOM ? LEAST_ROOM : room;
    unsigned char *memory = mmap(NULL, sizeof(ring) + LINE + room, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(memory != MAP_FAILED);
    ring *r = (ring *)memory;
    r->slots = room / stride;
    r->stride = stride;
    r->bytes = bytes;
    r->is_shared = is_shared;
    r->data = memory + (sizeof(ring) + LINE - 1) / LINE * LINE;
    memset(r->data, 1, room);
    return r;
}

static void pause_briefly(void)
{
    __asm__ __volatile__("pause");
}

static void lock(ring *r, side *s)
{
    int turns = 0;
    while (r->is_shared && (atomic_load_explicit(&s->lock, memory_order_relaxed) != 0 ||
                            atomic_exchange_explicit(&s->lock, 1, memory_order_acquire) != 0)) {
        pause_briefly();
        if (++turns % 1000 == 0)
            usleep(0);
    }
}

static void unlock(ring *r, side *s)
{
    if (r->is_shared)
        atomic_store_explicit(&s->lock, 0, memory_order_release);
}

static bool is_ready(const ring *r, const side *mine, const side *theirs)
{
    uint64_t count = atomic_load_explicit(&mine->count, memory_order_relaxed);
    uint64_t other = atomic_load_explicit(&theirs->count, memory_order_acquire);
    return mine == &r->put ? count - other < r->slots : count != other;
}

static void wait_ready(ring *r, side *mine, side *theirs)
{
    for (int i = 0; i < SPINS; i++) {
        if (is_ready(r, mine, theirs))
            return;
        pause_briefly();
    }
    while (!is_ready(r, mine, theirs)) {
        uint32_t seen = atomic_load(&mine->wakes);
        atomic_fetch_add(&mine->sleepers, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (!is_ready(r, mine, theirs))
            futex(&mine->wakes, FUTEX_WAIT, seen);
        atomic_fetch_sub(&mine->sleepers, 1);
    }
}

static void wake(side *theirs)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&theirs->sleepers, memory_order_relaxed) == 0)
        return;
    atomic_fetch_add(&theirs->wakes, 1);
    futex(&theirs->wakes, FUTEX_WAKE, 1);
}

/* One step of a side: the slot to work in, and the end of the work. */
static unsigned char *begin(ring *r, side *mine, side *theirs)
{
    for (;;) {
        lock(r, mine);
        uint64_t count = atomic_load_explicit(&mine->count, memory_order_relaxed);
        bool is_put = mine == &r->put;
        if (is_put ? count - mine->other >= r->slots : count == mine->other)
            mine->other = atomic_load_explicit(&theirs->count, memory_order_acquire);
        if (is_put ? count - mine->other < r->slots : count != mine->other)
            return r->data + count % r->slots * r->stride;
        unlock(r, mine);
        wait_ready(r, mine, theirs);
    }
}

static void end(ring *r, side *mine, side *theirs)
{
    uint64_t count = atomic_load_explicit(&mine->count, memory_order_relaxed);
    atomic_store_explicit(&mine->count, count + 1, memory_order_release);
    unlock(r, mine);
    wake(theirs);
}

static void put(ring *r, const void *data)
{
    memcpy(begin(r, &r->put, &r->take), data, r->bytes);
    end(r, &r->put, &r->take);
}

static void take(ring *r, void *data)
{
    memcpy(data, begin(r, &r->take, &r->put), r->bytes);
    end(r, &r->take, &r->put);
}

static void work(ring *r, bool is_putter, long count, uint64_t *sum)
{
    unsigned char *bytes = calloc(1, r->bytes + 8);
    BENCH_REQUIRE(bytes != NULL);
    for (int64_t i = 0; i < count; i++) {
        if (is_putter) {
            memcpy(bytes, &i, 8);
            put(r, bytes);
        } else {
            take(r, bytes);
            uint64_t number;
            memcpy(&number, bytes, 8);
            *sum += number;
        }
    }
    free(bytes);
}

static pid_t start(ring *r, bool is_putter, long count, _Atomic uint64_t *all, int cpu)
{
    pid_t pid = fork();
    BENCH_REQUIRE(pid >= 0);
    if (pid != 0)
        return pid;
    uint64_t sum = 0;
    if (cpu >= 0)
        bench_pin(cpu);
    work(r, is_putter, count, &sum);
    atomic_fetch_add(all, sum);
    _exit(0);
}

static void one_way(int argc, char **argv, long count)
{
    int producers = (int)bench_number(argc, argv, "producers", 1);
    int consumers = (int)bench_number(argc, argv, "consumers", 1), status;
    size_t bytes = (size_t)bench_number(argc, argv, "bytes", 64);
    ring *r = make_ring(bytes < 8 ? 8 : bytes, producers + consumers > 2);
    _Atomic uint64_t *sum =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(sum != MAP_FAILED);
    long each = count / producers, got = each * producers / consumers;
    BENCH_REQUIRE(got * consumers == each * producers);
    int cpus = producers + consumers == 2 ? 0 : -1000;
    int64_t before = bench_now();
    for (int i = 0; i < producers; i++)
        start(r, true, each, sum, cpus + i);
    for (int i = 0; i < consumers; i++)
        start(r, false, got, sum, cpus + 1 + i);
    for (int i = 0; i < producers + consumers; i++)
        BENCH_REQUIRE(wait(&status) > 0 && status == 0);
    int64_t after = bench_now();
    BENCH_REQUIRE(atomic_load(sum) ==
                  (uint64_t)producers * (uint64_t)each * (uint64_t)(each - 1) / 2);
    bench_print_rate(after - before, each * producers);
}

static void there_and_back(int argc, char **argv, long count)
{
    int cpus = (int)bench_number(argc, argv, "cpus", 1), status;
    ring *there = make_ring(8, false), *back = make_ring(8, false);
    bench_need_cpus(cpus);
    pid_t pid = fork();
    BENCH_REQUIRE(pid >= 0);
    if (pid == 0) {
        bench_pin(cpus - 1);
        for (int64_t number = 0; number >= 0;) {
            take(there, &number);
            int64_t answer = number + 1;
            put(back, &answer);
        }
        _exit(0);
    }
    bench_pin(0);
    int64_t before = 0;
    for (int64_t i = -count / 10; i < count; i++) {
        int64_t number = i < 0 ? 0 : i, answer;
        if (i == 0)
            before = bench_now();
        put(there, &number);
        take(back, &answer);
        BENCH_REQUIRE(answer == number + 1);
    }
    int64_t after = bench_now(), last = -1;
    put(there, &last);
    BENCH_REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    bench_print_us(after - before, count);
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, "count", 1000000);
    if (strcmp(bench_word(argc, argv, "through", "one_way"), "rtt") == 0)
        there_and_back(argc, argv, count);
    else
        one_way(argc, argv, count);
    return 0;
}
