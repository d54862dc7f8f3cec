/* posix/waitmany.c - poll for one wait, epoll for a set that stays. */
#define _GNU_SOURCE
#include "platform/waitmany.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "posix/fd.h"

/* Marks what poll has found. */
static brood_status mark_ready(brp_watch *watches, const struct pollfd *fds, size_t n,
                               size_t *n_ready)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if ((fds[i].revents & POLLNVAL) != 0)
            return brp_fail(EBADF, "could not wait for handle %d", fds[i].fd);
    for (size_t i = 0; i < n; i++) {
        watches[i].ready = fds[i].revents != 0;
        count += watches[i].ready;
    }
    if (n_ready != NULL)
        *n_ready = count;
    return count > 0 ? BROOD_OK : BROOD_ETIMEDOUT;
}

brood_status brp_wait_any(brp_watch *watches, size_t n, bri_deadline deadline, size_t *n_ready)
{
    enum { ON_STACK = 64 };
    struct pollfd small[ON_STACK];
    if (n == 0 && deadline == BRI_NEVER)
        return bri_fail(BROOD_EINVALID, "could not wait for ever for nothing");
    struct pollfd *fds = n <= ON_STACK ? small : bri_calloc(n, sizeof *fds);
    if (fds == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = brp_fd(watches[i].handle), .events = POLLIN};
    brood_status status;
    if (brp_poll_until(fds, n, deadline) < 0)
        status = brp_fail(errno, "could not wait for %zu handles", n);
    else
        status = mark_ready(watches, fds, n, n_ready);
    if (fds != small)
        bri_free(fds);
    return status;
}

#if defined(__linux__) && !defined(BROOD_NO_EPOLL)

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* The key that the wake event has in the set; brp_poller_add refuses it. */
#define WAKE_KEY UINT64_MAX

struct brp_poller {
    int epoll;
    int wake;
};

static int add_to_set(const brp_poller *poller, int fd, uint64_t key)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event);
}

brood_status brp_poller_create(brp_poller **poller)
{
    brp_poller *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->epoll = brp_above_stdio(epoll_create1(EPOLL_CLOEXEC));
    made->wake = made->epoll < 0 ? -1 : brp_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (made->wake < 0 || add_to_set(made, made->wake, WAKE_KEY) != 0) {
        brood_status status = brp_fail(errno, "could not make a poller");
        brp_poller_destroy(made);
        return status;
    }
    *poller = made;
    return BROOD_OK;
}

void brp_poller_destroy(brp_poller *poller)
{
    if (poller == NULL)
        return;
    if (poller->wake >= 0)
        close(poller->wake);
    if (poller->epoll >= 0)
        close(poller->epoll);
    bri_free(poller);
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
    if (key == WAKE_KEY)
        return bri_fail(BROOD_EINVALID, "could not use the highest number as a key");
    if (add_to_set(poller, brp_fd(handle), key) != 0)
        return brp_fail(errno, "could not watch handle %d", brp_fd(handle));
    return BROOD_OK;
}

void brp_poller_remove(brp_poller *poller, brp_handle handle, uint64_t key)
{
    (void)key;
    epoll_ctl(poller->epoll, EPOLL_CTL_DEL, brp_fd(handle), NULL);
}

static void take_wake(const brp_poller *poller)
{
    uint64_t count;
    while (read(poller->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

brood_status brp_poller_wait(brp_poller *poller, uint64_t *keys, size_t room, size_t *n,
                             bri_deadline deadline)
{
    enum { AT_ONCE = 64 };
    struct epoll_event events[AT_ONCE];
    int most = room < AT_ONCE ? (int)room : AT_ONCE;
    for (;;) {
        int64_t left = -1;
        if (deadline != BRI_NEVER)
            left = bri_deadline_left_ms(deadline, brp_clock_now());
        int found = epoll_wait(poller->epoll, events, most, left > INT_MAX ? INT_MAX : (int)left);
        if (found < 0 && errno != EINTR)
            return brp_fail(errno, "could not wait for a poller");
        if (found == 0 && left <= INT_MAX)
            return BROOD_ETIMEDOUT;
        size_t count = 0;
        for (int i = 0; i < found; i++) {
            if (events[i].data.u64 == WAKE_KEY)
                take_wake(poller);
            else
                keys[count++] = events[i].data.u64;
        }
        if (found > 0) {
            *n = count;
            return BROOD_OK;
        }
    }
}

void brp_poller_wake(brp_poller *poller)
{
    const uint64_t one = 1;
    while (write(poller->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

#endif
