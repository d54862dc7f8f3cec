/* data/writer.c - scalars and texts as pickle instructions. */
#include "data/writer.h"

#include "base/error.h"
#include "data/opcodes.h"

static unsigned char *put_number(unsigned char *p, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)(number >> (8 * i));
    return p + size;
}

static unsigned char *put_wide(unsigned char *p, int64_t number)
{
    unsigned char bytes[8];
    put_number(bytes, (uint64_t)number, 8);
    size_t size = bri_integer_trim(bytes, 8);
    *p++ = OP_LONG1;
    *p++ = (unsigned char)size;
    memcpy(p, bytes, size);
    return p + size;
}

/* Long lists are made of these: written byte by byte, which compilers join. */
static inline unsigned char *put_int(unsigned char *p, int64_t number)
{
    uint64_t bits = (uint64_t)number;
    if (bits <= 0xFF) {
        p[0] = OP_BININT1;
        p[1] = (unsigned char)bits;
        return p + 2;
    }
    if (bits <= 0xFFFF) {
        p[0] = OP_BININT2;
        p[1] = (unsigned char)bits;
        p[2] = (unsigned char)(bits >> 8);
        return p + 3;
    }
    if (number < INT32_MIN || number > INT32_MAX)
        return put_wide(p, number);
    p[0] = OP_BININT;
    p[1] = (unsigned char)bits;
    p[2] = (unsigned char)(bits >> 8);
    p[3] = (unsigned char)(bits >> 16);
    p[4] = (unsigned char)(bits >> 24);
    return p + 5;
}

static unsigned char *put_float(unsigned char *p, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    *p++ = OP_BINFLOAT;
    for (int i = 0; i < 8; i++)
        *p++ = (unsigned char)(bits >> (56 - 8 * i));
    return p;
}

unsigned char *bri_put_scalar(unsigned char *p, const brood_value *value)
{
    switch (value->kind) {
    case BROOD_INT:
        return put_int(p, value->as.integer);
    case BROOD_FLOAT:
        return put_float(p, value->as.real);
    case BROOD_BOOL:
        *p = value->as.boolean ? OP_NEWTRUE : OP_NEWFALSE;
        return p + 1;
    default:
        *p = OP_NONE;
        return p + 1;
    }
}

/* ---- frames ---- */

enum { FRAME_HEADER = 9, SMALLEST_FRAME = 4, LARGE = 64 * 1024 };

brood_status bri_begin_frame(bri_writer *w)
{
    if (!w->framed)
        return BROOD_OK;
    w->frame = w->out->length;
    if (bri_writer_room(w, FRAME_HEADER) == NULL)
        return BROOD_ENOMEM;
    w->out->length += FRAME_HEADER;
    return BROOD_OK;
}

void bri_end_frame(bri_writer *w)
{
    if (!w->framed)
        return;
    unsigned char *header = w->out->data + w->frame;
    size_t size = w->out->length - w->frame - FRAME_HEADER;
    if (size >= SMALLEST_FRAME) {
        *header = OP_FRAME;
        put_number(header + 1, size, 8);
    } else {
        memmove(header, header + FRAME_HEADER, size);
        w->out->length -= FRAME_HEADER;
    }
}

brood_status bri_next_frame(bri_writer *w)
{
    if (!w->framed || w->out->length - w->frame < LARGE)
        return BROOD_OK;
    bri_end_frame(w);
    return bri_begin_frame(w);
}

/* ---- texts ---- */

/* The instruction and size in front of a text of one of three widths. */
typedef struct text_codes {
    unsigned char narrow; /* 1 byte of size */
    unsigned char usual;  /* 4 bytes */
    unsigned char wide;   /* 8 bytes */
} text_codes;

static const text_codes str_codes = {OP_SHORT_BINUNICODE, OP_BINUNICODE, OP_BINUNICODE8};
static const text_codes bytes_codes = {OP_SHORT_BINBYTES, OP_BINBYTES, OP_BINBYTES8};

static unsigned char *put_size(unsigned char *p, const text_codes *codes, size_t size)
{
    if (size <= 0xFF) {
        *p = codes->narrow;
        return put_number(p + 1, size, 1);
    }
    if (size <= 0xFFFFFFFFu) {
        *p = codes->usual;
        return put_number(p + 1, size, 4);
    }
    *p = codes->wide;
    return put_number(p + 1, size, 8);
}

