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

static void close_all(brp_handle *handles, size_t n)
{
    for (size_t i = 0; i < n; i++)
        brp_handle_close(&handles[i]);
}

/* Keeps handles that came with the bytes just read. */
static brood_status keep_handles(bri_frame_reader *reader, brp_handle *handles, size_t n)
{
    bri_frame_beside *beside = n > BRI_FRAME_HANDLES ? NULL : bri_calloc(1, sizeof *beside);
    if (beside == NULL) {
        close_all(handles, n < BRI_FRAME_HANDLES ? n : BRI_FRAME_HANDLES);
        return bri_fail(break_off(reader, BROOD_EBROKEN),
                        "could not read from a connection: %zu handles came and could not be kept",
                        n);
    }
    beside->n = n;
    memcpy(beside->handles, handles, n * sizeof handles[0]);
    reader->beside = beside;
    return BROOD_OK;
}

/* One read behind what is there. */
static brood_status read_some(bri_frame_reader *reader, brp_channel channel, bri_deadline deadline)
{
    size_t got, left, n = 0;
    unsigned char *to = reader->ahead + reader->end;
    if (!reader->takes_handles) {
        BROOD_TRY(brp_channel_read(channel, to, AHEAD - reader->end, &got, &left, deadline));
        reader->end += got;
        return BROOD_OK;
    }
    brp_handle handles[BRI_FRAME_HANDLES];
    BROOD_TRY(brp_channel_read_with_handles(channel, to, AHEAD - reader->end, &got, handles,
                                            BRI_FRAME_HANDLES, &n, deadline));
    reader->end += got;
    return n == 0 ? BROOD_OK : keep_handles(reader, handles, n);
}

/* Bytes of messages that are there. */
static size_t there(const bri_frame_reader *reader)
{
    return reader->end - reader->begin - (reader->beside != NULL);
}

static brood_status fail_handles_inside(bri_frame_reader *reader)
{
    if (!reader->has_header && there(reader) == 0)
        return bri_fail(BROOD_ESTATE,
                        "could not read a message from a connection: a handle comes first");
    return bri_fail(break_off(reader, BROOD_EFORMAT),
                    "could not read from a connection: a handle came in the middle of a message");
}

