/*
 * base/buffer.h - a growing byte buffer for writers, and a bounded cursor for readers.
 */
#ifndef BRI_BUFFER_H
#define BRI_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <brood/status.h>

/* Zero-initialised is empty. `data` may be NULL while `length` is 0. */
typedef struct bri_buffer {
    unsigned char *data;
    size_t length;
    size_t capacity;
} bri_buffer;

/* Makes room for `more` bytes behind the used ones. BROOD_ENOMEM leaves the buffer as it was. */
brood_status bri_buffer_reserve(bri_buffer *buffer, size_t more);

/* Appends bytes. BROOD_ENOMEM leaves the buffer as it was. */
brood_status bri_buffer_append(bri_buffer *buffer, const void *bytes, size_t length);

/* Forgets the content, keeps the memory. */
void bri_buffer_reset(bri_buffer *buffer);

/* Frees the memory; the buffer is empty afterwards. */
void bri_buffer_fini(bri_buffer *buffer);

#endif /* BRI_BUFFER_H */
