/* posix/watch.c - pidfds, and the threads that stand in for them. */
#define _GNU_SOURCE
#include "posix/watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "base/memory.h"
#include "posix/fd.h"
#include "posix/guard.h"
#include "posix/helper.h"
#include "posix/interrupt.h"

#if defined(BROOD_NO_PIDFD) || !defined(SYS_pidfd_open) || !defined(SYS_pidfd_send_signal)
#define HAVE_PIDFD 0
#else
#define HAVE_PIDFD 1
#endif

#if HAVE_PIDFD
int brp_open_pidfd(pid_t pid)
{
    return brp_above_stdio((int)syscall(SYS_pidfd_open, pid, 0)); /* close-on-exec by itself */
}

int brp_signal_pidfd(int pidfd, int number, unsigned flags)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, flags);
}

/* Since Linux 5.4 all of it works; sandboxes may refuse it even then. Asked once. */
bool brp_have_pidfd(void)
{
    static atomic_int answer; /* 0: not asked, 1: yes, 2: no */
    int known = atomic_load(&answer);
    if (known == 0) {
        siginfo_t info;
        int saved = errno;
        int pidfd = brp_open_pidfd(getpid());
        if (pidfd < 0 && (errno == EMFILE || errno == ENFILE))
            return true; /* ask again another time */
        bool works = pidfd >= 0 && waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) != 0 &&
                     errno == ECHILD && brp_signal_pidfd(pidfd, 0, 0) == 0;
        if (pidfd >= 0)
            close(pidfd);
        errno = saved;
        known = works ? 1 : 2;
        atomic_store(&answer, known);
    }
    return known == 1;
}
#else
int brp_open_pidfd(pid_t pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}

int brp_signal_pidfd(int pidfd, int number, unsigned flags)
{
    (void)pidfd, (void)number, (void)flags;
    errno = ENOSYS;
    return -1;
}

bool brp_have_pidfd(void)
{
    return false;
}
#endif

/* A thread that waits for one child, without collecting it, and then makes the sentinel readable.
 */
typedef struct watcher {
    struct watcher *next;
    struct watcher **link;
    pid_t pid;
    int write_end;
} watcher;

/* All of them, so that a forked child can close the ends that it inherits. */
static pthread_mutex_t watchers_lock = PTHREAD_MUTEX_INITIALIZER;
static watcher *watchers;

static void drop_watcher(watcher *self)
{
    pthread_mutex_lock(&watchers_lock);
    *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    close(self->write_end);
    pthread_mutex_unlock(&watchers_lock);
    bri_free(self);
}

static void *watch_child(void *argument)
{
    watcher *self = argument;
    siginfo_t info;
    while (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    /* A byte, for closing alone says nothing while a forked child of ours has the end too. */
    while (write(self->write_end, "", 1) < 0 && errno == EINTR)
        ;
    drop_watcher(self);
    brp_helper_ends();
    return NULL;
}

static brood_status start_watcher(pid_t pid, int *sentinel)
{
    int ends[2];
    watcher *self = bri_alloc(sizeof *self);
    if (self == NULL)
        return BROOD_ENOMEM;
    if (brp_make_pipe(ends) != 0) {
        bri_free(self);
        return brp_fail(errno, "could not make a sentinel of process %d", (int)pid);
    }
    pthread_mutex_lock(&watchers_lock);
    *self = (watcher){.next = watchers, .link = &watchers, .pid = pid, .write_end = ends[1]};
    if (watchers != NULL)
        watchers->link = &self->next;
    watchers = self;
    pthread_mutex_unlock(&watchers_lock);
    int code = brp_helper_start(watch_child, self);
    if (code != 0) {
        drop_watcher(self);
        close(ends[0]);
        return brp_fail(code, "could not watch process %d", (int)pid);
    }
    *sentinel = ends[0];
    return BROOD_OK;
}

static void forget_watchers(void)
{
    while (watchers != NULL) {
        watcher *next = watchers->next;
        close(watchers->write_end);
        bri_free(watchers);
        watchers = next;
    }
}

brood_status brp_child_watch(brp_child *child, pid_t pid)
{
    int sentinel = -1;
    brood_status status = BROOD_OK;
    if (!brp_have_pidfd())
        status = start_watcher(pid, &sentinel);
    else if ((sentinel = brp_open_pidfd(pid)) < 0)
        status = brp_fail(errno, "could not make a sentinel of process %d", (int)pid);
    if (status != BROOD_OK) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return status;
    }
    brp_child_init(child);
    child->pid = pid;
    child->sentinel = brp_handle_of(sentinel);
    return BROOD_OK;
}

static pthread_mutex_t numbers_lock = PTHREAD_MUTEX_INITIALIZER;

void brp_numbers_lock(void)
{
    pthread_mutex_lock(&numbers_lock);
}

void brp_numbers_unlock(void)
{
    pthread_mutex_unlock(&numbers_lock);
}

pid_t brp_fork_watched(void)
{
    brp_guard_lock();
    brp_numbers_lock();
    pthread_mutex_lock(&watchers_lock);
    pid_t pid = fork();
    int code = pid < 0 ? errno : 0; /* the child touches nothing that it need not copy */
    if (pid == 0) {
        forget_watchers();
        brp_interrupt_forget();
    }
    pthread_mutex_unlock(&watchers_lock);
    brp_numbers_unlock();
    brp_guard_unlock();
    if (pid < 0)
        errno = code;
    return pid;
}
