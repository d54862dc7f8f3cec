/*
 * win32/named.c - named sections, which end with their last handle, and files for persistent ones.
 *
 * Beside a section that goes with its owner there is a small one, the marker, which says who that
 * is: when he is dead, or the name was unlinked, nobody can open it any more, although the memory
 * lives as long as others have it. Every holder has the marker open too.
 */
#include "platform/named.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "platform/ident.h"
#include "win32/security.h"
#include "win32/utf16.h"
#include "win32/win32.h"

enum { PATH_ROOM = MAX_PATH + 80 };

typedef struct marker {
    volatile LONG unlinked;
    LONG policy;
    int64_t owner; /* 0: none */
    uint64_t started;
    uint64_t size;
} marker;

static brood_status check_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t size = name == NULL ? 0 : strlen(name);
    if (size == 0 || size > BRP_NAMED_MOST || name[0] == '.' || strspn(name, allowed) != size)
        return bri_fail(
            BROOD_EINVALID,
            "could not use \"%s\" as a name of shared memory: it takes 1 to %d letters, "
            "digits, \"_\", \".\" and \"-\"",
            name == NULL ? "" : name, BRP_NAMED_MOST);
    return BROOD_OK;
}

static brood_status fail_missing(const char *name, const char *verb)
{
    return bri_fail(BROOD_ENOTFOUND, "could not %s shared memory \"%s\": there is none", verb,
                    name);
}

/* Names are ASCII. */
static void object_name(const char *name, const wchar_t *suffix, wchar_t out[PATH_ROOM])
{
    swprintf(out, PATH_ROOM, L"Local\\%hs%ls", name, suffix);
}

/* Where persistent ones are; made when `name` is NULL. */
static bool file_path(const char *name, wchar_t out[PATH_ROOM])
{
    wchar_t folder[MAX_PATH + 2];
    DWORD n = GetTempPathW(MAX_PATH + 1, folder);
    if (n == 0 || n > MAX_PATH)
        return false;
    swprintf(out, PATH_ROOM, L"%lsbrood-shm", folder);
    if (name == NULL)
        return CreateDirectoryW(out, NULL) || GetLastError() == ERROR_ALREADY_EXISTS;
    swprintf(out, PATH_ROOM, L"%lsbrood-shm\\%hs", folder, name);
    return true;
}

static void fill(brp_named *named, const char *name, brp_named_policy policy)
{
    *named = (brp_named){.policy = policy, .marker = BRP_NO_HANDLE};
    named->section.handle = BRP_NO_HANDLE;
    snprintf(named->name, sizeof named->name, "%s", name);
}

static brood_status map(brp_named *named, HANDLE section, uint64_t size)
{
    void *base = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
    if (base == NULL) {
        long code = bri_w32_error();
        CloseHandle(section);
        return brp_fail(code, "could not map %" PRIu64 " bytes of shared memory \"%s\"", size,
                        named->name);
    }
    named->section =
        (brp_section){.handle = bri_w32_value(section), .base = base, .reserved = size};
    return BROOD_OK;
}

static brood_status fail_create(const char *name, uint64_t size, DWORD code)
{
    if (code == ERROR_ALREADY_EXISTS || code == ERROR_FILE_EXISTS)
        return bri_fail(BROOD_EEXIST, "could not create shared memory \"%s\": it exists", name);
    if (code == ERROR_COMMITMENT_LIMIT || code == ERROR_DISK_FULL ||
        code == ERROR_NOT_ENOUGH_MEMORY)
        return bri_fail(BROOD_ENOMEM,
                        "could not back %" PRIu64 " bytes of shared memory \"%s\": the system has "
                        "no room",
                        size, name);
    return brp_fail((long)code, "could not create shared memory \"%s\" of %" PRIu64 " bytes", name,
                    size);
}

/* NULL with the error set, ERROR_ALREADY_EXISTS among them. */
static HANDLE make_section(HANDLE file, const wchar_t *name, uint64_t size)
{
    SECURITY_ATTRIBUTES *own = bri_w32_own_user_only();
    if (own == NULL)
        return NULL;
    HANDLE made =
        CreateFileMappingW(file, own, PAGE_READWRITE, (DWORD)(size >> 32), (DWORD)size, name);
    if (made != NULL && GetLastError() == ERROR_ALREADY_EXISTS) {
        CloseHandle(made);
        SetLastError(ERROR_ALREADY_EXISTS);
        return NULL;
    }
    return made;
}

