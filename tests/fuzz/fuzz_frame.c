/*
 * fuzz_frame.c - libFuzzer: any bytes are read as frames, in pieces; what is given out is what a
 * second, simple reading of the same bytes finds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ipc/frame.h"
#include "platform/stream.h"

enum { LIMIT = 1 << 16, MOST_PIECES = 100 };

#define REQUIRE(condition)                                 \
    do {                                                   \
        if (!(condition)) {                                \
            fprintf(stderr, "not true: %s\n", #condition); \
            abort();                                       \
        }                                                  \
    } while (0)

/* Where the next message of the bytes is; false: no whole one within the limit. */
static bool find_message(const uint8_t *data, size_t size, size_t *begin, size_t *length)
{
    if (size < 4)
        return false;
    uint64_t number = 0;
    for (int i = 0; i < 4; i++)
        number = number << 8 | data[i];
    *begin = 4;
    if (number == UINT32_MAX) {
        if (size < 12)
            return false;
        number = 0;
        for (int i = 4; i < 12; i++)
            number = number << 8 | data[i];
        *begin = 12;
    } else if (number > INT32_MAX) {
        return false;
    }
    *length = (size_t)number;
    return number <= LIMIT && size - *begin >= number;
}

/* Takes every message that is there. */
static void take_all(bri_frame_reader *reader, brp_channel channel, const uint8_t **expected,
                     size_t *left)
{
    const void *message;
    size_t size, begin, length;
    while (bri_frame_read(reader, channel, LIMIT, &message, &size, 0) == BROOD_OK) {
        REQUIRE(find_message(*expected, *left, &begin, &length));
        REQUIRE(size == length && memcmp(message, *expected + begin, size) == 0);
        *expected += begin + length;
        *left -= begin + length;
        bri_frame_done(reader);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how long the pieces are that the stream is written in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    brp_handle ends[2];
    bri_frame_reader reader = {0};
    if (size == 0 || size > LIMIT || brp_stream_pair(ends) != BROOD_OK)
        return 0;
    long before = bri_memory_blocks();
    size_t piece = data[0] == 0 ? size : (size_t)data[0] * data[0];
    if (piece <= size / MOST_PIECES)
        piece = size / MOST_PIECES + 1;
    const uint8_t *expected = ++data;
    size_t left = --size, begin, length;
    brp_channel channel = {ends[0], BRP_CHANNEL_STREAM};
    for (size_t at = 0; at < size; at += piece) {
        brp_bytes part = {data + at, size - at < piece ? size - at : piece};
        size_t written;
        if (brp_stream_write_all(ends[1], &part, 1, &written, 0) != BROOD_OK)
            break; /* a broken reader leaves the rest unread, and the buffer is full */
        take_all(&reader, channel, &expected, &left);
    }
    if (reader.broken == BROOD_OK)
        REQUIRE(!find_message(expected, left, &begin, &length));
    bri_frame_fini(&reader);
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
    REQUIRE(bri_memory_blocks() == before);
    return 0;
}
