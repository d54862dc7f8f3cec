/* posix/valgrind.c - see the header. */
#define _GNU_SOURCE
#include "posix/valgrind.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/fd.h"

enum { MOST_SECTIONS = 16 }; /* others only cost time */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static brp_section sections[MOST_SECTIONS]; /* base is NULL where there is none */
static bool any;

/* Valgrind preloads its libraries. */
static bool is_here(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* Puts `to` where `from` is. */
static void replace(const unsigned char *from, brp_section to)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST_SECTIONS; i++) {
        if (sections[i].base != from)
            continue;
        sections[i] = to;
        break;
    }
    pthread_mutex_unlock(&lock);
}

void brp_valgrind_add(const brp_section *section)
{
    if (!is_here())
        return;
    replace(NULL, *section);
    any = true;
}

void brp_valgrind_remove(const brp_section *section)
{
    if (is_here())
        replace(section->base, (brp_section){.handle = BRP_NO_HANDLE});
}

/* Without the lock: the program ends, and in a forked child another thread may have held it. */
__attribute__((destructor)) void brp_valgrind_before_end(void)
{
    for (int i = 0; any && i < MOST_SECTIONS; i++) {
        struct stat file;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        if (sections[i].base == NULL || fstat(brp_fd(sections[i].handle), &file) != 0)
            continue;
        uint64_t backed = ((uint64_t)file.st_size + page - 1) / page * page;
        if (backed < sections[i].reserved)
            mprotect(sections[i].base + backed, (size_t)(sections[i].reserved - backed), PROT_NONE);
    }
}
