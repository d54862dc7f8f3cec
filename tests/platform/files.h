/*
 * files.h - files and directories of any name for the tests of src/platform, in UTF-8 on both
 * systems.
 */
#ifndef PT_FILES_H
#define PT_FILES_H

#include "expect.h"

#ifdef _WIN32
#include <wchar.h>
#include <windows.h>
#define PT_SLASH "\\"
enum { PT_DEEP = 400 }; /* beyond MAX_PATH */
#else
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#define PT_SLASH "/"
enum { PT_DEEP = PATH_MAX - 1 };
#endif

/* Room for the longest path. */
enum { PT_PATH = 8192 };

static inline char *pt_join_path(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = bri_alloc(size);
    snprintf(path, size, "%s/%s", directory, name);
    return path;
}

#ifdef _WIN32
/* Absolute paths in the form that has no limit of length. From four buffers in turn. */
static inline const wchar_t *pt_wide(const char *path)
{
    static wchar_t buffers[4][PT_PATH];
    static int turn;
    wchar_t *wide = buffers[turn++ % 4];
    wcscpy(wide, path[1] == ':' ? L"\\\\?\\" : L"");
    size_t prefix = wcslen(wide);
    MultiByteToWideChar(CP_UTF8, 0, path, -1, wide + prefix, (int)(PT_PATH - prefix));
    for (wchar_t *at = wide; *at != L'\0'; at++)
        if (*at == L'/')
            *at = L'\\';
    return wide;
}

static inline void pt_make_plain_directory(const char *path)
{
    if (CreateDirectoryW(pt_wide(path), NULL))
        return;
    print_error("could not make directory \"%s\": %lu\n", path, GetLastError());
    fail();
}

static inline void pt_copy_program(const char *from, const char *to)
{
    assert_true(CopyFileW(pt_wide(from), pt_wide(to), FALSE));
}

static inline void pt_remove(const char *path)
{
    const wchar_t *wide = pt_wide(path);
    DWORD attributes = GetFileAttributesW(wide);
    assert_true((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? RemoveDirectoryW(wide)
                                                             : DeleteFileW(wide));
}

/* Calls `visit` with the path of each entry, and frees that. */
static inline void pt_each_entry(const char *directory, void (*visit)(const char *path))
{
    WIN32_FIND_DATAW found;
    char *pattern = pt_join_path(directory, "*");
    HANDLE search = FindFirstFileW(pt_wide(pattern), &found);
    bri_free(pattern);
    if (search == INVALID_HANDLE_VALUE)
        return;
    do {
        char name[1024];
        WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            char *path = pt_join_path(directory, name);
            visit(path);
            bri_free(path);
        }
    } while (FindNextFileW(search, &found));
    FindClose(search);
}

static inline bool pt_is_directory(const char *path)
{
    return (GetFileAttributesW(pt_wide(path)) & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/* Makes it this process's directory; the former one, to be freed. */
static inline char *pt_enter_directory(const char *path)
{
    static wchar_t wide[PT_PATH], target[PT_PATH];
    char former[PT_PATH];
    assert_true(GetCurrentDirectoryW(PT_PATH, wide) > 0);
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, former, sizeof former, NULL, NULL);
    MultiByteToWideChar(CP_UTF8, 0, path, -1, target, PT_PATH);
    assert_true(SetCurrentDirectoryW(target));
    return bri_strdup(former);
}

static inline bool pt_same_path(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a == '/' ? '\\' : *a) != (*b == '/' ? '\\' : *b))
            return false;
    return (*a == '\0' || a[1] == '\0') && *b == '\0';
}

static inline FILE *pt_open_file(const char *path, const char *mode)
{
    wchar_t wide_mode[8];
    MultiByteToWideChar(CP_UTF8, 0, mode, -1, wide_mode, 8);
    return _wfopen(pt_wide(path), wide_mode);
}
#else
static inline void pt_make_plain_directory(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static inline FILE *pt_open_file(const char *path, const char *mode)
{
    return fopen(path, mode);
}

static inline void pt_copy_program(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    char buffer[65536];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0)
        assert_int_equal(fwrite(buffer, 1, got, out), got);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0700), 0);
}

static inline void pt_remove(const char *path)
{
    assert_int_equal(remove(path), 0);
}

/* Calls `visit` with the path of each entry, and frees that. */
static inline void pt_each_entry(const char *directory, void (*visit)(const char *path))
{
    DIR *open = opendir(directory);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = pt_join_path(directory, entry->d_name);
        visit(path);
        bri_free(path);
    }
    closedir(open);
}

static inline bool pt_is_directory(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

/* Makes it this process's directory; the former one, to be freed. */
static inline char *pt_enter_directory(const char *path)
{
    static char former[PT_PATH];
    assert_non_null(getcwd(former, sizeof former));
    assert_int_equal(chdir(path), 0);
    return bri_strdup(former);
}

static inline bool pt_same_path(const char *a, const char *b)
{
    char *paths[2] = {realpath(a, NULL), realpath(b, NULL)};
    bool same = paths[0] != NULL && paths[1] != NULL && strcmp(paths[0], paths[1]) == 0;
    free(paths[0]);
    free(paths[1]);
    return same;
}
#endif

static inline void pt_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = pt_open_file(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The whole of a file, to be freed. */
static inline unsigned char *pt_read_file(const char *path, size_t *size)
{
    FILE *file = pt_open_file(path, "rb");
    assert_non_null(file);
    size_t room = 1 << 16;
    unsigned char *data = bri_alloc(room);
    *size = 0;
    for (size_t got; (got = fread(data + *size, 1, room - *size, file)) > 0;) {
        *size += got;
        if (*size == room)
            data = bri_realloc(data, room *= 2);
    }
    fclose(file);
    return data;
}

/* Removes a directory with all that is in it. */
static inline void pt_remove_tree(const char *path)
{
    if (pt_is_directory(path))
        pt_each_entry(path, pt_remove_tree);
    pt_remove(path);
}

/* A new directory of this process below that of the test programs, to be freed. */
static inline char *pt_make_directory(const char *name)
{
    char path[PT_PATH];
    snprintf(path, sizeof path, "%s/tmp-%" PRId64 "-%s", BROOD_TEST_BINDIR, brp_pid(), name);
    pt_make_plain_directory(path);
    return bri_strdup(path);
}

/* Makes a chain of directories, so deep that a file of 9 bytes in the last one has a path of
 * PT_DEEP bytes with its NUL. */
static inline char *pt_make_deep_directory(const char *directory)
{
    char path[PT_PATH], name[256];
    snprintf(path, sizeof path, "%s", directory);
    for (;;) {
        size_t length = strlen(path), left = PT_DEEP - 1 - 10 - length;
        if (left < 2)
            return bri_strdup(path);
        size_t part = left > 220 ? 200 : left - 1;
        memset(name, 'd', part);
        name[part] = '\0';
        snprintf(path + length, sizeof path - length, "/%s", name);
        pt_make_plain_directory(path);
    }
}

#endif /* PT_FILES_H */
