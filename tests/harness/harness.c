/* harness.c - see the header. */
#include "harness.h"

#include <apr_env.h>
#include <apr_general.h>

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "platform/child.h"
#include "platform/clock.h"
#include "platform/handle.h"
#include "platform/ident.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "proc/children.h"

#ifdef _WIN32
#define EXECUTABLE_SUFFIX ".exe"
#define MODULE_SUFFIX ".dll"
#else
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#define EXECUTABLE_SUFFIX ""
#define MODULE_SUFFIX ".so"
#endif

enum { SETTLE_MS = 3000, HANG_MS = 20000 };

/* mingw-w64's runtime makes an event the first time that two threads meet at one of its own locks,
 * and keeps it. It has a lock for threads, two for keys, and one for emulated thread-local
 * variables: so many handles may come in a program's life that are none of ours. */
#ifdef __MINGW32__
enum { RUNTIME_HANDLES = 4 };
#else
enum { RUNTIME_HANDLES = 0 };
#endif

/* On Windows the system's own thread pool comes and goes, so only our threads are counted. */
typedef struct counts {
    size_t children;
    size_t handles;
    int threads;
    long blocks;
    size_t names;
} counts;

static counts before;
static size_t runtime_handles; /* seen so far */
static brood_start_method method = BROOD_START_SPAWN;
static brood_process *load;

/* ---- the ledger ---- */

#ifndef _WIN32
/* Whoever has named memory open has it locked: so a name without a lock is nobody's any more. */
static bool is_held(const struct stat *object)
{
    char line[256];
    bool held = false;
    FILE *locks = fopen("/proc/locks", "r");
    if (locks == NULL)
        return false;
    while (!held && fgets(line, sizeof line, locks) != NULL) {
        unsigned major_number, minor_number;
        unsigned long long inode;
        held = sscanf(line, "%*s FLOCK %*s %*s %*s %x:%x:%llu", &major_number, &minor_number,
                      &inode) == 3 &&
               inode == object->st_ino && major_number == major(object->st_dev) &&
               minor_number == minor(object->st_dev);
    }
    fclose(locks);
    return held;
}
#endif

/* What is left of ours in the system's directory of shared memory. Tests that run beside this one
 * have names there too, but hold them. */
static size_t count_shared_names(void)
{
    size_t n = 0;
#ifndef _WIN32
    DIR *directory = opendir("/dev/shm");
    if (directory == NULL)
        return 0;
    struct stat object;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        n += strncmp(entry->d_name, "brood", 5) == 0 &&
             fstatat(dirfd(directory), entry->d_name, &object, 0) == 0 && !is_held(&object);
    closedir(directory);
#endif
    return n;
}

static counts count_all(void)
{
    return (counts){.children = bri_children_held(),
                    .handles = brp_handle_count(),
                    .threads = bt_is_windows() ? bri_thread_count() : brp_thread_count(),
                    .blocks = bri_memory_blocks(),
                    .names = count_shared_names()};
}

/* Less than before is no leak: what a test before had left to the system's threads may have been on
 * its way then. */
static bool is_settled(void *context)
{
    counts now = count_all();
    (void)context;
    return now.children == before.children && now.handles <= before.handles &&
           now.threads <= before.threads && now.blocks <= before.blocks &&
           now.names <= before.names;
}

/* The supervisor has done what the end of the last child gives it to do. */
static bool is_quiet(void *context)
{
    (void)context;
    return bri_children_held() == bri_children_count();
}

int bt_ledger_open(void **state)
{
    (void)state;
    bt_await(is_quiet, NULL, SETTLE_MS);
    before = count_all();
    return 0;
}

/* What a failed test has left would be joined at exit, for ever. */
static void end_children(void)
{
    brood_process *children[64];
    size_t n = 0;
    if (brood_active_children(children, 64, &n) != BROOD_OK)
        return;
    for (size_t i = 0; i < n && i < 64; i++)
        brood_process_kill(children[i]);
    for (size_t i = 0; i < n && i < 64; i++)
        brood_process_join(children[i], HANG_MS);
}

