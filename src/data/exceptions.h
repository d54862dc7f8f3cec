/*
 * data/exceptions.h - which names in pickles are exceptions, and what Python 2 called things.
 */
#ifndef BRI_EXCEPTIONS_H
#define BRI_EXCEPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether calling this global makes an exception: those of builtins, the few of the standard
 * library with other names, and whatever is called ...Error, ...Exception or ...Warning. A wrong
 * guess does no harm: an error is written back as the same call. */
bool bri_is_exception(const char *module, const char *name);

/* Whether the name is OSError or one of its builtin kinds. */
bool bri_is_system_error(const char *name);

/* Replaces names of Python 2, which protocols 0 to 2 use, by today's. */
void bri_modernise(const char **module, const char **name);

#endif /* BRI_EXCEPTIONS_H */
