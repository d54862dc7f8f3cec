/* ipc/frame.c - see the header. */
#include "ipc/frame.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    AHEAD = 16 << 10,
    SHORT = 4,           /* bytes of the usual header */
    FIRST_STEP = 1 << 20 /* of a body's memory */
};

static const uint64_t LONGEST_SHORT = 0x7fffffff;

size_t bri_frame_header(uint64_t size, unsigned char header[BRI_FRAME_HEADER])
{
    bool is_short = size <= LONGEST_SHORT;
    size_t length = is_short ? SHORT : BRI_FRAME_HEADER;
    memset(header, 0xff, SHORT);
    for (size_t i = is_short ? 0 : SHORT; i < length; i++)
        header[i] = (unsigned char)(size >> (8 * (length - 1 - i)));
    return length;
}

static uint64_t big_endian(const unsigned char *bytes, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | bytes[i];
    return number;
}

static brood_status break_off(bri_frame_reader *reader, brood_status status)
{
    reader->broken = status;
    return status;
}

static brood_status fail_broken(const bri_frame_reader *reader)
{
    if (reader->broken == BROOD_EEOF)
        return BROOD_EEOF;
    return bri_fail(reader->broken,
                    "could not read from a connection: an earlier message broke it");
}

/* The end of the stream, where a part of a message may have arrived. */
static brood_status at_end(bri_frame_reader *reader, bool inside)
{
    if (!inside)
        return break_off(reader, BROOD_EEOF);
    return bri_fail(break_off(reader, BROOD_EBROKEN),
                    "could not read from a connection: it ended in the middle of a message");
}

static brood_status make_room(bri_frame_reader *reader)
{
    if (reader->ahead == NULL)
        reader->ahead = bri_alloc(AHEAD);
    return reader->ahead == NULL ? BROOD_ENOMEM : BROOD_OK;
}

brood_status bri_frame_put_ahead(bri_frame_reader *reader, const void *data, size_t size)
{
    if (size > AHEAD)
        return bri_fail(BROOD_EFORMAT, "could not use a connection: %zu bytes came with it", size);
    BROOD_TRY(make_room(reader));
    memcpy(reader->ahead, data, size);
    reader->end = size;
    return BROOD_OK;
}