static brood_status create_marker(brp_named *named, uint64_t size)
{
    wchar_t wide[PATH_ROOM];
    object_name(named->name, L".brood-marker", wide);
    HANDLE made = make_section(INVALID_HANDLE_VALUE, wide, sizeof(marker));
    if (made == NULL)
        return fail_create(named->name, size, GetLastError());
    marker *shown = MapViewOfFile(made, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(marker));
    if (shown == NULL) {
        brood_status status = fail_create(named->name, size, GetLastError());
        CloseHandle(made);
        return status;
    }
    shown->policy = (LONG)named->policy;
    shown->size = size;
    shown->owner = named->policy == BRP_NAMED_OWNER ? brp_pid() : 0;
    shown->started = brp_start_time(brp_pid());
    UnmapViewOfFile(shown);
    named->marker = bri_w32_value(made);
    return BROOD_OK;
}

static brood_status create_held(brp_named *named, uint64_t size)
{
    wchar_t wide[PATH_ROOM];
    BROOD_TRY(create_marker(named, size));
    object_name(named->name, L"", wide);
    HANDLE section = make_section(INVALID_HANDLE_VALUE, wide, size);
    if (section == NULL)
        return fail_create(named->name, size, GetLastError());
    return map(named, section, size);
}

/* Files that were renamed because somebody still had them mapped when they were unlinked. */
static void remove_unlinked(void)
{
    wchar_t folder[PATH_ROOM], path[PATH_ROOM];
    WIN32_FIND_DATAW found;
    if (!file_path(NULL, folder))
        return;
    swprintf(path, PATH_ROOM, L"%ls\\*.gone", folder);
    HANDLE all = FindFirstFileW(path, &found);
    for (BOOL more = all != INVALID_HANDLE_VALUE; more; more = FindNextFileW(all, &found)) {
        if (swprintf(path, PATH_ROOM, L"%ls\\%ls", folder, found.cFileName) > 0)
            DeleteFileW(path);
    }
    if (all != INVALID_HANDLE_VALUE)
        FindClose(all);
}

static brood_status create_file(brp_named *named, uint64_t size)
{
    wchar_t path[PATH_ROOM];
    if (!file_path(NULL, path) || !file_path(named->name, path))
        return brp_fail(bri_w32_error(), "could not find the folder for shared memory \"%s\"",
                        named->name);
    SECURITY_ATTRIBUTES *own = bri_w32_own_user_only();
    if (own == NULL)
        return brood_last_error()->status;
    remove_unlinked();
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, own,
                              CREATE_NEW, FILE_ATTRIBUTE_TEMPORARY, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return fail_create(named->name, size, GetLastError());
    HANDLE section = make_section(file, NULL, size);
    DWORD code = GetLastError();
    CloseHandle(file);
    if (section == NULL) {
        DeleteFileW(path);
        return fail_create(named->name, size, code);
    }
    brood_status status = map(named, section, size);
    if (status != BROOD_OK)
        DeleteFileW(path);
    return status;
}

/* Whether a section of that name is there, which a persistent one must not hide. */
static bool section_exists(const char *name)
{
    wchar_t wide[PATH_ROOM];
    object_name(name, L"", wide);
    HANDLE there = OpenFileMappingW(FILE_MAP_READ, FALSE, wide);
    if (there != NULL)
        CloseHandle(there);
    return there != NULL;
}

static bool file_exists(const char *name)
{
    wchar_t path[PATH_ROOM];
    return file_path(name, path) && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

brood_status brp_named_create(brp_named *named, const char *name, uint64_t size,
                              brp_named_policy policy)
{
    brp_named made;
    BROOD_TRY(check_name(name));
    if (size == 0 || size > INT64_MAX)
        return bri_fail(BROOD_EINVALID,
                        "could not create shared memory \"%s\" of %" PRIu64 " bytes", name, size);
    fill(&made, name, policy);
    if (policy == BRP_NAMED_PERSISTENT ? section_exists(name) : file_exists(name))
        return fail_create(name, size, ERROR_ALREADY_EXISTS);
    brood_status status =
        policy == BRP_NAMED_PERSISTENT ? create_file(&made, size) : create_held(&made, size);
    if (status != BROOD_OK) {
        if (brp_handle_is_set(made.marker))
            brp_handle_close(&made.marker);
        return status;
    }
    made.made_by = brp_pid();
    *named = made;
    return BROOD_OK;
}

/* ---- opening ---- */

/* Whether the marker still lets anybody in. Without one it is a foreign section. */
static bool look_at_marker(brp_named *named, uint64_t *size)
{
    wchar_t wide[PATH_ROOM];
    object_name(named->name, L".brood-marker", wide);
    HANDLE there = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide);
    if (there == NULL)
        return true;
    const marker *shown = MapViewOfFile(there, FILE_MAP_READ, 0, 0, sizeof(marker));
    bool is_open = shown != NULL && !shown->unlinked &&
                   (shown->owner == 0 || brp_is_alive(shown->owner, shown->started));
    if (is_open) {
        *size = shown->size;
        named->policy = (brp_named_policy)shown->policy;
    }
    if (shown != NULL)
        UnmapViewOfFile((void *)(uintptr_t)shown);
    named->marker = bri_w32_value(there);
    return is_open;
}

