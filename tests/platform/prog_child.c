/* prog_child.c - roles of children that tell what they were given, or end in a certain way. */
#define _GNU_SOURCE
#include "role.h"

#include <signal.h>

#include "platform/parent.h"
#include "platform/signal.h"

#ifdef _WIN32
int _CRT_glob = 0; /* arguments are not patterns */
#else
#include <sys/resource.h>
#include <sys/wait.h>
#endif

/* ---- telling ---- */

/* A text of any content: its length in ten digits, then its bytes. */
static void tell_text(void *context, const char *text)
{
    const brp_handle *report = context;
    char length[32];
    snprintf(length, sizeof length, "%010zu", strlen(text));
    pt_must(pt_say(*report, length));
    pt_must(pt_say(*report, text));
}

static int tell_arguments(pt_call *call)
{
    for (int i = 1; i < call->argc; i++)
        tell_text(&call->handles[0], call->argv[i]);
    return 0;
}

static int tell_environment(pt_call *call)
{
    pt_each_variable(tell_text, &call->handles[0]);
    return 0;
}

static int tell_directory(pt_call *call)
{
    pt_must(pt_say(call->handles[0], pt_directory()));
    return 0;
}

/* How many handles it had at its start, how many it was told, and which of those are inheritable
 * still; then stays until the other end says so. */
static int tell_handles(pt_call *call)
{
    char text[64];
    int inheritable = 0;
    for (size_t i = 0; i < call->n_handles; i++)
        inheritable += brp_handle_is_inheritable(call->handles[i]);
    snprintf(text, sizeof text, "%zu %zu %d\n", call->handles_at_start, call->n_handles,
             inheritable);
    pt_must(pt_say(call->handles[0], text));
    pt_await_byte(call->handles[0], PT_HANG_MS);
    return 0;
}

/* Writes into each handle behind the report which it is. */
static int sign_handles(pt_call *call)
{
    for (size_t i = 1; i < call->n_handles; i++) {
        char text[32];
        snprintf(text, sizeof text, "I am %zu", i);
        pt_must(pt_say(call->handles[i], text));
    }
    return 0;
}

/* Copies its standard input to its standard output, with stdio, as a foreign program does. */
static int copy_stdio(pt_call *call)
{
    char buffer[65536];
    size_t got;
    (void)call;
    while ((got = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        if (fwrite(buffer, 1, got, stdout) != got)
            return 1;
    return fflush(stdout) == 0 ? 0 : 1;
}

/* Says a word on its standard output and another on its standard error. */
static int talk(pt_call *call)
{
    (void)call;
    fputs("out", stdout);
    fflush(stdout);
    fputs("err", stderr);
    fflush(stderr);
    return 0;
}

static int say_pid(pt_call *call)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %" PRIu64 " %" PRId64, brp_pid(),
             brp_parent_pid(), brp_start_time(brp_pid()), brp_clock_now());
    pt_must(pt_say(call->handles[0], text));
    return 0;
}

/* ---- ending ---- */

static int exit_with(pt_call *call)
{
    return atoi(call->argv[1]);
}

static void must_not_run(void)
{
    fputs("an atexit handler ran\n", stderr);
    brp_exit_now(99);
}

static int exit_now(pt_call *call)
{
    atexit(must_not_run);
    brp_exit_now(atoi(call->argv[1]));
    return 98;
}

static void no_core_dump(void)
{
#ifdef _WIN32
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
#else
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#endif
}

static int crash(pt_call *call)
{
    (void)call;
    no_core_dump();
    signal(SIGSEGV, SIG_DFL); /* a sanitizer has its own */
    volatile int *volatile nowhere = (volatile int *)(intptr_t)64;
    *nowhere = 1;
    return 98;
}