int bt_ledger_close(void **state)
{
    (void)state;
    bt_load_stop();
    bri_kill_arm(NULL, 0);
    if (bt_await(is_settled, NULL, SETTLE_MS))
        return 0;
    size_t allowed = RUNTIME_HANDLES - runtime_handles;
    counts now = count_all();
    if (now.handles > before.handles && now.handles - before.handles <= allowed) {
        runtime_handles += now.handles - before.handles;
        before.handles = now.handles;
        if (is_settled(NULL))
            return 0;
    }
    fprintf(stderr,
            "LEAK: children %zu -> %zu, handles %zu -> %zu, threads %d -> %d, blocks %ld -> %ld, "
            "shared memory names %zu -> %zu\n",
            before.children, now.children, before.handles, now.handles, before.threads, now.threads,
            before.blocks, now.blocks, before.names, now.names);
    end_children();
    return -1;
}

/* ---- running ---- */

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static bool is_only_ours(void *context)
{
    brood_process *process = context;
    bri_children_lock();
    bool only_ours = process->references == 1;
    bri_children_unlock();
    return only_ours;
}

/* The supervisor lets go of a process a moment after its end, which no ledger shall see. */
static brood_status start_and_join(void)
{
    brood_process *process;
    BROOD_TRY(brood_process_create(&process, do_nothing, (brood_value){0}, NULL));
    brood_status status = brood_process_start(process);
    if (status == BROOD_OK)
        status = brood_process_join(process, HANG_MS);
    (void)bt_await(is_only_ours, process, SETTLE_MS);
    brood_process_destroy(process);
    return status;
}

/* The helper thread of brood_wait, which a wait does not start whose time is over already: on a
 * busy machine that is soon. */
static brood_status wait_until_helped(brood_wait_item *items, size_t n)
{
    brood_status status = BROOD_ETIMEDOUT;
    for (int i = 0; i < 1000 && status == BROOD_ETIMEDOUT; i++) {
        status = brood_wait(items, n, 1);
        if (bri_the_runtime.watchers != NULL)
            break;
    }
    return status;
}

static brood_status wait_for_both(void)
{
    brood_connection *a, *b;
    brood_event *event;
    BROOD_TRY(brood_pipe(&a, &b, true));
    brood_status status = brood_event_create(&event);
    if (status == BROOD_OK) {
        brood_wait_item items[] = {{.connection = a}, {.event = event}};
        status = wait_until_helped(items, 2);
        brood_event_destroy(event);
    }
    brood_connection_close(a);
    brood_connection_close(b);
    return status == BROOD_ETIMEDOUT ? BROOD_OK : status;
}

/* The parts that the library makes on first use are made now, so that no test pays for them in its
 * ledger. */
static brood_status warm_up(void)
{
    BROOD_TRY(start_and_join());
    BROOD_TRY(bri_children_supervise());
    brood_lock *lock; /* the table of shared objects */
    BROOD_TRY(brood_lock_create(&lock));
    brood_lock_destroy(lock);
    BROOD_TRY(wait_for_both());
    return start_and_join();
}

static brood_status choose_method(void)
{
    const char *name = getenv("BROOD_TEST_START_METHOD");
    if (name != NULL)
        BROOD_TRY(brood_start_method_parse(name, &method));
    return brood_set_start_method(method);
}

int bt_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    brood_status status = brood_init(&argc, &argv);
    if (status == BROOD_OK)
        status = choose_method();
    if (status == BROOD_OK)
        status = warm_up();
    if (status != BROOD_OK) {
        fprintf(stderr, "could not start the tests: %s: %s\n", brood_status_name(status),
                brood_last_error()->message);
        return 1;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const char *name = argc > 0 ? argv[0] : "tests";
    for (const char *at = name; *at != '\0'; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

void bt_skip_test(const char *test, const char *reason)
{
    printf("SKIPPED: %s: %s\n", test, reason);
    fflush(stdout);
    skip();
}

bool bt_method_is(brood_start_method other)
{
    return method == other;
}

/* ---- expectations ---- */

void bt_expect_status(brood_status got, brood_status wanted, const char *call, const char *file,
                      int line)
{
    if (got == wanted)
        return;
    print_error("%s gave %s, not %s; the last error: %s\n", call, brood_status_name(got),
                brood_status_name(wanted), brood_last_error()->message);
    _fail(file, line);
}

void bt_expect_message(const char *text, const char *file, int line)
{
    if (strstr(brood_last_error()->message, text) != NULL)
        return;
    print_error("the last error is \"%s\", without \"%s\"\n", brood_last_error()->message, text);
    _fail(file, line);
}

/* ---- processes ---- */

brood_process *bt_process(brood_function function, brood_value arguments)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, function, arguments, NULL));
    bt_ok(brood_process_start(process));
    return process;
}

