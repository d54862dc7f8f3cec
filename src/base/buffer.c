/* base/buffer.c - see the header. */
#include "base/buffer.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Small buffers double, large ones grow by half. */
enum { DOUBLING_ENDS = 1 << 20 };

brood_status bri_buffer_reserve(bri_buffer *buffer, size_t more)
{
    if (more <= buffer->capacity - buffer->length)
        return BROOD_OK;
    if (more > SIZE_MAX / 2 - buffer->length)
        return bri_fail(BROOD_ENOMEM, "could not allocate a buffer of more than %zu bytes", more);
    size_t needed = buffer->length + more;
    size_t growth = buffer->capacity < DOUBLING_ENDS ? buffer->capacity : buffer->capacity / 2;
    size_t capacity = buffer->capacity < 32 ? 64 : buffer->capacity + growth;
    if (capacity < needed)
        capacity = needed;
    unsigned char *data = bri_realloc(buffer->data, capacity);
    if (data == NULL)
        return BROOD_ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return BROOD_OK;
}

brood_status bri_buffer_append(bri_buffer *buffer, const void *bytes, size_t length)
{
    BROOD_TRY(bri_buffer_reserve(buffer, length));
    if (length != 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return BROOD_OK;
}

void bri_buffer_reset(bri_buffer *buffer)
{
    buffer->length = 0;
}

void bri_buffer_fini(bri_buffer *buffer)
{
    bri_free(buffer->data);
    *buffer = (bri_buffer){0};
}