/* Reads until `wanted` bytes are there, at most AHEAD. */
static brood_status fill(bri_frame_reader *reader, brp_channel channel, size_t wanted,
                         bri_deadline deadline)
{
    BROOD_TRY(make_room(reader));
    if (reader->begin + wanted > AHEAD || reader->begin == reader->end) {
        memmove(reader->ahead, reader->ahead + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    while (there(reader) < wanted) {
        if (reader->beside != NULL)
            return fail_handles_inside(reader);
        brood_status status = read_some(reader, channel, deadline);
        if (status == BROOD_EEOF)
            return at_end(reader, there(reader) != 0 || reader->has_header);
        BROOD_TRY(status);
    }
    return BROOD_OK;
}

size_t bri_frame_read_header(const void *data, size_t size, uint64_t *length)
{
    if (size < SHORT)
        return 0;
    uint64_t number = big_endian(data, SHORT);
    if (number <= LONGEST_SHORT) {
        *length = number;
        return SHORT;
    }
    if (number != UINT32_MAX || size < BRI_FRAME_HEADER)
        return 0;
    *length = big_endian((const unsigned char *)data + SHORT, BRI_FRAME_HEADER - SHORT);
    return BRI_FRAME_HEADER;
}

/* Takes the header off the bytes that are there; false when it is not whole. */
static bool take_header(bri_frame_reader *reader)
{
    const unsigned char *at = reader->ahead + reader->begin;
    size_t length = bri_frame_read_header(at, there(reader), &reader->size);
    if (length == 0 && there(reader) >= SHORT && big_endian(at, SHORT) != UINT32_MAX) {
        reader->broken = BROOD_EFORMAT;
        length = SHORT;
    }
    reader->begin += length;
    reader->has_header = length != 0;
    return length != 0;
}

/* Where messages have bounds of their own: the first bytes of the next, and how many it has. */
static brood_status begin_message(bri_frame_reader *reader, brp_channel channel,
                                  bri_deadline deadline)
{
    size_t got, left;
    BROOD_TRY(make_room(reader));
    reader->begin = reader->end = 0;
    if (reader->n_empty != 0) {
        reader->n_empty--;
        reader->size = 0;
        reader->has_header = true;
        return BROOD_OK;
    }
    brood_status status = brp_channel_read(channel, reader->ahead, AHEAD, &got, &left, deadline);
    if (status == BROOD_EEOF)
        return at_end(reader, false);
    BROOD_TRY(status);
    reader->end = got;
    reader->size = (uint64_t)got + left;
    reader->has_header = true;
    return BROOD_OK;
}

static brood_status read_header(bri_frame_reader *reader, brp_channel channel,
                                bri_deadline deadline)
{
    size_t wanted = SHORT;
    if (!reader->has_header && channel.kind == BRP_CHANNEL_MESSAGES)
        return begin_message(reader, channel, deadline);
    while (!reader->has_header) {
        BROOD_TRY(fill(reader, channel, wanted, deadline));
        if (!take_header(reader))
            wanted = BRI_FRAME_HEADER;
    }
    if (reader->broken != BROOD_OK)
        return bri_fail(
            reader->broken,
            "could not read from a connection: what came is not the length of a message");
    return BROOD_OK;
}

void bri_frame_put_empty(bri_frame_reader *reader)
{
    reader->n_empty++;
}

/* A long message: what is there of it, then the channel directly, in memory that doubles. */
static brood_status read_body(bri_frame_reader *reader, brp_channel channel, bri_deadline deadline)
{
    bri_buffer *body = &reader->body;
    while (body->length < reader->size) {
        uint64_t left = reader->size - body->length;
        size_t step = body->length < FIRST_STEP ? FIRST_STEP : body->length;
        step = left < step ? (size_t)left : step;
        BROOD_TRY(bri_buffer_reserve(body, step));
        size_t got = there(reader);
        brood_status status = BROOD_OK;
        if (got != 0) {
            got = got < step ? got : step;
            memcpy(body->data + body->length, reader->ahead + reader->begin, got);
            reader->begin += got;
        } else if (reader->beside != NULL) {
            return fail_handles_inside(reader);
        } else {
            status = brp_channel_read_all(channel, body->data + body->length, step, &got, deadline);
        }
        body->length += got;
        if (status == BROOD_EEOF)
            return at_end(reader, true);
        BROOD_TRY(status);
    }
    return BROOD_OK;
}

brood_status bri_frame_read(bri_frame_reader *reader, brp_channel channel, uint64_t limit,
                            const void **data, size_t *size, bri_deadline deadline)
{
    if (reader->broken != BROOD_OK)
        return fail_broken(reader);
    BROOD_TRY(read_header(reader, channel, deadline));
    if (reader->size > limit || reader->size > SIZE_MAX)
        return bri_fail(break_off(reader, BROOD_ETOOLONG),
                        "could not read from a connection: a message of %llu bytes came, %llu is "
                        "the limit",
                        (unsigned long long)reader->size, (unsigned long long)limit);
    bool fits = reader->size <= AHEAD;
    if (fits)
        BROOD_TRY(fill(reader, channel, (size_t)reader->size, deadline));
    else
        BROOD_TRY(read_body(reader, channel, deadline));
    *data = fits ? reader->ahead + reader->begin : reader->body.data;
    *size = (size_t)reader->size;
    return BROOD_OK;
}

bool bri_frame_is_ready(const bri_frame_reader *reader)
{
    if (reader->broken != BROOD_OK || reader->beside != NULL ||
        (reader->n_empty != 0 && !reader->has_header))
        return true;
    bri_frame_reader copy = *reader;
    if (!copy.has_header && (copy.ahead == NULL || !take_header(&copy)))
        return false;
    if (copy.broken != BROOD_OK)
        return true;
    return copy.size <= AHEAD ? there(&copy) >= copy.size
                              : copy.body.length + there(&copy) >= copy.size;
}

brood_status bri_frame_poll(bri_frame_reader *reader, brp_channel channel, bri_deadline deadline)
{
    if (bri_frame_is_ready(reader))
        return BROOD_OK;
    if (channel.kind != BRP_CHANNEL_MESSAGES || reader->has_header)
        return brp_channel_poll(channel, deadline);
    brood_status status = begin_message(reader, channel, deadline);
    return status == BROOD_EEOF ? BROOD_OK : status;
}

/* Reads what comes next, if nothing is there. */
static brood_status await_handles(bri_frame_reader *reader, brp_channel channel,
                                  bri_deadline deadline)
{
    if (reader->has_header || reader->beside != NULL || there(reader) != 0)
        return BROOD_OK;
    BROOD_TRY(make_room(reader));
    reader->begin = reader->end = 0;
    brood_status status = read_some(reader, channel, deadline);
    return status == BROOD_EEOF ? at_end(reader, false) : status;
}

brood_status bri_frame_read_handles(bri_frame_reader *reader, brp_channel channel,
                                    brp_handle *handles, size_t n, bri_deadline deadline)
{
    if (reader->broken != BROOD_OK)
        return fail_broken(reader);
    BROOD_TRY(await_handles(reader, channel, deadline));
    if (reader->has_header || there(reader) != 0)
        return bri_fail(BROOD_ESTATE, "could not receive a handle: a message comes first");
    bri_frame_beside *beside = reader->beside;
    bool fits = beside->n == n && reader->ahead[reader->begin] == (unsigned char)n, whole = true;
    for (size_t i = 0; i < beside->n; i++)
        whole = whole && brp_handle_is_set(beside->handles[i]);
    brood_status status = BROOD_OK;
    if (!whole)
        status = bri_fail(BROOD_ELIMIT,
                          "could not receive %zu handles: this process has too many open", n);
    else if (!fits)
        status = bri_fail(BROOD_EFORMAT, "could not receive %zu handles: %zu came", n, beside->n);
    if (status == BROOD_OK)
        memcpy(handles, beside->handles, n * sizeof handles[0]);
    else
        close_all(beside->handles, beside->n);
    bri_free(beside);
    reader->beside = NULL;
    reader->begin = reader->end = 0;
    return status;
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
    if (reader->beside != NULL)
        close_all(reader->beside->handles, reader->beside->n);
    bri_free(reader->beside);
    *reader = (bri_frame_reader){0};
}

brood_status bri_frame_write(brp_channel channel, const void *data, size_t size, size_t *written,
                             bri_deadline deadline)
{
    unsigned char header[BRI_FRAME_HEADER];
    brp_bytes parts[2] = {{header, bri_frame_header(size, header)}, {data, size}};
    if (channel.kind == BRP_CHANNEL_MESSAGES)
        return brp_channel_write_all(channel, &parts[1], 1, written, deadline);
    return brp_channel_write_all(channel, parts, size == 0 ? 1 : 2, written, deadline);
}
