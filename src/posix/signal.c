/* posix/signal.c - Ctrl-C as a count, told on a thread: a handler that writes to a stream, and the
 * thread that reads it. */
#define _GNU_SOURCE
#include "platform/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/fd.h"
#include "posix/helper.h"
#include "posix/interrupt.h"

enum { N_TAKEN = 2 };
static const int taken_signals[N_TAKEN] = {SIGINT, SIGTERM};

/* What the signal handler uses: the writing end, -1 while nothing is taken; and how many threads
 * are inside the handler now, so that the end is closed only when none can still use it. */
static atomic_int write_end = -1;
static atomic_int inside;

/* Under the lock; `taken_by` is the process, so that a forked child counts as one that has taken
 * nothing. The handler reads it, and what stood before, too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t counter_ended = PTHREAD_COND_INITIALIZER;
static _Atomic pid_t taken_by;
static struct sigaction former[N_TAKEN];

/* What the thread that counts has; one at a time. */
static struct {
    pid_t runs_in; /* the process that the thread is of, 0 while none runs */
    bool is_known; /* the thread has said which one it is */
    pthread_t thread;
    int read_end;
    brp_interrupt_handler handler;
    void *context;
} counter;

static void put_former_back(void)
{
    for (int i = 0; i < N_TAKEN; i++)
        sigaction(taken_signals[i], &former[i], NULL);
}

static void tell_counter(void)
{
    atomic_fetch_add(&inside, 1);
    int fd = atomic_load(&write_end);
    if (fd >= 0)
        while (write(fd, "", 1) < 0 && errno == EINTR)
            ;
    atomic_fetch_sub(&inside, 1);
}

/* A signal to a child that the program has forked by itself is not the parent's. */
static void on_signal(int number)
{
    int saved = errno;
    if (atomic_load(&taken_by) == getpid()) {
        tell_counter();
    } else {
        put_former_back();
        raise(number); /* comes when this one returns */
    }
    errno = saved;
}

static void *count_interrupts(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&lock); /* until counter is filled */
    counter.thread = pthread_self();
    counter.is_known = true;
    pthread_mutex_unlock(&lock);
    char what;
    for (int count = 0;;) {
        ssize_t got = read(counter.read_end, &what, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        /* Given back: this end stays until the other one is shut down, for a handler may be about
         * to write, and a stream without a reader would raise SIGPIPE there. */
        if (atomic_load(&write_end) >= 0)
            counter.handler(counter.context, ++count);
    }
    close(counter.read_end);
    pthread_mutex_lock(&lock);
    counter.runs_in = 0;
    pthread_cond_broadcast(&counter_ended);
    pthread_mutex_unlock(&lock);
    brp_helper_ends();
    return NULL;
}

/* Called under the lock. */
static brood_status start_counter(brp_interrupt_handler handler, void *context, int *end)
{
    int ends[2];
    if (brp_make_socket_pair(ends) != 0)
        return brp_fail(errno, "could not make a stream for interrupts");
    fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK); /* a handler must not wait */
    int code = brp_helper_start(count_interrupts, NULL);
    if (code != 0) {
        close(ends[0]);
        close(ends[1]);
        return brp_fail(code, "could not start the thread for interrupts");
    }
    counter.runs_in = getpid();
    counter.is_known = false;
    counter.read_end = ends[0];
    counter.handler = handler;
    counter.context = context;
    *end = ends[1];
    return BROOD_OK;
}

/* Called under the lock. The handler itself may give back. */
static bool is_on_counter(void)
{
    return counter.is_known && pthread_equal(counter.thread, pthread_self());
}

brood_status brp_interrupt_take(brp_interrupt_handler handler, void *context)
{
    brood_status status = BROOD_OK;
    int end = -1;
    pthread_mutex_lock(&lock);
    while (taken_by == 0 && counter.runs_in == getpid() && !is_on_counter())
        pthread_cond_wait(&counter_ended, &lock); /* its handler has given back, and still runs */
    if (taken_by == getpid() || counter.runs_in != 0)
        status = bri_fail(BROOD_ESTATE, "could not take interrupts twice");
    else
        status = start_counter(handler, context, &end);
    if (status == BROOD_OK) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        atomic_store(&write_end, end);
        atomic_store(&taken_by, getpid());
        for (int i = 0; i < N_TAKEN; i++)
            sigaction(taken_signals[i], &action, &former[i]);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void brp_interrupt_give_back(void)
{
    pthread_mutex_lock(&lock);
    if (taken_by == getpid()) {
        put_former_back();
        atomic_store(&taken_by, 0);
        int end = atomic_exchange(&write_end, -1);
        while (atomic_load(&inside) > 0) /* a handler on another thread: a few instructions */
            sched_yield();
        shutdown(end, SHUT_WR); /* the thread ends by it, also where a forked child has this end */
        close(end);
        while (counter.runs_in != 0 && !is_on_counter())
            pthread_cond_wait(&counter_ended, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* Reads only where nothing was taken: what a child of a fork writes to it has to copy. */
void brp_interrupt_forget(void)
{
    if (atomic_load(&taken_by) == 0 && counter.runs_in == 0)
        return;
    if (atomic_load(&taken_by) != 0) { /* by the parent, whose thread is not here */
        put_former_back();
        close(atomic_exchange(&write_end, -1));
        close(counter.read_end);
    }
    atomic_store(&taken_by, 0);
    atomic_store(&inside, 0);
    counter.runs_in = 0;
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    counter_ended = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

void brp_signal_reset_child(void)
{
    static const int defaults[] = {SIGPIPE, SIGINT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        signal(defaults[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}
