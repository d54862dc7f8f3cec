/*
 * prog_pickle_echo.c - reads pickles from stdin and writes them back: what brood makes of them. The
 * other end is test_pickle.py.
 *
 * A blob is a size (4 bytes, little-endian) and as many bytes. A request: a byte for the protocol
 * to answer in, a blob with the pickle, then one for each out-of-band buffer and an empty one. An
 * answer: a blob with the repr, or with '!' and the error; a blob with the pickle, and its buffers
 * likewise.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "data/pickle.h"

enum { MAX_BUFFERS = 16, THRESHOLD = 100 };

typedef struct blobs {
    struct bri_span spans[MAX_BUFFERS];
    size_t n;
} blobs;

static int read_blob(unsigned char **data, size_t *size)
{
    unsigned char header[4];
    if (fread(header, 1, 4, stdin) != 4)
        return 0;
    *size = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16 | (size_t)header[3] << 24;
    *data = malloc(*size + 1);
    return *data != NULL && fread(*data, 1, *size, stdin) == *size;
}

static void write_blob(const void *data, size_t size)
{
    unsigned char header[4] = {(unsigned char)size, (unsigned char)(size >> 8),
                               (unsigned char)(size >> 16), (unsigned char)(size >> 24)};
    fwrite(header, 1, 4, stdout);
    fwrite(data, 1, size, stdout);
}

static int read_buffers(blobs *in)
{
    for (in->n = 0; in->n < MAX_BUFFERS; in->n++) {
        unsigned char *data = NULL;
        size_t size = 0;
        if (!read_blob(&data, &size))
            return 0;
        if (size == 0) {
            free(data);
            return 1;
        }
        in->spans[in->n] = (struct bri_span){data, size};
    }
    return 0;
}

static brood_status keep_buffer(void *context, const void *data, size_t size)
{
    blobs *out = context;
    out->spans[out->n++] = (struct bri_span){data, size};
    return BROOD_OK;
}

static void answer_failure(void)
{
    char text[2000];
    snprintf(text, sizeof text, "!%s: %s", brood_status_name(brood_last_error()->status),
             brood_last_error()->message);
    write_blob(text, strlen(text));
    write_blob("", 0);
    write_blob("", 0);
}

static brood_status answer(const brood_value *value, int protocol)
{
    blobs buffers = {.n = 0};
    bri_pickle_options options = {.protocol = protocol,
                                  .buffer_threshold = protocol == 5 ? THRESHOLD : 0,
                                  .add_buffer = keep_buffer,
                                  .context = &buffers};
    bri_buffer out = {0};
    char *text = NULL;
    brood_status status = brood_value_repr(value, &text);
    if (status == BROOD_OK)
        status = bri_pickle_write(value, &options, &out);
    if (status == BROOD_OK) {
        write_blob(text, strlen(text));
        write_blob(out.data, out.length);
        for (size_t i = 0; i < buffers.n; i++)
            write_blob(buffers.spans[i].data, buffers.spans[i].size);
        write_blob("", 0);
    }
    bri_buffer_fini(&out);
    brood_free(text);
    return status;
}

static void serve(const unsigned char *pickle, size_t size, const blobs *buffers, int protocol)
{
    bri_pickle_options options = {.buffers = buffers->spans, .n_buffers = buffers->n};
    brood_value value;
    if (bri_pickle_read(pickle, size, &options, &value, NULL) != BROOD_OK) {
        answer_failure();
        return;
    }
    if (answer(&value, protocol) != BROOD_OK)
        answer_failure();
    brood_value_clear(&value);
}

int main(void)
{
    for (int protocol; (protocol = getchar()) != EOF;) {
        unsigned char *pickle = NULL;
        size_t size = 0;
        blobs buffers = {.n = 0};
        if (!read_blob(&pickle, &size) || !read_buffers(&buffers))
            return 1;
        serve(pickle, size, &buffers, protocol);
        fflush(stdout);
        free(pickle);
        for (size_t i = 0; i < buffers.n; i++)
            free((void *)(uintptr_t)buffers.spans[i].data);
    }
    return 0;
}
