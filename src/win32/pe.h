/*
 * win32/pe.h - what identifies a PE image, read from memory or from a file, whatever bytes are
 * there.
 */
#ifndef BRI_W32_PE_H
#define BRI_W32_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/module.h"

/* Where an image's bytes come from. Both give false when a byte of the range is not there. */
typedef struct bri_w32_pe_source {
    bool (*read)(void *context, uint64_t offset, void *bytes, size_t size);
    void *context;
    bool is_mapped; /* sections are at their addresses; else where the file has them */
} bri_w32_pe_source;

typedef struct bri_w32_pe {
    uint32_t image_size;
    unsigned char build_id[BRP_BUILD_ID_SIZE];
} bri_w32_pe;

/*
 * The build id is time stamp, image size and checksum, the machine, and 16 bytes more: the GUID and
 * age of the debug information where the linker has written one, else a hash of the headers. It is
 * the same for the file and for the loaded image. BROOD_EFORMAT for what is no PE image; `shown`
 * names it.
 */
brood_status bri_w32_pe_read(const bri_w32_pe_source *source, const char *shown, bri_w32_pe *pe);

/* Whether the offset from the image's start is in a section with code. */
bool bri_w32_pe_is_code(const bri_w32_pe_source *source, uint64_t offset);

#endif /* BRI_W32_PE_H */
