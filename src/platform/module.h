/*
 * platform/module.h - an address as module + offset + build id, and back; the own executable.
 *
 * ELF: dl_iterate_phdr and the GNU build-id note (without one: a hash of the loaded headers, size
 * and time stamp of the file). PE: time stamp, image size and checksum of the header, and the
 * CodeView GUID where there is one.
 */
#ifndef BRP_MODULE_H
#define BRP_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/error.h"

enum { BRP_BUILD_ID_SIZE = 32 };

typedef struct brp_module {
    char *path;      /* UTF-8, absolute; "" for the executable itself; to be freed with bri_free */
    uint64_t offset; /* of the address from the module's start */
    uint64_t size;   /* of the loaded image */
    unsigned char build_id[BRP_BUILD_ID_SIZE]; /* shorter ids are padded with zeros */
} brp_module;

/* Which module an address of code belongs to. BROOD_ENOTFOUND for none (generated code, data of the
 * heap). */
brood_status brp_module_of_address(const void *address, brp_module *module);

/* The address for path and offset. A module that is not loaded is opened ("" is the executable).
 * BROOD_ENOTFOUND when it cannot be opened, BROOD_EVERSION when the build id differs, BROOD_ERANGE
 * when the offset is outside of its code. The module stays loaded. */
brood_status brp_module_address(const char *path, uint64_t offset,
                                const unsigned char build_id[BRP_BUILD_ID_SIZE], void **address);

/* The build id of the executable of this process. */
brood_status brp_module_own_build_id(unsigned char build_id[BRP_BUILD_ID_SIZE]);

/* The build id of an executable file on disk, to compare before it is started. */
brood_status brp_module_file_build_id(const char *path, unsigned char build_id[BRP_BUILD_ID_SIZE]);

/* The path of this executable (may be gone by now), to be freed with bri_free. */
brood_status brp_module_own_path(char **path);

#endif /* BRP_MODULE_H */
