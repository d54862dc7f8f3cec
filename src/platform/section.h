/*
 * platform/section.h - anonymous shared memory inside a reserved range of addresses, backed step by
 * step.
 *
 * POSIX: memfd, else shm_open and shm_unlink at once. Windows: SEC_RESERVE section. APR's anonymous
 * apr_shm cannot be handed to a re-executed child.
 */
#ifndef BRP_SECTION_H
#define BRP_SECTION_H

#include <stdint.h>

#include "platform/handle.h"

typedef struct brp_section {
    brp_handle handle; /* for passing to another process; owned */
    unsigned char *base;
    uint64_t reserved; /* bytes of address range; a multiple of the page size */
} brp_section;

/* Makes a section with nothing committed. When `reserve` bytes of addresses do not fit, half is
 * tried, down to `least`; then fails with sizes in the message. BROOD_EINVALID when `reserve` is 0
 * or below `least`. */
brood_status brp_section_create(brp_section *section, uint64_t reserve, uint64_t least);

/* Maps a section made by another process. `handle` is moved in, also on failure. `reserved` as its
 * maker has it. */
brood_status brp_section_open(brp_section *section, brp_handle handle, uint64_t reserved);

/* Backs the range with memory, in all processes at once; contents are zero when new. Any process
 * may call it, several at once for the same range too, and a kill half-way harms nothing.
 * BROOD_ENOMEM with sizes when the system has no room: memory that was committed never faults
 * later. On Linux a commit of 1 MiB or more also fails when the machine or a control group of this
 * process has less than that free, so that it ends in an error and not with the kernel killing a
 * process; smaller ones are not worth that look. */
brood_status brp_section_commit(brp_section *section, uint64_t offset, uint64_t size);

/* Gives the memory of whole pages in the range back where the system can; the range has to be
 * committed again before use. */
void brp_section_discard(brp_section *section, uint64_t offset, uint64_t size);

/* Unmaps and closes; accepts a zeroed struct. The memory is freed with the last process. */
void brp_section_close(brp_section *section);

#endif /* BRP_SECTION_H */