int bt_join(brood_process *process)
{
    int code;
    bt_ok(brood_process_join(process, HANG_MS));
    bt_ok(brood_process_exitcode(process, &code));
    brood_process_destroy(process);
    return code;
}

static brood_status spin_for_ever(brood_call *call)
{
    volatile uint64_t turns = 0;
    (void)call;
    for (;;)
        turns = turns + 1;
    return BROOD_OK;
}

void bt_load_start(void)
{
    brood_process_options options = {.daemon = BROOD_DAEMON_YES, .method = BROOD_START_SPAWN};
    bt_ok(brood_process_create(&load, spin_for_ever, (brood_value){0}, &options));
    bt_ok(brood_process_start(load));
}

void bt_load_stop(void)
{
    if (load == NULL)
        return;
    brood_process_kill(load);
    brood_process_join(load, HANG_MS);
    brood_process_destroy(load);
    load = NULL;
}

static void read_to_end(brp_handle stream, char *output, size_t room)
{
    size_t length = 0, got;
    char rest[256];
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), HANG_MS);
    for (;;) {
        bool fits = length + 1 < room;
        brood_status status =
            brp_stream_read(stream, fits ? output + length : rest,
                            fits ? room - 1 - length : sizeof rest, &got, deadline);
        if (status != BROOD_OK) {
            bt_expect_status(status, BROOD_EEOF, "reading a program's output", __FILE__, __LINE__);
            break;
        }
        if (fits)
            length += got;
    }
    output[length] = '\0';
}

int bt_run_prog(const char *prog, const char *const *arguments, char *output, size_t room)
{
    const char *argv[16] = {prog};
    for (size_t i = 0; i < 14 && arguments[i] != NULL; i++)
        argv[i + 1] = arguments[i];
    brp_child child;
    brp_handle ours, theirs;
    brp_child_init(&child);
    bt_ok(brp_pipe_pair(&ours, &theirs, true));
    brp_spawn_options options = {.path = prog,
                                 .arguments = argv,
                                 .stdio = {{.kind = BRP_STDIO_NULL},
                                           {.kind = BRP_STDIO_HANDLE, .handle = theirs},
                                           {.kind = BRP_STDIO_INHERIT}}};
    brood_status status = brp_spawn(&child, &options);
    brp_handle_close(&theirs);
    bt_ok(status);
    bt_ok(brp_child_let_go(&child));
    read_to_end(ours, output, room);
    status = brp_child_wait(&child, bri_deadline_after(brp_clock_now(), HANG_MS));
    brp_child_kill_tree(&child);
    int code = child.code;
    brp_child_close(&child);
    brp_handle_close(&ours);
    bt_ok(status);
    return code;
}

void bt_setenv(const char *name, const char *value)
{
    apr_pool_t *pool;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&pool, NULL), APR_SUCCESS);
    if (value == NULL)
        apr_env_delete(name, pool);
    else
        assert_int_equal(apr_env_set(name, value, pool), APR_SUCCESS);
    apr_pool_destroy(pool);
}

bool bt_await(bool (*done)(void *context), void *context, brood_ms limit)
{
    brood_ms end = brood_now() + limit;
    while (!done(context)) {
        if (brood_now() >= end)
            return false;
        brood_sleep(2);
    }
    return true;
}

static bool is_dead(void *context)
{
    return !brp_is_alive(*(int64_t *)context, 0);
}

bool bt_is_gone(int64_t pid, brood_ms limit)
{
    return bt_await(is_dead, &pid, limit);
}

void bt_kill_at(const char *point, int n)
{
    bri_kill_arm(point, n);
}

/* ---- places ---- */

static const char *file_in_bindir(const char *name, const char *suffix)
{
    static char paths[4][1024];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s%s", BROOD_TEST_BINDIR, name, suffix);
    return path;
}

const char *bt_prog(const char *name)
{
    return file_in_bindir(name, EXECUTABLE_SUFFIX);
}

const char *bt_module(const char *name)
{
    return file_in_bindir(name, MODULE_SUFFIX);
}

bool bt_is_windows(void)
{
#ifdef _WIN32
    return true;
#else
    return false;
#endif
}

bool bt_has_address_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

bool bt_has_thread_sanitizer(void)
{
#if defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}
