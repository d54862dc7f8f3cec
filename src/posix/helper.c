/* posix/helper.c - threads of the platform's own, counted. */
#define _GNU_SOURCE
#include "posix/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

/* Counted for the process that started them: after a plain fork() the child has none. */
static _Atomic uint64_t helpers; /* pid << 32 | count */

static void change_helpers(int by)
{
    uint64_t self = (uint64_t)getpid() << 32, old = atomic_load(&helpers), now;
    do {
        uint64_t count = (old >> 32 << 32) == self ? old & UINT32_MAX : 0;
        now = self | (count + (uint64_t)(int64_t)by);
    } while (!atomic_compare_exchange_weak(&helpers, &old, now));
}

void brp_helper_ends(void)
{
    change_helpers(-1);
}

int brp_helper_count(void)
{
    uint64_t now = atomic_load(&helpers);
    return now >> 32 == (uint64_t)getpid() ? (int)(now & UINT32_MAX) : 0;
}

int brp_helper_start(void *(*routine)(void *), void *argument)
{
    enum { STACK = 128 << 10 };
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK); /* where that is too little, the default stays */
    sigfillset(&all);
    change_helpers(1);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&thread, &attributes, routine, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        change_helpers(-1);
    pthread_attr_destroy(&attributes);
    return code;
}
