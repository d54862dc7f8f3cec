/* posix/cgroup.c - what the control groups of this process (Linux, v1 and v2) leave to it. */
#define _GNU_SOURCE
#include "posix/cgroup.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix/fd.h"

enum { TEXT_SIZE = 16384, PATH_SIZE = 1024 };

/* A directory of a control group, from the process's own up to the mount point. */
typedef struct group {
    char path[PATH_SIZE];
    size_t mount_length; /* of `path`: how far up it may be cut */
    bool v2;
} group;

/* Whether the comma-separated `list` has `word`. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The path of this process in the hierarchy of `controller` (v1), or in the unified one (NULL). */
static bool find_membership(const char *root, const char *controller, char path[PATH_SIZE])
{
    char text[TEXT_SIZE], name[PATH_SIZE];
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    if (brp_read_small_file(name, text, sizeof text) < 0)
        return false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':');
        char *own = controllers ? strchr(controllers + 1, ':') : NULL;
        if (own == NULL)
            continue;
        *own++ = '\0';
        controllers++;
        if (controller == NULL ? *controllers == '\0' : has_word(controllers, controller)) {
            snprintf(path, PATH_SIZE, "%s", own);
            return true;
        }
    }
    return false;
}

/* A line of mountinfo is: id parent device root mountpoint options [tags] - type source
 * superoptions. */
static bool match_mount(char *line, const char *controller, char **mount_root, char **mount_point)
{
    char *separator = strstr(line, " - ");
    char *fields[5];
    if (separator == NULL)
        return false;
    *separator = '\0';
    char *rest = NULL;
    for (int i = 0; i < 5; i++)
        if ((fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest)) == NULL)
            return false;
    char *type = strtok_r(separator + 3, " ", &rest);
    strtok_r(NULL, " ", &rest);
    char *options = strtok_r(NULL, " ", &rest);
    *mount_root = fields[3];
    *mount_point = fields[4];
    if (type == NULL || options == NULL)
        return false;
    if (controller == NULL)
        return strcmp(type, "cgroup2") == 0;
    return strcmp(type, "cgroup") == 0 && has_word(options, controller);
}

static bool find_group(const char *root, const char *controller, group *found)
{
    char own[PATH_SIZE], name[PATH_SIZE];
    if (!find_membership(root, controller, own))
        return false;
    snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
    FILE *mounts = fopen(name, "re");
    if (mounts == NULL)
        return false;
    char line[4096], *mount_root, *mount_point;
    bool ok = false;
    while (!ok && fgets(line, sizeof line, mounts) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (!match_mount(line, controller, &mount_root, &mount_point))
            continue;
        /* Inside a container the mount may show only the part below `mount_root`. */
        size_t skip = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
        const char *below = strncmp(own, mount_root, skip) == 0 ? own + skip : "";
        int length = snprintf(found->path, PATH_SIZE, "%s%s", root, mount_point);
        found->mount_length = (size_t)length;
        ok = length + (int)strlen(below) < PATH_SIZE;
        if (ok)
            memcpy(found->path + length, below, strlen(below) + 1);
    }
    fclose(mounts);
    found->v2 = controller == NULL;
    return ok;
}

/* Cuts the last part of the path; false at the mount point. */
static bool go_up(group *at)
{
    size_t length = strlen(at->path);
    while (length > at->mount_length && at->path[length - 1] != '/')
        length--;
    if (length <= at->mount_length)
        return false;
    at->path[length - 1] = '\0';
    return true;
}

static bool read_value(const group *at, const char *name, char *text, size_t size)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", at->path, name);
    return brp_read_small_file(path, text, size) > 0;
}

/* CPUs that this one group grants, rounded up; 0 without a limit. */
static int group_cpus(const group *at)
{
    char text[128];
    long long quota = -1, period = 0;
    if (at->v2) {
        if (!read_value(at, "cpu.max", text, sizeof text) ||
            sscanf(text, "%lld %lld", &quota, &period) != 2) /* "max" is no number */
            return 0;
    } else {
        if (!read_value(at, "cpu.cfs_quota_us", text, sizeof text))
            return 0;
        quota = atoll(text);
        if (!read_value(at, "cpu.cfs_period_us", text, sizeof text))
            return 0;
        period = atoll(text);
    }
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota - 1) / period + 1;
    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* The groups of this process in the unified hierarchy and in that of a v1 controller. */
typedef struct groups {
    group of[2];
    bool has[2];
} groups;

static void find_groups(const char *root, const char *controller, groups *found)
{
    found->has[0] = find_group(root, NULL, &found->of[0]);
    found->has[1] = find_group(root, controller, &found->of[1]);
}

int brp_cgroup_cpus(const char *root)
{
    int least = 0;
    groups own;
    find_groups(root, "cpu", &own);
    for (int i = 0; i < 2; i++) {
        while (own.has[i]) {
            int cpus = group_cpus(&own.of[i]);
            if (cpus > 0 && (least == 0 || cpus < least))
                least = cpus;
            own.has[i] = go_up(&own.of[i]);
        }
    }
    return least;
}

/* The number behind `key` at the start of a line; 0 when there is none. */
static uint64_t find_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0)
            return strtoull(line + length, NULL, 10);
    }
    return 0;
}

/* What this one group may still take; pages of files count as free, because the kernel drops them
 * first. */
static uint64_t group_memory(const group *at, uint64_t enough)
{
    char text[TEXT_SIZE];
    if (!read_value(at, at->v2 ? "memory.max" : "memory.limit_in_bytes", text, sizeof text) ||
        text[0] < '0' || text[0] > '9')
        return UINT64_MAX;
    uint64_t limit = strtoull(text, NULL, 10);
    if (limit >= INT64_MAX / 2 ||
        !read_value(at, at->v2 ? "memory.current" : "memory.usage_in_bytes", text, sizeof text))
        return UINT64_MAX;
    uint64_t used = strtoull(text, NULL, 10), files = 0;
    if (used <= limit && limit - used >= enough)
        return limit - used; /* the statistics take the kernel longest */
    if (read_value(at, "memory.stat", text, sizeof text)) {
        files = find_number(text, at->v2 ? "active_file " : "total_active_file ") +
                find_number(text, at->v2 ? "inactive_file " : "total_inactive_file ");
    }
    used = used > files ? used - files : 0;
    return limit > used ? limit - used : 0;
}

/* Where the groups are does not change in practice, and finding them takes ten times as long as
 * reading them. */
static groups memory_groups;
static pthread_once_t memory_groups_once = PTHREAD_ONCE_INIT;

static void find_memory_groups(void)
{
    find_groups("", "memory", &memory_groups);
}

uint64_t brp_memory_left(const char *root, uint64_t enough)
{
    char text[TEXT_SIZE], name[PATH_SIZE];
    uint64_t least = UINT64_MAX;
    snprintf(name, sizeof name, "%s/proc/meminfo", root);
    if (brp_read_small_file(name, text, sizeof text) > 0 && strstr(text, "MemAvailable:") != NULL)
        least = (find_number(text, "MemAvailable:") + find_number(text, "SwapFree:")) * 1024;
    groups own;
    if (root[0] == '\0') {
        pthread_once(&memory_groups_once, find_memory_groups);
        own = memory_groups;
    } else {
        find_groups(root, "memory", &own);
    }
    for (int i = 0; i < 2; i++) {
        while (own.has[i]) {
            uint64_t left = group_memory(&own.of[i], enough);
            least = left < least ? left : least;
            own.has[i] = go_up(&own.of[i]);
        }
    }
    return least;
}
