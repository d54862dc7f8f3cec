/*
 * expect.h - expectations of the tests of src/platform, and starting their helper programs.
 */
#ifndef PT_EXPECT_H
#define PT_EXPECT_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/ident.h"
#include "platform/waitmany.h"
#include "support.h"

#define pt_ok(call) pt_expect((call), BROOD_OK, #call, __FILE__, __LINE__)
#define pt_fails(call, status) pt_expect((call), (status), #call, __FILE__, __LINE__)
static inline void pt_expect(brood_status got, brood_status wanted, const char *call,
                             const char *file, int line)
{
    if (got == wanted)
        return;
    print_error("%s gave %s, not %s; the last error: %s\n", call, brood_status_name(got),
                brood_status_name(wanted), brood_last_error()->message);
    _fail(file, line);
}

#define pt_message_has(text) pt_expect_message((text), __FILE__, __LINE__)
static inline void pt_expect_message(const char *text, const char *file, int line)
{
    if (strstr(brood_last_error()->message, text) != NULL)
        return;
    print_error("the last error is \"%s\", without \"%s\"\n", brood_last_error()->message, text);
    _fail(file, line);
}

/* Ends the test here; CI counts the line that it prints. */
#define pt_skip_on(system, reason)                                                \
    do {                                                                          \
        printf("SKIPPED: %s: skipped on %s: %s\n", __func__, (system), (reason)); \
        fflush(stdout);                                                           \
        skip();                                                                   \
    } while (0)

/* The ledger: a test leaves no handle and no block behind. */
#define pt_test(function) cmocka_unit_test_setup_teardown(function, pt_open_ledger, pt_close_ledger)

static size_t pt_handles_before;
static long pt_blocks_before;

static inline int pt_open_ledger(void **state)
{
    (void)state;
    pt_handles_before = brp_handle_count();
    pt_blocks_before = bri_memory_blocks();
    return 0;
}

static inline int pt_close_ledger(void **state)
{
    (void)state;
    /* Helper threads of the platform may be on their way out. */
    bri_deadline limit = pt_in(3000);
    while ((brp_handle_count() > pt_handles_before || bri_memory_blocks() != pt_blocks_before) &&
           brp_clock_now() < limit) {
        brp_watch nothing = {.handle = BRP_NO_HANDLE, .kind = BRP_WATCH_STREAM};
        brp_wait_any(&nothing, 1, pt_in(5), NULL);
    }
    size_t handles = brp_handle_count();
    long blocks = bri_memory_blocks();
    if (handles <= pt_handles_before && blocks == pt_blocks_before)
        return 0;
    print_error("LEAK: handles %zu -> %zu, blocks %ld -> %ld\n", pt_handles_before, handles,
                pt_blocks_before, blocks);
    return -1;
}

/* The path of a helper program. From two buffers in turn. */
static inline const char *pt_prog(const char *name)
{
    static char paths[2][1024];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/prog_%s%s", BROOD_TEST_BINDIR, name, PT_EXE);
    return paths[turn];
}

/* A helper program that runs. */
typedef struct pt_process {
    brp_child child;
    brp_handle report; /* our end of its first handle */
} pt_process;

/* Starts a helper in a role. `more` are handles that it gets behind its report; `options` may name
 * anything else, or be NULL. */
static inline void pt_start_with(pt_process *process, const char *prog, const char *role,
                                 const brp_handle *more, size_t n_more,
                                 const brp_spawn_options *options)
{
    enum { MOST = 128 };
    brp_handle ends[2], handles[MOST];
    const char *plain[] = {prog, NULL};
    assert_true(n_more < MOST);
    pt_ok(brp_stream_pair(ends));
    handles[0] = ends[1];
    if (n_more > 0)
        memcpy(handles + 1, more, n_more * sizeof *more);
    brp_spawn_options all = options != NULL ? *options : (brp_spawn_options){0};
    if (all.path == NULL)
        all.path = pt_prog(prog);
    if (all.arguments == NULL)
        all.arguments = plain;
    if (all.stdio[0].kind == BRP_STDIO_INHERIT)
        all.stdio[0].kind = BRP_STDIO_NULL;
    all.handles = handles;
    all.n_handles = n_more + 1;
    all.marker = PT_MARKER;
    all.marker_suffix = role;
    brood_status status = brp_spawn(&process->child, &all);
    brp_handle_close(&ends[1]);
    if (status != BROOD_OK)
        brp_handle_close(&ends[0]);
    pt_ok(status);
    process->report = ends[0];
    pt_ok(brp_child_let_go(&process->child));
}

static inline void pt_start(pt_process *process, const char *prog, const char *role,
                            const brp_handle *more, size_t n_more)
{
    pt_start_with(process, prog, role, more, n_more, NULL);
}

/* Starts a helper with arguments behind argv[0]. */
static inline void pt_start_arguments(pt_process *process, const char *prog, const char *role,
                                      const char *const *arguments)
{
    enum { MOST = 64 };
    const char *all[MOST] = {prog};
    for (size_t i = 0; arguments[i] != NULL && i + 2 < MOST; i++)
        all[i + 1] = arguments[i];
    pt_start_with(process, prog, role, NULL, 0, &(brp_spawn_options){.arguments = all});
}

/* Waits for its end, closes it, gives its exit code. */
static inline int pt_join(pt_process *process)
{
    brood_status status = brp_child_wait(&process->child, pt_hang());
    if (status != BROOD_OK)
        brp_child_kill_tree(&process->child);
    pt_ok(status);
    brp_handle_close(&process->report);
    brp_child_close(&process->child);
    return process->child.code;
}

/* Ends it, whatever it does. */
static inline void pt_kill(pt_process *process)
{
    pt_ok(brp_child_kill_tree(&process->child));
    pt_join(process);
}

/* Reads its report to the end, and expects that it ends well. To be freed with bri_free. */
static inline char *pt_report(pt_process *process)
{
    char *text = pt_read_all(process->report, NULL);
    int code = pt_join(process);
    assert_non_null(text);
    if (code != 0)
        print_error("the helper ended with %d after: %s\n", code, text);
    assert_int_equal(code, 0);
    return text;
}

/* Takes the next text of a report of tell_text; NULL at its end. */
static inline char *pt_next_text(char **at)
{
    char *text = *at;
    if (*text == '\0')
        return NULL;
    char digits[11];
    memcpy(digits, text, 10);
    digits[10] = '\0';
    size_t length = strtoul(digits, NULL, 10);
    memmove(text, text + 10, length);
    *at = text + 10 + length;
    text[length] = '\0';
    return text;
}

#endif /* PT_EXPECT_H */
