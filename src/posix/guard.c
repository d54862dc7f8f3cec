/*
 * posix/guard.c - this process's side of the guard, and the guard itself.
 *
 * The guard is this executable again, in a process group of its own, which brood_init turns into a
 * guard. It reads lines from a socket whose other end only this process has, and at its end, which
 * comes with this process's death, removes what is left on its list.
 */
#define _GNU_SOURCE
#include "posix/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/guard.h"
#include "platform/spawn.h"
#include "posix/fd.h"

#define MARKER "BROOD_GUARD"

enum { LINE_MOST = 128, START_MS = 10000 };

/* '?' expected, 'o' until the owner's death, 'h' until nobody holds it, '-' forget. */
typedef struct entry {
    struct entry *next;
    char kind;
    uint64_t device, inode;
    char name[BRP_NAMED_MOST + 2];
} entry;

/* ---- the list, on both sides ---- */

/* One such entry. */
static void drop_entry(entry **first, const entry *wanted)
{
    for (entry **at = first; *at != NULL; at = &(*at)->next) {
        entry *found = *at;
        if (strcmp(found->name, wanted->name) != 0 || found->device != wanted->device ||
            found->inode != wanted->inode)
            continue;
        *at = found->next;
        bri_free(found);
        return;
    }
}

static brood_status note_entry(entry **first, const entry *wanted)
{
    if (wanted->kind == '-') {
        drop_entry(first, wanted);
        return BROOD_OK;
    }
    entry *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    *made = *wanted;
    made->next = *first;
    *first = made;
    return BROOD_OK;
}

static int format_entry(const entry *what, char line[LINE_MOST])
{
    return snprintf(line, LINE_MOST, "%c %" PRIu64 " %" PRIu64 " %s\n", what->kind, what->device,
                    what->inode, what->name);
}

static bool parse_entry(const char *line, entry *what)
{
    *what = (entry){0};
    char *end;
    if (strlen(line) < 6 || line[1] != ' ')
        return false;
    what->kind = line[0];
    what->device = strtoull(line + 2, &end, 10);
    what->inode = strtoull(end, &end, 10);
    if (*end != ' ' || strlen(end + 1) > BRP_NAMED_MOST)
        return false;
    strcpy(what->name, end + 1);
    return true;
}

/* ---- removing ---- */

static bool is_object(int fd, const struct stat *object)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_dev == object->st_dev && now.st_ino == object->st_ino;
}

void brp_name_remove(const char *name, const struct stat *object, bool unless_held)
{
    char path[BRP_NAMED_MOST + 3];
    snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDWR, 0);
    if (fd < 0)
        return;
    if (is_object(fd, object) && (!unless_held || flock(fd, LOCK_EX | LOCK_NB) == 0))
        shm_unlink(path);
    close(fd);
}

/* A name that its maker did not come to use. */
static void remove_empty(const char *name)
{
    char path[BRP_NAMED_MOST + 3];
    struct stat object;
    snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDWR, 0);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &object) == 0 && object.st_size == 0)
        shm_unlink(path);
    close(fd);
}

static void remove_entry(const entry *what)
{
    struct stat object = {0};
    object.st_dev = (dev_t)what->device;
    object.st_ino = (ino_t)what->inode;
    if (what->kind == '?')
        remove_empty(what->name);
    else
        brp_name_remove(what->name, &object, what->kind == 'h');
}

/* ---- the guard ---- */

static void read_lines(FILE *lines, entry **first)
{
    char line[LINE_MOST];
    while (fgets(line, sizeof line, lines) != NULL) {
        entry what;
        line[strcspn(line, "\n")] = '\0';
        if (parse_entry(line, &what))
            (void)note_entry(first, &what);
    }
}

/* What ends a terminal or a session is not for it. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
}

void brp_guard_run(void)
{
    char *marker = NULL;
    brp_handle channel;
    entry *first = NULL;
    if (brp_marker_take(MARKER, &marker) != BROOD_OK || marker == NULL)
        return;
    ignore_signals();
    marker[strcspn(marker, ";")] = '\0';
    if (brp_handle_parse(marker, &channel) != BROOD_OK)
        _exit(1);
    FILE *lines = fdopen(brp_fd(channel), "r");
    if (chdir("/") != 0 || lines == NULL || send(brp_fd(channel), "!", 1, MSG_NOSIGNAL) != 1)
        _exit(1);
    read_lines(lines, &first);
    for (const entry *what = first; what != NULL; what = what->next)
        remove_entry(what);
    _exit(0);
}

/* ---- this process's side ---- */

static struct {
    pthread_mutex_t lock;
    pid_t pid; /* whose guard it is: not that of a forked child */
    int channel;
    brp_child guard;
    entry *entries;
    char *executable;
} ours = {.lock = PTHREAD_MUTEX_INITIALIZER, .channel = -1};

