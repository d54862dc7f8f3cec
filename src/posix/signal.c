/* posix/signal.c - Ctrl-C as a count, told on a thread: a handler that writes to a pipe, and the
 * thread that reads it. */
#define _GNU_SOURCE
#include "platform/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "posix/fd.h"
#include "posix/helper.h"

enum { N_TAKEN = 2 };
static const int taken_signals[N_TAKEN] = {SIGINT, SIGTERM};

/* What the signal handler uses: the writing end, -1 while nothing is taken; and how many threads
 * are inside the handler now, so that the end is closed only when none can still use it. */
static atomic_int write_end = -1;
static atomic_int inside;

/* Under the lock; `taken_by` is the process, so that a forked child counts as one that has taken
 * nothing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t counter_ended = PTHREAD_COND_INITIALIZER;
static pid_t taken_by;
static struct sigaction former[N_TAKEN];

/* What the thread that counts has; one at a time. */
static struct {
    bool runs;
    pthread_t thread;
    int read_end;
    brp_interrupt_handler handler;
    void *context;
} counter;

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    atomic_fetch_add(&inside, 1);
    int fd = atomic_load(&write_end);
    if (fd >= 0)
        while (write(fd, "", 1) < 0 && errno == EINTR)
            ;
    atomic_fetch_sub(&inside, 1);
    errno = saved;
}

static void *count_interrupts(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&lock); /* until counter is filled */
    counter.thread = pthread_self();
    pthread_mutex_unlock(&lock);
    char what;
    for (int count = 0;;) {
        ssize_t got = read(counter.read_end, &what, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        /* Given back: this end stays until the other one is closed, for a handler may be about to
         * write, and a pipe without a reader would raise SIGPIPE there. */
        if (atomic_load(&write_end) >= 0)
            counter.handler(counter.context, ++count);
    }
    close(counter.read_end);
    pthread_mutex_lock(&lock);
    counter.runs = false;
    pthread_cond_broadcast(&counter_ended);
    pthread_mutex_unlock(&lock);
    brp_helper_ends();
    return NULL;
}

/* Called under the lock. */
static brood_status start_counter(brp_interrupt_handler handler, void *context, int *end)
{
    int ends[2];
    if (brp_make_pipe(ends) != 0)
        return brp_fail(errno, "could not make a pipe for interrupts");
    fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK); /* a handler must not wait */
    int code = brp_helper_start(count_interrupts, NULL);
    if (code != 0) {
        close(ends[0]);
        close(ends[1]);
        return brp_fail(code, "could not start the thread for interrupts");
    }
    counter.runs = true;
    counter.read_end = ends[0];
    counter.handler = handler;
    counter.context = context;
    *end = ends[1];
    return BROOD_OK;
}

brood_status brp_interrupt_take(brp_interrupt_handler handler, void *context)
{
    brood_status status = BROOD_OK;
    int end = -1;
    pthread_mutex_lock(&lock);
    if (taken_by == getpid() || counter.runs)
        status = bri_fail(BROOD_ESTATE, "could not take interrupts twice");
    else
        status = start_counter(handler, context, &end);
    if (status == BROOD_OK) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        atomic_store(&write_end, end);
        for (int i = 0; i < N_TAKEN; i++)
            sigaction(taken_signals[i], &action, &former[i]);
        taken_by = getpid();
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void brp_interrupt_give_back(void)
{
    pthread_mutex_lock(&lock);
    if (taken_by == getpid()) {
        taken_by = 0;
        for (int i = 0; i < N_TAKEN; i++)
            sigaction(taken_signals[i], &former[i], NULL);
        int end = atomic_exchange(&write_end, -1);
        while (atomic_load(&inside) > 0) /* a handler on another thread: a few instructions */
            sched_yield();
        close(end); /* the thread ends by it */
        while (counter.runs && !pthread_equal(counter.thread, pthread_self()))
            pthread_cond_wait(&counter_ended, &lock);
    }
    pthread_mutex_unlock(&lock);
}

void brp_signal_reset_child(void)
{
    static const int defaults[] = {SIGPIPE, SIGINT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        signal(defaults[i], SIG_DFL);
    if (taken_by != 0 && taken_by != getpid()) { /* forked: the thread is not here */
        taken_by = 0;
        close(atomic_exchange(&write_end, -1));
        close(counter.read_end);
        counter.runs = false;
    }
    lock =
        (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* a thread that is not here may have held it */
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}
