/* prog_channel.c - roles that take handles over their report stream, and modules by their text. */
#define _GNU_SOURCE
#include "role.h"

#include "platform/module.h"
#include "platform/pass.h"

#ifndef _WIN32
#include <sched.h>
#include <sys/resource.h>
#endif

/* Receives as many handles as its argument says, and writes into each which it is. */
static int receive(pt_call *call)
{
    brp_handle handles[BRP_PASS_MAX];
    size_t n = strtoul(call->argv[1], NULL, 10);
    pt_must(brp_pass_receive(call->handles[0], handles, n, pt_hang()));
    for (size_t i = 0; i < n; i++) {
        char text[32];
        pt_check(!brp_handle_is_inheritable(handles[i]));
        snprintf(text, sizeof text, "I am %zu", i);
        pt_must(pt_say(handles[i], text));
    }
    return 0;
}

/* Makes a channel, gives one end to its parent, and says a word into the other after that was
 * confirmed. */
static int give(pt_call *call)
{
    brp_handle ends[2];
    pt_must(brp_stream_pair(ends));
    pt_must(brp_pass_send(call->handles[0], brp_parent_pid(), &ends[0], 1, pt_hang()));
    brp_handle_close(&ends[0]);
    pt_check(pt_await_byte(call->handles[0], PT_HANG_MS));
    pt_must(pt_say(ends[1], "from the child"));
    return 0;
}

/* Dies with handles on their way to its parent that nobody takes; or takes none of what is on its
 * way. */
static int give_and_die(pt_call *call)
{
    brp_handle ends[2];
    pt_must(brp_stream_pair(ends));
    pt_must(brp_pass_send(call->handles[0], brp_parent_pid(), ends, 2, pt_hang()));
    pt_must(pt_say(call->handles[0], "r"));
    brp_kill_self();
    return 98;
}

/* ---- functions ---- */

static int add_one(int value)
{
    return value + 1;
}

int (*volatile keep_function)(int) = add_one;

static void parse_id(const char *text, unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    for (size_t i = 0; i < BRP_BUILD_ID_SIZE; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        build_id[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
}

/* Calls the function with 41. Arguments: path of a module, offset, build id. Its value is the exit
 * code. */
static int call_function(pt_call *call)
{
    unsigned char build_id[BRP_BUILD_ID_SIZE];
    void *address;
    int (*function)(int);
    parse_id(call->argv[3], build_id);
    pt_must(
        brp_module_address(call->argv[1], strtoull(call->argv[2], NULL, 10), build_id, &address));
    memcpy(&function, &address, sizeof function);
    return function(41);
}

/* Tells offset and build id of its own function. */
static int tell_function(pt_call *call)
{
    brp_module module;
    void *address;
    int (*function)(int) = keep_function;
    char text[128];
    memcpy(&address, &function, sizeof address);
    pt_must(brp_module_of_address(address, &module));
    pt_check(module.path[0] == '\0');
    size_t at = (size_t)snprintf(text, sizeof text, "%" PRIu64 " ", module.offset);
    for (size_t i = 0; i < BRP_BUILD_ID_SIZE; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%02x", module.build_id[i]);
    bri_free(module.path);
    pt_must(pt_say(call->handles[0], text));
    return 0;
}

/* ---- what this process may use ---- */

static int count_cpus(pt_call *call)
{
#if defined(__linux__)
    cpu_set_t one;
    size_t last = 0;
    pt_check(sched_getaffinity(0, sizeof one, &one) == 0);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &one))
            last = i;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    pt_check(sched_setaffinity(0, sizeof one, &one) == 0);
#elif defined(_WIN32)
    pt_check(SetProcessAffinityMask(GetCurrentProcess(), 1));
#endif
    (void)call;
    return brp_usable_cpus();
}

int main(int argc, char **argv)
{
    static const pt_role roles[] = {
        {"receive", receive},
        {"give", give},
        {"give_and_die", give_and_die},
        {"call", call_function},
        {"tell", tell_function},
        {"cpus", count_cpus},
        {NULL, NULL},
    };
    return pt_main(argc, argv, roles);
}
