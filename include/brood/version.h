/*
 * brood/version.h - the library's version; CMake reads it from here.
 */
#ifndef BROOD_VERSION_H
#define BROOD_VERSION_H

#include <brood/api.h>

#define BROOD_VERSION_MAJOR 0
#define BROOD_VERSION_MINOR 1
#define BROOD_VERSION_PATCH 0
#define BROOD_VERSION "0.1.0"

BROOD_BEGIN_DECLS

/*
 * The version of the library that runs, "0.1.0": may differ from BROOD_VERSION when a shared
 * library was replaced.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe. Works before brood_init.
 * Python:  sys.version.
 */
BROOD_API const char *brood_version(void);

BROOD_END_DECLS

#endif /* BROOD_VERSION_H */
