/*
 * platform/handle.h - a file descriptor or a HANDLE as a value.
 *
 * APR hides the system's handle behind pools; brood has to list, pass and count them.
 */
#ifndef BRP_HANDLE_H
#define BRP_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/error.h"

typedef struct brp_handle {
    intptr_t value; /* a descriptor, or a HANDLE's bits; -1 is no handle */
} brp_handle;

#define BRP_NO_HANDLE ((brp_handle){-1})

/* Room for a handle as text with its NUL. */
enum { BRP_HANDLE_TEXT = 24 };

static inline bool brp_handle_is_set(brp_handle handle)
{
    return handle.value != -1;
}

/* Closes and sets to BRP_NO_HANDLE. No handle is ignored. */
void brp_handle_close(brp_handle *handle);

/* A second handle to the same thing, non-inheritable. */
brood_status brp_handle_duplicate(brp_handle handle, brp_handle *copy);

/* Writes the handle as text, and reads it back; reading checks that something is open there, and
 * makes it non-inheritable: a handle that came by inheritance does not go on to this process's own
 * children. */
void brp_handle_format(brp_handle handle, char text[BRP_HANDLE_TEXT]);
brood_status brp_handle_parse(const char *text, brp_handle *handle);

/* Whether a child that inherits everything inheritable would get it (for tests and checks). */
bool brp_handle_is_inheritable(brp_handle handle);

/* How many handles this process has open: for the leak ledger. 0 where the system does not tell. */
size_t brp_handle_count(void);

/* The null device, for reading and writing. */
brood_status brp_handle_open_null(brp_handle *handle);

#endif /* BRP_HANDLE_H */
