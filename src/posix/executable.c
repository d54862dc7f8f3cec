/* posix/executable.c - the file that the program headers of this program are mapped from. */
#define _GNU_SOURCE
#include "posix/executable.h"

#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_SIZE = 4096 + 256 };

static const char link_to_it[] = "/proc/self/exe";

static char loaded_from[LINE_SIZE];
static const char *own; /* written once */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The first entry is the executable: the address where its first segment is. */
static int take_first(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t *address = context;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            *address = (uintptr_t)info->dlpi_addr + (uintptr_t)info->dlpi_phdr[i].p_vaddr;
            break;
        }
    }
    return 1;
}

/* The path in a line of /proc/self/maps (range mode offset device inode path) if the address is in
 * its range; NULL if not. */
static char *path_of_line(char *line, uintptr_t address)
{
    uintptr_t begin, end;
    int path = -1;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &begin, &end, &path) != 2 ||
        path < 0 || address < begin || address >= end)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return line + path;
}

static bool find_loaded_file(void)
{
    uintptr_t address = 0;
    char line[LINE_SIZE], *path = NULL;
    dl_iterate_phdr(take_first, &address);
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return false;
    while (path == NULL && fgets(line, sizeof line, maps) != NULL)
        path = path_of_line(line, address);
    fclose(maps);
    if (path == NULL || path[0] != '/')
        return false;
    memcpy(loaded_from, path, strlen(path) + 1);
    return true;
}

static void find_executable(void)
{
    struct stat linked, loaded;
    if (stat(link_to_it, &linked) != 0)
        own = find_loaded_file() ? loaded_from : NULL;
    /* The path of a deleted file ends in " (deleted)", so that it cannot be found. */
    else if (find_loaded_file() && stat(loaded_from, &loaded) == 0 &&
             (loaded.st_dev != linked.st_dev || loaded.st_ino != linked.st_ino))
        own = loaded_from;
    else
        own = link_to_it;
}

const char *brp_own_executable(void)
{
    pthread_once(&once, find_executable);
    return own;
}
