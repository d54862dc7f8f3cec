/* posix/waitmany_poll.c - the poller on poll() and a pipe, where there is no epoll. */
#define _GNU_SOURCE
#include "platform/waitmany.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "posix/fd.h"

#if !defined(__linux__) || defined(BROOD_NO_EPOLL)

#include <fcntl.h>

struct brp_poller {
    pthread_mutex_t lock; /* of the set; never held while waiting */
    struct pollfd *fds;   /* [0] is the pipe */
    uint64_t *keys;       /* parallel to fds */
    size_t n, room;
    struct pollfd *waited; /* the waiting thread's copy */
    size_t waited_room;
    int wake;    /* the writing end; a byte only ends poll(), what has changed stands here */
    bool woken;  /* by brp_poller_wake, not yet told */
    size_t next; /* where the next report begins, so that with little room all get their turn */
};

brood_status brp_poller_create(brp_poller **poller)
{
    int ends[2];
    brp_poller *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->room = 16;
    made->fds = bri_calloc(made->room, sizeof *made->fds);
    made->keys = bri_calloc(made->room, sizeof *made->keys);
    made->waited = bri_calloc(made->room, sizeof *made->waited);
    made->waited_room = made->room;
    made->wake = -1;
    pthread_mutex_init(&made->lock, NULL);
    bool has_room = made->fds != NULL && made->keys != NULL && made->waited != NULL;
    if (!has_room || brp_make_pipe(ends) != 0) {
        brood_status status = has_room ? brp_fail(errno, "could not make a poller") : BROOD_ENOMEM;
        brp_poller_destroy(made);
        return status;
    }
    made->fds[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
    made->n = 1;
    made->wake = ends[1];
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | O_NONBLOCK);
    *poller = made;
    return BROOD_OK;
}

void brp_poller_destroy(brp_poller *poller)
{
    if (poller == NULL)
        return;
    if (poller->wake >= 0) {
        close(poller->fds[0].fd);
        close(poller->wake);
    }
    pthread_mutex_destroy(&poller->lock);
    bri_free(poller->fds);
    bri_free(poller->keys);
    bri_free(poller->waited);
    bri_free(poller);
}

static void end_poll(const brp_poller *poller)
{
    while (write(poller->wake, "", 1) < 0 && errno == EINTR)
        ; /* a full pipe does it too */
}

static brood_status make_room(brp_poller *poller)
{
    if (poller->n < poller->room)
        return BROOD_OK;
    size_t room = poller->room * 2;
    struct pollfd *fds = bri_realloc(poller->fds, room * sizeof *fds);
    if (fds == NULL)
        return BROOD_ENOMEM;
    poller->fds = fds;
    uint64_t *keys = bri_realloc(poller->keys, room * sizeof *keys);
    if (keys == NULL)
        return BROOD_ENOMEM;
    poller->keys = keys;
    poller->room = room;
    return BROOD_OK;
}

void brp_poller_end(brp_poller *poller, brp_watch *watches, size_t n)
{
    (void)watches;
    (void)n;
    brp_poller_destroy(poller);
}

brood_status brp_poller_add(brp_poller *poller, brp_handle handle, brp_watch_kind kind,
                            uint64_t key)
{
    (void)kind;
    if (key == UINT64_MAX)
        return bri_fail(BROOD_EINVALID, "could not use the highest number as a key");
    if (fcntl(brp_fd(handle), F_GETFD) < 0)
        return brp_fail(errno, "could not watch handle %d", brp_fd(handle));
    pthread_mutex_lock(&poller->lock);
    brood_status status = BROOD_OK;
    for (size_t i = 1; i < poller->n; i++)
        if (poller->fds[i].fd == brp_fd(handle))
            status = brp_fail(EEXIST, "could not watch handle %d", brp_fd(handle));
    if (status == BROOD_OK)
        status = make_room(poller);
    if (status == BROOD_OK) {
        poller->fds[poller->n] = (struct pollfd){.fd = brp_fd(handle), .events = POLLIN};
        poller->keys[poller->n++] = key;
        end_poll(poller);
    }
    pthread_mutex_unlock(&poller->lock);
    return status;
}

void brp_poller_remove(brp_poller *poller, brp_handle handle, uint64_t key)
{
    (void)key;
    pthread_mutex_lock(&poller->lock);
    for (size_t i = 1; i < poller->n; i++) {
        if (poller->fds[i].fd != brp_fd(handle))
            continue;
        poller->n--;
        poller->fds[i] = poller->fds[poller->n];
        poller->keys[i] = poller->keys[poller->n];
        break;
    }
    end_poll(poller);
    pthread_mutex_unlock(&poller->lock);
}

static void drain(const brp_poller *poller)
{
    char bytes[64];
    ssize_t got;
    do
        got = read(poller->fds[0].fd, bytes, sizeof bytes);
    while (got > 0 || (got < 0 && errno == EINTR));
}

static brood_status copy_set(brp_poller *poller, size_t *n)
{
    pthread_mutex_lock(&poller->lock);
    brood_status status = BROOD_OK;
    if (poller->waited_room < poller->room) {
        struct pollfd *copy = bri_realloc(poller->waited, poller->room * sizeof *copy);
        if (copy == NULL) {
            status = BROOD_ENOMEM;
        } else {
            poller->waited = copy;
            poller->waited_room = poller->room;
        }
    }
    *n = poller->n;
    if (status == BROOD_OK)
        memcpy(poller->waited, poller->fds, *n * sizeof *poller->fds);
    pthread_mutex_unlock(&poller->lock);
    return status;
}

/* The keys of what poll() has found, as far as it still is in the set; and whether somebody called
 * for the waiter. */
static size_t report(brp_poller *poller, size_t n, uint64_t *keys, size_t room, bool *woken)
{
    size_t count = 0;
    pthread_mutex_lock(&poller->lock);
    *woken = poller->woken;
    poller->woken = false;
    for (size_t step = 0; step + 1 < n && count < room; step++) {
        size_t i = 1 + (poller->next + step) % (n - 1);
        if (poller->waited[i].revents == 0 || i >= poller->n ||
            poller->fds[i].fd != poller->waited[i].fd)
            continue;
        keys[count++] = poller->keys[i];
        if (count == room)
            poller->next = i;
    }
    pthread_mutex_unlock(&poller->lock);
    return count;
}

brood_status brp_poller_wait(brp_poller *poller, uint64_t *keys, size_t room, size_t *n,
                             bri_deadline deadline)
{
    for (;;) {
        size_t waited;
        BROOD_TRY(copy_set(poller, &waited));
        int ready = brp_poll_until(poller->waited, waited, deadline);
        if (ready < 0)
            return brp_fail(errno, "could not wait for a poller");
        if (ready == 0)
            return BROOD_ETIMEDOUT;
        if (poller->waited[0].revents != 0)
            drain(poller);
        bool woken;
        size_t count = report(poller, waited, keys, room, &woken);
        if (woken || count > 0) {
            *n = count;
            return BROOD_OK;
        }
    }
}

void brp_poller_wake(brp_poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    poller->woken = true;
    pthread_mutex_unlock(&poller->lock);
    end_poll(poller);
}

#endif
