/* proc/note.c - see the header. */
#include "proc/note.h"

#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "data/pickle.h"
#include "platform/ident.h"
#include "platform/stream.h"

enum { MAX_PAYLOAD = 32 * 1024 };

/* Both ends are on one machine, so numbers are in its byte order. */
typedef struct note_header {
    uint32_t kind;
    uint32_t size; /* of the payload behind it */
    int64_t pid;
} note_header;

brood_status bri_note_send(brp_handle stream, const bri_note *note, bri_deadline deadline)
{
    bri_buffer payload = {0};
    if (brood_value_kind(&note->value) != BROOD_INVALID)
        BROOD_TRY(bri_pickle_write(&note->value, NULL, &payload));
    if (payload.length > MAX_PAYLOAD) {
        size_t length = payload.length;
        bri_buffer_fini(&payload);
        return bri_fail(BROOD_ETOOLONG,
                        "could not tell the parent: the message has %zu bytes, %d is the most",
                        length, MAX_PAYLOAD);
    }
    note_header header = {(uint32_t)note->kind, (uint32_t)payload.length, brp_pid()};
    brp_bytes parts[] = {{&header, sizeof header}, {payload.data, payload.length}};
    size_t written;
    brood_status status =
        brp_stream_write_all(stream, parts, payload.length == 0 ? 1 : 2, &written, deadline);
    bri_buffer_fini(&payload);
    return status;
}

static brood_status receive_value(brp_handle stream, size_t size, brood_value *value,
                                  bri_deadline deadline)
{
    bri_buffer payload = {0};
    size_t got;
    BROOD_TRY(bri_buffer_reserve(&payload, size));
    brood_status status = brp_stream_read_all(stream, payload.data, size, &got, deadline);
    if (status == BROOD_OK)
        status = bri_pickle_read(payload.data, size, NULL, value, NULL);
    bri_buffer_fini(&payload);
    return status;
}

brood_status bri_note_receive(brp_handle stream, bri_note *note, bri_deadline deadline)
{
    note_header header;
    size_t got;
    BROOD_TRY(brp_stream_read_all(stream, &header, sizeof header, &got, deadline));
    if (header.size > MAX_PAYLOAD || strchr("HRFX", (int)header.kind) == NULL || header.kind == 0)
        return bri_fail(BROOD_EFORMAT, "could not read what a child says: it is malformed");
    brood_value value = {0};
    if (header.size != 0)
        BROOD_TRY(receive_value(stream, header.size, &value, deadline));
    *note = (bri_note){(bri_note_kind)header.kind, header.pid, value};
    return BROOD_OK;
}
