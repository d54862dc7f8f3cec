/* win32/guard.c - there is nothing to guard: the system frees what a process has. */
#include "platform/guard.h"

void brp_guard_run(void)
{
}

void brp_guard_set_executable(const char *path)
{
    (void)path;
}