void brp_guard_set_executable(const char *path)
{
    size_t size = path == NULL ? 0 : strlen(path) + 1;
    char *copy = size == 0 ? NULL : bri_alloc(size);
    if (copy != NULL)
        memcpy(copy, path, size);
    pthread_mutex_lock(&ours.lock);
    bri_free(ours.executable);
    ours.executable = copy;
    pthread_mutex_unlock(&ours.lock);
}

void brp_guard_lock(void)
{
    pthread_mutex_lock(&ours.lock);
}

void brp_guard_unlock(void)
{
    pthread_mutex_unlock(&ours.lock);
}

/* A forked child has inherited the other one's: the channel is closed, so that it does not outlive
 * its owner here. */
static void disown(void)
{
    if (ours.pid == getpid())
        return;
    if (ours.channel >= 0) {
        close(ours.channel);
        brp_child_close(&ours.guard);
    }
    ours.channel = -1;
    while (ours.entries != NULL)
        drop_entry(&ours.entries, ours.entries);
    ours.pid = getpid();
}

static void end_guard(void)
{
    if (ours.channel < 0)
        return;
    close(ours.channel);
    ours.channel = -1;
    brp_child_wait(&ours.guard, bri_deadline_after(brp_clock_now(), START_MS));
    brp_child_close(&ours.guard);
}

static brood_status spawn_guard(int end)
{
    brp_handle handles[1] = {brp_handle_of(end)};
    const char *arguments[] = {"brood-guard", NULL};
    brp_spawn_options options = {
        .path = ours.executable,
        .arguments = arguments,
        .stdio = {{.kind = BRP_STDIO_NULL}, {.kind = BRP_STDIO_NULL}, {.kind = BRP_STDIO_NULL}},
        .handles = handles,
        .n_handles = 1,
        .marker = MARKER,
        .marker_suffix = "1"};
    brp_child_init(&ours.guard);
    return brp_spawn(&ours.guard, &options);
}

/* A program whose main() does not call brood_init would never answer. */
static brood_status await_guard(void)
{
    char answer;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), START_MS);
    brood_status status = brp_await_fd(ours.channel, POLLIN, deadline);
    if (status == BROOD_OK && recv(ours.channel, &answer, 1, 0) == 1)
        return BROOD_OK;
    brp_child_kill_tree(&ours.guard);
    return bri_fail(BROOD_ESTART, "could not start the guard of the names of shared memory: its "
                                  "main() does not call brood_init()");
}

static brood_status start_guard(void)
{
    int ends[2];
    if (ours.channel >= 0)
        return BROOD_OK;
    if (brp_make_socket_pair(ends) != 0)
        return brp_fail(errno, "could not make the channel of a guard");
    ours.channel = ends[0];
    brood_status status = spawn_guard(ends[1]);
    close(ends[1]);
    if (status == BROOD_OK) {
        status = await_guard();
    } else {
        close(ours.channel);
        ours.channel = -1;
    }
    if (status != BROOD_OK)
        end_guard();
    return status;
}

static bool send_entry(const entry *what)
{
    char line[LINE_MOST];
    int size = format_entry(what, line);
    return send(ours.channel, line, (size_t)size, MSG_NOSIGNAL) == size;
}

/* Somebody has killed the guard: another one has to know all. */
static brood_status replace_guard(void)
{
    end_guard();
    BROOD_TRY(start_guard());
    for (const entry *what = ours.entries; what != NULL; what = what->next)
        if (!send_entry(what))
            return brp_fail(errno, "could not tell a guard of a name");
    return BROOD_OK;
}

static brood_status tell(const entry *what)
{
    pthread_mutex_lock(&ours.lock);
    disown();
    brood_status status = BROOD_OK;
    if (what->kind != '-')
        status = start_guard();
    if (status == BROOD_OK)
        status = note_entry(&ours.entries, what);
    if (status == BROOD_OK && ours.channel >= 0 && !send_entry(what))
        status = replace_guard();
    if (ours.entries == NULL)
        end_guard();
    pthread_mutex_unlock(&ours.lock);
    return status;
}

/* NULL: one that is expected. */
static entry make_entry(char kind, const char *name, const struct stat *object)
{
    entry made = {.kind = kind};
    snprintf(made.name, sizeof made.name, "%s", name);
    made.device = object == NULL ? 0 : (uint64_t)object->st_dev;
    made.inode = object == NULL ? 0 : (uint64_t)object->st_ino;
    return made;
}

brood_status brp_guard_expect(const char *name)
{
    entry what = make_entry('?', name, NULL);
    return tell(&what);
}

void brp_guard_expect_no_more(const char *name)
{
    brp_guard_forget(name, NULL);
}

brood_status brp_guard_add(const char *name, brp_named_policy policy, const struct stat *object)
{
    entry what = make_entry(policy == BRP_NAMED_HOLDERS ? 'h' : 'o', name, object);
    return tell(&what);
}

void brp_guard_forget(const char *name, const struct stat *object)
{
    entry what = make_entry('-', name, object);
    (void)tell(&what);
}