/* The instruction that `header_size` bytes hold, then the text. A large one stands outside of
 * frames, as CPython has it, so that a reader need not copy it out of one. */
static brood_status write_sized(bri_writer *w, const unsigned char *header, size_t header_size,
                                const void *data, size_t size)
{
    bool outside = w->framed && size >= LARGE;
    if (outside)
        bri_end_frame(w);
    unsigned char *p = bri_writer_room(w, header_size + size);
    if (p == NULL)
        return BROOD_ENOMEM;
    memcpy(p, header, header_size);
    if (size != 0)
        memcpy(p + header_size, data, size);
    w->out->length += header_size + size;
    return outside ? bri_begin_frame(w) : BROOD_OK;
}

static brood_status write_coded(bri_writer *w, const text_codes *codes, const void *data,
                                size_t size)
{
    unsigned char header[9];
    size_t header_size = (size_t)(put_size(header, codes, size) - header);
    return write_sized(w, header, header_size, data, size);
}

brood_status bri_write_name(bri_writer *w, const char *name, size_t size)
{
    return write_coded(w, &str_codes, name, size);
}

brood_status bri_write_global(bri_writer *w, const char *module, size_t module_size,
                              const char *name)
{
    BROOD_TRY(bri_write_name(w, module, module_size));
    BROOD_TRY(bri_write_name(w, name, strlen(name)));
    return bri_write_op(w, OP_STACK_GLOBAL);
}

static brood_status write_bigint(bri_writer *w, const bri_text *text)
{
    unsigned char header[5];
    if (text->size <= 0xFF) {
        header[0] = OP_LONG1;
        header[1] = (unsigned char)text->size;
        return write_sized(w, header, 2, text->data, text->size);
    }
    if (text->size > INT32_MAX)
        return bri_fail(BROOD_ELIMIT, "could not pickle an int of %zu bytes", text->size);
    header[0] = OP_LONG4;
    put_number(header + 1, text->size, 4);
    return write_sized(w, header, 5, text->data, text->size);
}

/* bytearray(b"...") as a call, which every protocol has. */
static brood_status write_bytearray_call(bri_writer *w, const bri_text *text)
{
    BROOD_TRY(bri_write_global(w, "builtins", 8, "bytearray"));
    if (text->size == 0) {
        BROOD_TRY(bri_write_op(w, OP_EMPTY_TUPLE));
    } else {
        BROOD_TRY(write_coded(w, &bytes_codes, text->data, text->size));
        BROOD_TRY(bri_write_op(w, OP_TUPLE1));
    }
    return bri_write_op(w, OP_REDUCE);
}

static bool goes_out_of_band(const bri_writer *w, size_t size)
{
    return w->protocol >= 5 && w->options->add_buffer != NULL &&
           w->options->buffer_threshold != 0 && size >= w->options->buffer_threshold;
}

static brood_status write_bytes(bri_writer *w, const brood_value *value)
{
    const bri_text *text = bri_text_of(value);
    bool mutable_bytes = brood_value_is_mutable_bytes(value);
    if (goes_out_of_band(w, text->size)) {
        BROOD_TRY(w->options->add_buffer(w->options->context, text->data, text->size));
        BROOD_TRY(bri_write_op(w, OP_NEXT_BUFFER));
        return mutable_bytes ? BROOD_OK : bri_write_op(w, OP_READONLY_BUFFER);
    }
    if (!mutable_bytes)
        return write_coded(w, &bytes_codes, text->data, text->size);
    if (w->protocol < 5)
        return write_bytearray_call(w, text);
    unsigned char header[9] = {OP_BYTEARRAY8};
    put_number(header + 1, text->size, 8);
    return write_sized(w, header, sizeof header, text->data, text->size);
}

brood_status bri_write_text(bri_writer *w, const brood_value *value)
{
    const bri_text *text = bri_text_of(value);
    switch (value->kind) {
    case BROOD_STR:
        return write_coded(w, &str_codes, text->data, text->size);
    case BROOD_BYTES:
        return write_bytes(w, value);
    default:
        return write_bigint(w, text);
    }
}
