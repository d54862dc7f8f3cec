/* Named memory where there is little room for it: an error that gives sizes, never a signal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#include "platform/ident.h"
#include "platform/named.h"

enum { NOT_ALLOWED = 77 };

/* Runs it in a child of fork, which a signal ends too. */
static int run_apart(int (*run)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool says(brood_status status, brood_status wanted, const char *text)
{
    if (status == wanted && strstr(brood_last_error()->message, text) != NULL)
        return true;
    fprintf(stderr, "%s, not %s: %s\n", brood_status_name(status), brood_status_name(wanted),
            brood_last_error()->message);
    return false;
}

/* /dev/shm of 1 MiB. */
static int fill_small_shm(void)
{
    brp_named first, second;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", "/dev/shm", "tmpfs", 0, "size=1m") != 0)
        return NOT_ALLOWED;
    if (!says(brp_named_create(&first, "small-a", 2 << 20, BRP_NAMED_PERSISTENT), BROOD_ENOMEM,
              "there are free 1048576 bytes"))
        return 1;
    if (brp_named_create(&first, "small-a", 700000, BRP_NAMED_PERSISTENT) != BROOD_OK)
        return 2;
    memset(first.section.base, 1, 700000);
    if (!says(brp_named_create(&second, "small-b", 700000, BRP_NAMED_PERSISTENT), BROOD_ENOMEM,
              "700000 bytes"))
        return 3;
    if (brp_named_open(&second, "small-b") != BROOD_ENOTFOUND)
        return 4;
    return brp_named_unlink("small-a") == BROOD_OK ? 0 : 5;
}

static void test_a_small_file_system_is_an_error(void **state)
{
    (void)state;
    int code = run_apart(fill_small_shm);
    if (code == NOT_ALLOWED)
        bt_skip("this user may not mount anything");
    assert_int_equal(code, 0);
}

/* One that Python has made has no memory before it is used. */
static int open_without_memory(void)
{
    brp_named named;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", "/dev/shm", "tmpfs", 0, "size=1m") != 0)
        return NOT_ALLOWED;
    FILE *file = fopen("/dev/shm/hollow", "w");
    if (file == NULL || ftruncate(fileno(file), 4 << 20) != 0)
        return 1;
    fclose(file);
    return says(brp_named_open(&named, "hollow"), BROOD_ENOMEM, "4194304 bytes") ? 0 : 2;
}

static void test_memory_that_is_not_there_is_not_opened(void **state)
{
    (void)state;
    int code = run_apart(open_without_memory);
    if (code == NOT_ALLOWED)
        bt_skip("this user may not mount anything");
    assert_int_equal(code, 0);
}

static int create_beyond_limit(void)
{
    const struct rlimit limit = {1 << 20, 1 << 20};
    brp_named named;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (!says(brp_named_create(&named, "bt-limited", 2 << 20, BRP_NAMED_PERSISTENT), BROOD_ENOMEM,
              "the limit of file sizes is 1048576 bytes"))
        return 2;
    return brp_named_open(&named, "bt-limited") == BROOD_ENOTFOUND ? 0 : 3;
}

static void test_the_limit_of_file_sizes_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run_apart(create_beyond_limit), 0);
}

/* A persistent name that somebody was killed over is no name. */
static void test_an_empty_name_counts_as_none(void **state)
{
    (void)state;
    brp_named named;
    FILE *file = fopen("/dev/shm/bt-empty", "w");
    if (file == NULL)
        bt_skip("names of shared memory are no files here");
    fclose(file);
    bt_fails(brp_named_open(&named, "bt-empty"), BROOD_ENOTFOUND);
    bt_ok(brp_named_create(&named, "bt-empty", 10, BRP_NAMED_PERSISTENT));
    brp_named_close(&named);
    bt_ok(brp_named_unlink("bt-empty"));
}

/* This process's only child; 0 where the system does not tell. */
static int64_t find_child(void)
{
    char path[64];
    long pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file != NULL)
        fclose(file);
    return pid;
}

