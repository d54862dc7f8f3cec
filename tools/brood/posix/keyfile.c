/* keyfile.c - whether a key's file is private, as ssh judges its keys; with the rights of POSIX. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <sys/stat.h>
#include <unistd.h>

#include "brood.h"

FILE *brood_tool_open_key(const char *path, const char **trouble)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    *trouble = NULL;
    if (file == NULL)
        return NULL;
    if (fstat(fileno(file), &about) != 0)
        *trouble = "could not look at the key's file";
    else if (S_ISDIR(about.st_mode))
        *trouble = "the key's file is a directory";
    else if (S_ISREG(about.st_mode) &&
             (about.st_mode & (about.st_uid == geteuid() ? 077 : 07)) != 0)
        *trouble = "others can read or change the key's file: chmod 600 it";
    if (*trouble == NULL)
        return file;
    fclose(file);
    return NULL;
}
