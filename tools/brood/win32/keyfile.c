/* keyfile.c - the same on Windows, where access control lists are not judged. */
#include <stdio.h>

#include "brood.h"

FILE *brood_tool_open_key(const char *path, const char **trouble)
{
    *trouble = NULL;
    return fopen(path, "rb");
}