static void test_a_guard_that_is_killed_is_replaced(void **state)
{
    (void)state;
    brp_named one, two;
    bt_ok(brp_named_create(&one, "bt-guard-1", 10, BRP_NAMED_OWNER));
    int64_t guard = find_child();
    if (guard != 0 && kill((pid_t)guard, SIGKILL) == 0)
        assert_true(bt_is_gone(guard, 5000));
    bt_ok(brp_named_create(&two, "bt-guard-2", 10, BRP_NAMED_OWNER));
    if (guard != 0)
        assert_true(brp_is_alive(find_child(), 0)); /* which the one before is not */
    brp_named_close(&two);
    brp_named_close(&one);
    assert_int_equal(find_child(), 0);
    bt_fails(brp_named_open(&one, "bt-guard-1"), BROOD_ENOTFOUND);
}

static brp_named held; /* by this process, when it forks */

static int leave_as_child(void)
{
    brp_named_after_fork(&held);
    brp_named_close(&held);
    return 0;
}

static int leave_as_child_without_room(void)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0)
        return 1;
    return leave_as_child();
}

/* It cannot take the lock, so somebody has it. */
static bool is_locked(const char *path)
{
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return locked;
}

static void test_a_forked_child_does_not_give_back_its_parents_hold(void **state)
{
    (void)state;
    const brp_named_policy policies[] = {BRP_NAMED_OWNER, BRP_NAMED_HOLDERS, BRP_NAMED_PERSISTENT};
    for (size_t i = 0; i < 3; i++) {
        bt_ok(brp_named_create(&held, "bt-forked", 10, policies[i]));
        assert_int_equal(run_apart(leave_as_child), 0);
        assert_true(is_locked("/dev/shm/bt-forked"));
        assert_int_equal(run_apart(leave_as_child_without_room), 0);
        assert_true(is_locked("/dev/shm/bt-forked"));
        brp_named_close(&held);
        brood_status status = brp_named_unlink("bt-forked");
        assert_int_equal(status, policies[i] == BRP_NAMED_PERSISTENT ? BROOD_OK : BROOD_ENOTFOUND);
    }
}

/* ---- signals ---- */

enum { SIGNALS = 50 };

typedef struct opener {
    brp_named named;
    brood_status status;
} opener;

static void *open_named(void *context)
{
    opener *self = context;
    self->status = brp_named_open(&self->named, "signalled");
    return NULL;
}

static void ignore(int signal)
{
    (void)signal;
}

/* Somebody has it alone for a moment, and the handler does not restart what it interrupts. */
static void test_opening_outlasts_signals(void **state)
{
    (void)state;
    opener self = {.status = BROOD_OK};
    struct sigaction action = {.sa_handler = ignore}, former;
    pthread_t thread;
    bt_ok(brp_named_create(&self.named, "signalled", 100, BRP_NAMED_PERSISTENT));
    brp_named_close(&self.named);
    int fd = shm_open("/signalled", O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, &former), 0);
    assert_int_equal(pthread_create(&thread, NULL, open_named, &self), 0);
    for (int i = 0; i < SIGNALS; i++) {
        pthread_kill(thread, SIGUSR1);
        brood_sleep(1);
    }
    flock(fd, LOCK_UN);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &former, NULL);
    close(fd);
    bt_ok(brp_named_unlink("signalled"));
    bt_ok(self.status);
    brp_named_close(&self.named);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_small_file_system_is_an_error),
                   bt_test(test_memory_that_is_not_there_is_not_opened),
                   bt_test(test_the_limit_of_file_sizes_is_an_error),
                   bt_test(test_an_empty_name_counts_as_none),
                   bt_test(test_a_guard_that_is_killed_is_replaced),
                   bt_test(test_a_forked_child_does_not_give_back_its_parents_hold),
                   bt_test(test_opening_outlasts_signals));
}
