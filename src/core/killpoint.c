/* core/killpoint.c - see the header. */
#include "core/killpoint.h"

#ifdef BROOD_TESTING

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "platform/child.h"

static _Atomic(const char *) armed;
static atomic_int due, passed;
static _Atomic(bri_kill_watcher) watcher;

void bri_kill_arm(const char *name, int n)
{
    atomic_store(&armed, NULL);
    atomic_store(&passed, 0);
    atomic_store(&due, n);
    atomic_store(&armed, name);
}

void bri_kill_watch(bri_kill_watcher told)
{
    atomic_store(&watcher, told);
}

void bri_kill_point(const char *name)
{
    bri_kill_watcher told = atomic_load(&watcher);
    if (told != NULL)
        told(name);
    const char *wanted = atomic_load(&armed);
    if (wanted == NULL || strcmp(wanted, name) != 0)
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == atomic_load(&due))
        brp_kill_self();
}

#else
/* ISO C wants a declaration in every file. */
typedef int bri_no_kill_points;
#endif