/* Reads until `wanted` bytes are there, at most AHEAD. */
static brood_status fill(bri_frame_reader *reader, brp_handle stream, size_t wanted,
                         bri_deadline deadline)
{
    BROOD_TRY(make_room(reader));
    if (reader->begin + wanted > AHEAD || reader->begin == reader->end) {
        memmove(reader->ahead, reader->ahead + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    while (reader->end - reader->begin < wanted) {
        size_t got;
        brood_status status = brp_stream_read(stream, reader->ahead + reader->end,
                                              AHEAD - reader->end, &got, deadline);
        if (status == BROOD_EEOF)
            return at_end(reader, reader->end != reader->begin || reader->has_header);
        BROOD_TRY(status);
        reader->end += got;
    }
    return BROOD_OK;
}

/* Takes the header off the bytes that are there; false when it is not whole. */
static bool take_header(bri_frame_reader *reader)
{
    const unsigned char *at = reader->ahead + reader->begin;
    size_t there = reader->end - reader->begin;
    if (there < SHORT)
        return false;
    reader->size = big_endian(at, SHORT);
    bool is_long = reader->size == UINT32_MAX;
    if (is_long && there < BRI_FRAME_HEADER)
        return false;
    if (is_long)
        reader->size = big_endian(at + SHORT, BRI_FRAME_HEADER - SHORT);
    else if (reader->size > LONGEST_SHORT)
        reader->broken = BROOD_EFORMAT;
    reader->begin += is_long ? BRI_FRAME_HEADER : SHORT;
    reader->has_header = true;
    return true;
}

static brood_status read_header(bri_frame_reader *reader, brp_handle stream, bri_deadline deadline)
{
    size_t wanted = SHORT;
    while (!reader->has_header) {
        BROOD_TRY(fill(reader, stream, wanted, deadline));
        if (!take_header(reader))
            wanted = BRI_FRAME_HEADER;
    }
    if (reader->broken != BROOD_OK)
        return bri_fail(
            reader->broken,
            "could not read from a connection: what came is not the length of a message");
    return BROOD_OK;
}

/* A long message: what is there of it, then the stream directly, in memory that doubles. */
static brood_status read_body(bri_frame_reader *reader, brp_handle stream, bri_deadline deadline)
{
    bri_buffer *body = &reader->body;
    while (body->length < reader->size) {
        uint64_t left = reader->size - body->length;
        size_t step = body->length < FIRST_STEP ? FIRST_STEP : body->length;
        step = left < step ? (size_t)left : step;
        BROOD_TRY(bri_buffer_reserve(body, step));
        size_t got = reader->end - reader->begin;
        brood_status status = BROOD_OK;
        if (got != 0) {
            got = got < step ? got : step;
            memcpy(body->data + body->length, reader->ahead + reader->begin, got);
            reader->begin += got;
        } else {
            status = brp_stream_read_all(stream, body->data + body->length, step, &got, deadline);
        }
        body->length += got;
        if (status == BROOD_EEOF)
            return at_end(reader, true);
        BROOD_TRY(status);
    }
    return BROOD_OK;
}

brood_status bri_frame_read(bri_frame_reader *reader, brp_handle stream, uint64_t limit,
                            const void **data, size_t *size, bri_deadline deadline)
{
    if (reader->broken != BROOD_OK)
        return fail_broken(reader);
    BROOD_TRY(read_header(reader, stream, deadline));
    if (reader->size > limit || reader->size > SIZE_MAX)
        return bri_fail(break_off(reader, BROOD_ETOOLONG),
                        "could not read from a connection: a message of %llu bytes came, %llu is "
                        "the limit",
                        (unsigned long long)reader->size, (unsigned long long)limit);
    bool fits = reader->size <= AHEAD;
    if (fits)
        BROOD_TRY(fill(reader, stream, (size_t)reader->size, deadline));
    else
        BROOD_TRY(read_body(reader, stream, deadline));
    *data = fits ? reader->ahead + reader->begin : reader->body.data;
    *size = (size_t)reader->size;
    return BROOD_OK;
}

bool bri_frame_is_ready(const bri_frame_reader *reader)
{
    if (reader->broken != BROOD_OK)
        return true;
    bri_frame_reader copy = *reader;
    if (!copy.has_header && (copy.ahead == NULL || !take_header(&copy)))
        return false;
    if (copy.broken != BROOD_OK)
        return true;
    return copy.size <= AHEAD ? copy.end - copy.begin >= copy.size
                              : copy.body.length + (copy.end - copy.begin) >= copy.size;
}

void bri_frame_done(bri_frame_reader *reader)
{
    if (reader->size <= AHEAD)
        reader->begin += (size_t)reader->size;
    else
        bri_buffer_fini(&reader->body);
    reader->has_header = false;
}

brood_status bri_frame_take(bri_frame_reader *reader, void **data)
{
    if (reader->size > AHEAD) {
        *data = reader->body.data;
        reader->body = (bri_buffer){0};
        bri_frame_done(reader);
        return BROOD_OK;
    }
    void *copy = bri_alloc((size_t)reader->size);
    if (copy == NULL)
        return BROOD_ENOMEM;
    memcpy(copy, reader->ahead + reader->begin, (size_t)reader->size);
    bri_frame_done(reader);
    *data = copy;
    return BROOD_OK;
}

void bri_frame_fini(bri_frame_reader *reader)
{
    bri_free(reader->ahead);
    bri_buffer_fini(&reader->body);
    *reader = (bri_frame_reader){0};
}
