/*
 * limit_lock.c - a lock in shared memory that is acquired and released again and again.
 *
 *     --how robust|plain|futex  --processes N  --count N  in all
 *
 * robust: pthread's robust mutex, whose next owner is told when one dies, as brood_lock's is;
 * plain: its mutex that is not; futex: the least that can sleep, which survives no death.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { SPINS = 100 };

typedef struct shared {
    _Alignas(64) pthread_mutex_t mutex;
    _Alignas(64) _Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody sleeps */
    _Alignas(64) int64_t number;
    _Alignas(64) _Atomic uint32_t go;
    _Atomic uint32_t ready;
} shared;

static void make_mutex(shared *s, bool is_robust)
{
    pthread_mutexattr_t how;
    BENCH_REQUIRE(pthread_mutexattr_init(&how) == 0);
    BENCH_REQUIRE(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    if (is_robust)
        BENCH_REQUIRE(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
    BENCH_REQUIRE(pthread_mutex_init(&s->mutex, &how) == 0);
}

static void use_mutex(shared *s, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        BENCH_REQUIRE(pthread_mutex_lock(&s->mutex) == 0);
        s->number++;
        BENCH_REQUIRE(pthread_mutex_unlock(&s->mutex) == 0);
    }
}

static bool try_word(shared *s)
{
    uint32_t nobody = 0;
    return atomic_compare_exchange_strong_explicit(&s->word, &nobody, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static void use_word(shared *s, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        bool taken = try_word(s);
        for (int spin = 0; !taken && spin < SPINS; spin++) {
            __asm__ __volatile__("pause");
            taken = atomic_load_explicit(&s->word, memory_order_relaxed) == 0 && try_word(s);
        }
        if (!taken)
            while (atomic_exchange_explicit(&s->word, 2, memory_order_acquire) != 0)
                syscall(SYS_futex, &s->word, FUTEX_WAIT, 2, NULL, NULL, 0);
        s->number++;
        if (atomic_exchange_explicit(&s->word, 0, memory_order_release) == 2)
            syscall(SYS_futex, &s->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

static void use(shared *s, bool is_mutex, int64_t count)
{
    if (is_mutex)
        use_mutex(s, count);
    else
        use_word(s, count);
}

static int64_t run_many(shared *s, bool is_mutex, int processes, int64_t each)
{
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        BENCH_REQUIRE(pid >= 0);
        if (pid == 0) {
            atomic_fetch_add(&s->ready, 1);
            while (atomic_load(&s->go) == 0)
                syscall(SYS_futex, &s->go, FUTEX_WAIT, 0, NULL, NULL, 0);
            use(s, is_mutex, each);
            _exit(0);
        }
    }
    while (atomic_load(&s->ready) != (uint32_t)processes)
        usleep(100);
    int64_t begin = bench_now();
    atomic_store(&s->go, 1);
    syscall(SYS_futex, &s->go, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    for (int i = 0; i < processes; i++) {
        int status;
        BENCH_REQUIRE(wait(&status) > 0 && status == 0);
    }
    return bench_now() - begin;
}

int main(int argc, char **argv)
{
    const char *how = bench_word(argc, argv, "how", "robust");
    int processes = (int)bench_number(argc, argv, "processes", 1);
    int64_t each = bench_number(argc, argv, "count", 10000000) / processes, elapsed;
    bool is_mutex = strcmp(how, "futex") != 0;
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(s != MAP_FAILED);
    if (is_mutex)
        make_mutex(s, strcmp(how, "robust") == 0);
    if (processes == 1) {
        int64_t begin = bench_now();
        use(s, is_mutex, each);
        elapsed = bench_now() - begin;
    } else {
        elapsed = run_many(s, is_mutex, processes, each);
    }
    BENCH_REQUIRE(s->number == each * processes);
    bench_print_rate(elapsed, (long)s->number);
    return 0;
}