static brood_status open_held(brp_named *named)
{
    wchar_t wide[PATH_ROOM];
    uint64_t size = 0;
    MEMORY_BASIC_INFORMATION info;
    object_name(named->name, L"", wide);
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide);
    if (section == NULL)
        return fail_missing(named->name, "open");
    if (!look_at_marker(named, &size)) {
        CloseHandle(section);
        return fail_missing(named->name, "open");
    }
    BROOD_TRY(map(named, section, size));
    if (size == 0 && VirtualQuery(named->section.base, &info, sizeof info) != 0)
        named->section.reserved = info.RegionSize;
    return BROOD_OK;
}

static brood_status open_file(brp_named *named)
{
    wchar_t path[PATH_ROOM];
    LARGE_INTEGER size;
    HANDLE section = NULL;
    HANDLE file = INVALID_HANDLE_VALUE;
    if (file_path(named->name, path))
        file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE,
                           FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return fail_missing(named->name, "open");
    bool has_size = GetFileSizeEx(file, &size) && size.QuadPart > 0;
    if (has_size)
        section = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    CloseHandle(file);
    if (section == NULL)
        return fail_missing(named->name, "open");
    return map(named, section, (uint64_t)size.QuadPart);
}

brood_status brp_named_open(brp_named *named, const char *name)
{
    brp_named made;
    BROOD_TRY(check_name(name));
    fill(&made, name, BRP_NAMED_PERSISTENT);
    brood_status status = file_exists(name) ? open_file(&made) : open_held(&made);
    if (status != BROOD_OK) {
        if (brp_handle_is_set(made.marker))
            brp_handle_close(&made.marker);
        return status;
    }
    *named = made;
    return BROOD_OK;
}

/* ---- ending ---- */

/* A file that somebody has mapped cannot be deleted, but it can be renamed: then nobody finds it.
 */
static brood_status unlink_file(const char *name)
{
    wchar_t path[PATH_ROOM], aside[PATH_ROOM + 40];
    uint64_t token = 0;
    if (!file_path(name, path))
        return fail_missing(name, "unlink");
    (void)brp_random(&token, sizeof token);
    swprintf(aside, PATH_ROOM + 40, L"%ls.%016llx.gone", path, (unsigned long long)token);
    if (!MoveFileExW(path, aside, 0))
        return brp_fail(bri_w32_error(), "could not unlink shared memory \"%s\"", name);
    DeleteFileW(aside); /* else with the next one that is made (remove_unlinked) */
    return BROOD_OK;
}

brood_status brp_named_unlink(const char *name)
{
    wchar_t wide[PATH_ROOM];
    BROOD_TRY(check_name(name));
    if (file_exists(name))
        return unlink_file(name);
    object_name(name, L".brood-marker", wide);
    HANDLE there = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, wide);
    if (there == NULL)
        return fail_missing(name, "unlink");
    marker *shown = MapViewOfFile(there, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(marker));
    bool was_open = shown != NULL && InterlockedExchange(&shown->unlinked, 1) == 0 &&
                    (shown->owner == 0 || brp_is_alive(shown->owner, shown->started));
    if (shown != NULL)
        UnmapViewOfFile(shown);
    CloseHandle(there);
    return was_open ? BROOD_OK : fail_missing(name, "unlink");
}

void brp_named_leave(brp_named *named)
{
    if (named->section.base != NULL && named->policy == BRP_NAMED_OWNER &&
        named->made_by == brp_pid())
        (void)brp_named_unlink(named->name);
    named->made_by = 0;
}

void brp_named_close(brp_named *named)
{
    if (named->section.base == NULL)
        return;
    brp_named_leave(named);
    brp_section_close(&named->section);
    if (brp_handle_is_set(named->marker))
        brp_handle_close(&named->marker);
    *named = (brp_named){.marker = BRP_NO_HANDLE};
    named->section.handle = BRP_NO_HANDLE;
}

void brp_named_after_fork(brp_named *named)
{
    (void)named;
}