static int abort_itself(pt_call *call)
{
    (void)call;
    no_core_dump();
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int kill_itself(pt_call *call)
{
    (void)call;
    brp_kill_self();
    return 98;
}

/* Says that it runs, and stays until the other end closes or says something. */
static int sit(pt_call *call)
{
    pt_must(pt_say(call->handles[0], "r"));
    /* Until the starter says so or ends: a busy machine takes its time to start many of these. */
    pt_await_byte(call->handles[0], PT_HANG_MS * 10);
    return 0;
}

/* The same for as long as it may last, whatever the other end does: only a kill ends it. */
static int stay(pt_call *call)
{
    brp_handle ends[2];
    pt_must(brp_stream_pair(ends));
    pt_must(pt_say(call->handles[0], "r"));
    pt_await_byte(ends[0], PT_HANG_MS * 2);
    return 97;
}

/* Says so, waits for a word, then starts itself from its own file, and gives its exit code. */
static int start_itself(pt_call *call)
{
    pt_must(pt_say(call->handles[0], "r"));
    pt_check(pt_await_byte(call->handles[0], PT_HANG_MS));
    const char *arguments[] = {"again", "23", NULL};
    brp_child child;
    pt_must(brp_spawn(&child, &(brp_spawn_options){.arguments = arguments,
                                                   .marker = PT_MARKER,
                                                   .marker_suffix = "exit"}));
    pt_must(brp_child_let_go(&child));
    pt_must(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    return child.code;
}

/* ---- trees ---- */

/* Handles: the report, and `alive`, a writing end that every member of a tree holds. */

/* Starts this program in a role with the report and `alive`, under a lifeline when `kept` is not
 * NULL. */
static void start_member(pt_call *call, brp_child *child, brp_handle *kept, const char *role)
{
    brp_handle handles[3] = {call->handles[0], call->handles[1], BRP_NO_HANDLE};
    if (kept != NULL)
        pt_must(brp_lifeline_create(kept, &handles[2]));
    const char *arguments[] = {"member", NULL};
    pt_must(
        brp_spawn(child, &(brp_spawn_options){.arguments = arguments,
                                              .handles = handles,
                                              .n_handles = brp_handle_is_set(handles[2]) ? 3 : 2,
                                              .marker = PT_MARKER,
                                              .marker_suffix = role}));
    pt_must(brp_child_let_go(child));
    brp_handle_close(&handles[2]);
}

static void hold_lifeline(pt_call *call)
{
    if (call->n_handles > 2)
        pt_must(brp_lifeline_hold(call->handles[2]));
}

static int stay_for_ever(pt_call *call)
{
    stay(call);
    return 97;
}

/* The leaf of a tree. */
static int leaf(pt_call *call)
{
    hold_lifeline(call);
    return stay_for_ever(call);
}

/* A leaf that ignores what it can. */
static int stubborn_leaf(pt_call *call)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    return leaf(call);
}

/* In the middle: under a lifeline, with a leaf under a lifeline of its own. */
static int middle(pt_call *call)
{
    brp_child child;
    brp_handle kept;
    hold_lifeline(call);
    start_member(call, &child, &kept, "stubborn_leaf");
    return stay_for_ever(call);
}

/* The root: with two middles. */
static int root(pt_call *call)
{
    brp_child children[2];
    brp_handle kept[2];
    for (int i = 0; i < 2; i++)
        start_member(call, &children[i], &kept[i], "middle");
    return stay_for_ever(call);
}

/* A root that ends in an orderly way as soon as the other end says so, without caring for its
 * child. */
static int careless_root(pt_call *call)
{
    brp_child child;
    brp_handle kept;
    start_member(call, &child, &kept, "leaf");
    pt_await_byte(call->handles[0], PT_HANG_MS);
    return 0;
}

/* A root that starts its child in its own group too (POSIX: a plain fork; Windows: its job), under
 * a lifeline above it. */
static int with_plain_child(pt_call *call)
{
    hold_lifeline(call);
#ifdef _WIN32
    brp_child child;
    start_member(call, &child, NULL, "leaf");
#else
    pid_t pid = fork();
    pt_check(pid >= 0);
    if (pid == 0)
        return stay_for_ever(call);
#endif
    return stay_for_ever(call);
}

static int root_of_plain(pt_call *call)
{
    brp_child child;
    brp_handle kept;
    start_member(call, &child, &kept, "with_plain_child");
    return stay_for_ever(call);
}

/* Starts a child of its own group that stays, and ends: it leaves something behind. */
static int leave_behind(pt_call *call)
{
#ifdef _WIN32
    brp_child child;
    start_member(call, &child, NULL, "leaf");
    /* its own job ends it with this process; so it has to be there when this one is killed */
    stay_for_ever(call);
#else
    pid_t pid = fork();
    pt_check(pid >= 0);
    if (pid == 0)
        return stay_for_ever(call);
#endif
    return 0;
}

/* Holds a lifeline whose parent's end was closed long ago. */
static int late_for_lifeline(pt_call *call)
{
    pt_check(pt_await_byte(call->handles[0], PT_HANG_MS));
    pt_must(brp_lifeline_hold(call->handles[1]));
    return stay_for_ever(call);
}

/* A child that stops itself under its lifeline. */
static int stopped_leaf(pt_call *call)
{
    hold_lifeline(call);
#ifndef _WIN32
    pt_must(pt_say(call->handles[0], "r"));
    raise(SIGSTOP);
#endif
    return 97;
}

static int root_of_stopped(pt_call *call)
{
    brp_child child;
    brp_handle kept;
    start_member(call, &child, &kept, "stopped_leaf");
#ifndef _WIN32
    int status;
    pt_check(waitpid((pid_t)child.pid, &status, WUNTRACED) == child.pid && WIFSTOPPED(status));
#endif
    pt_must(pt_say(call->handles[0], "s"));
    return stay_for_ever(call);
}

/* ---- signals ---- */

/* Which of the usual signals are not at their default here, and whether any is blocked. */
static int tell_signals(pt_call *call)
{
#ifndef _WIN32
    char text[256] = "";
    sigset_t mask;
    pt_check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        char one[32] = "";
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            snprintf(one, sizeof one, "ignored %d ", number);
        else if (sigismember(&mask, number) == 1)
            snprintf(one, sizeof one, "blocked %d ", number);
        strncat(text, one, sizeof text - strlen(text) - 1);
    }
    pt_must(pt_say(call->handles[0], text));
#else
    (void)call;
#endif
    return 0;
}

int main(int argc, char **argv)
{
    static const pt_role roles[] = {
        {"arguments", tell_arguments},
        {"environment", tell_environment},
        {"directory", tell_directory},
        {"handles", tell_handles},
        {"sign", sign_handles},
        {"copy", copy_stdio},
        {"talk", talk},
        {"pid", say_pid},
        {"exit", exit_with},
        {"exit_now", exit_now},
        {"crash", crash},
        {"abort", abort_itself},
        {"kill_itself", kill_itself},
        {"sit", sit},
        {"stay", stay},
        {"start_itself", start_itself},
        {"leaf", leaf},
        {"stubborn_leaf", stubborn_leaf},
        {"middle", middle},
        {"root", root},
        {"careless_root", careless_root},
        {"with_plain_child", with_plain_child},
        {"root_of_plain", root_of_plain},
        {"leave_behind", leave_behind},
        {"late", late_for_lifeline},
        {"stopped_leaf", stopped_leaf},
        {"root_of_stopped", root_of_stopped},
        {"signals", tell_signals},
        {NULL, NULL},
    };
    return pt_main(argc, argv, roles);
}
