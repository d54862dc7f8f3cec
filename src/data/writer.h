/*
 * data/writer.h - the part of the pickle writer that writes what is no container; pickle_write.c
 * and pickle_island.c put containers around it.
 */
#ifndef BRI_WRITER_H
#define BRI_WRITER_H

#include "base/buffer.h"
#include "data/heap.h"
#include "data/pickle.h"

typedef struct bri_writer {
    bri_buffer *out;
    const bri_pickle_options *options;
    int protocol;
    bool framed;
    size_t frame; /* where the frame begins that is being filled */
} bri_writer;

/* Room for `size` more bytes, to be filled by the caller, who then adds to out->length; NULL when
 * memory is out. */
static inline unsigned char *bri_writer_room(bri_writer *w, size_t size)
{
    bri_buffer *out = w->out;
    if (out->capacity - out->length < size && bri_buffer_reserve(out, size) != BROOD_OK)
        return NULL;
    return out->data + out->length;
}

static inline brood_status bri_write_op(bri_writer *w, int opcode)
{
    unsigned char *p = bri_writer_room(w, 1);
    if (p == NULL)
        return BROOD_ENOMEM;
    p[0] = (unsigned char)opcode;
    w->out->length++;
    return BROOD_OK;
}

/* Frames as CPython makes them, of about 64 KiB: begin one, begin the next if this one is full, end
 * the last. They do nothing in a writer that is not `framed`. */
brood_status bri_begin_frame(bri_writer *w);
brood_status bri_next_frame(bri_writer *w);
void bri_end_frame(bri_writer *w);

/* One of the scalar kinds; never needs more than BRI_SCALAR_SIZE bytes. Returns the end. */
enum { BRI_SCALAR_SIZE = 11 };
unsigned char *bri_put_scalar(unsigned char *p, const brood_value *value);

/* A str, bytes or bigint. */
brood_status bri_write_text(bri_writer *w, const brood_value *value);

/* A str that is no value, such as a name. */
brood_status bri_write_name(bri_writer *w, const char *name, size_t size);

/* STACK_GLOBAL with its two names. */
brood_status bri_write_global(bri_writer *w, const char *module, size_t module_size,
                              const char *name);

/* ---- pickle_write.c ---- */

/* Any value, without what stands around it in a pickle. */
brood_status bri_pickle_write_bare(bri_writer *w, const brood_value *value);

#endif /* BRI_WRITER_H */
