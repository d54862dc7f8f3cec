/* proc/block.c - see the header. */
#include "proc/block.h"

#include <string.h>

#include "base/error.h"
#include "data/heap.h"
#include "data/pickle.h"
#include "platform/stream.h"

static const char magic[8] = {'b', 'r', 'o', 'o', 'd', '\0', 'S', 'B'};

enum {
    AT_PROTOCOL = 8,
    AT_SIZE = 12,
    AT_TOKEN = 16,
    AT_BUILD = 32,
    AT_LIFELINE = 64,
    AT_ARENA = 68,
    AT_OWNER = 72,
    AT_RESERVED = 80
};

#ifdef BROOD_TESTING
void (*bri_block_spoil)(bri_buffer *whole);
#endif

static void put_u32(unsigned char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> (8 * i));
}

static uint32_t get_u32(const unsigned char *at)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number |= (uint32_t)at[i] << (8 * i);
    return number;
}

/* ---- writing ---- */

enum { N_FIELDS = 18, FUNCTION = 0, ARGUMENTS = 1, KEYWORDS = 2 };

/* The block keeps its values when there is no memory, or they are too deep. */
static brood_status pack_block(bri_start_block *block, brood_value *whole)
{
    brood_value *const moved[] = {&block->function, &block->arguments, &block->keywords};
    uint32_t depth = 1;
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++)
        BROOD_TRY(bri_nest(&depth, moved[i]));
    *whole =
        brood_pack("(nnnsslyllllllylssy)", block->name, block->identity, (int64_t)block->flags,
                   block->authkey, block->authkey_size, (int64_t)block->log_level,
                   (int64_t)block->method, (int64_t)block->default_method, (int64_t)block->depth,
                   (int64_t)block->max_depth, (int64_t)block->start_timeout, block->executable,
                   strlen(block->executable), block->parent_pid, block->parent_name,
                   block->parent_identity, block->directory, strlen(block->directory));
    if (brood_value_kind(whole) == BROOD_INVALID)
        return brood_last_error()->status;
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++)
        (void)brood_set_item(whole, i, brood_value_take(moved[i]));
    return BROOD_OK;
}

static brood_status append_payload(const brood_value *whole, struct bri_transfer *transfer,
                                   bri_buffer *out)
{
    unsigned char header[BRI_BLOCK_HEADER] = {0};
    size_t start = out->length;
    BROOD_TRY(bri_buffer_append(out, header, sizeof header));
    brood_status status = bri_pickle_write(
        whole, &(bri_pickle_options){.transfer = transfer, .find_class = bri_class_find}, out);
    size_t size = out->length - start - sizeof header;
    if (status == BROOD_OK && size > BRI_BLOCK_MAX)
        status = bri_fail(BROOD_ETOOLONG, "could not send the arguments: %zu bytes; %d is the most",
                          size, BRI_BLOCK_MAX);
    if (status != BROOD_OK)
        out->length = start;
    else
        put_u32(out->data + start + AT_SIZE, (uint32_t)size);
    return status;
}

static void fill_header(unsigned char *header, const bri_start_tree *tree,
                        const unsigned char *token, const unsigned char *build_id)
{
    memcpy(header, magic, sizeof magic);
    put_u32(header + AT_PROTOCOL, BRI_PROTOCOL);
    memcpy(header + AT_TOKEN, token, BRI_TOKEN_SIZE);
    memcpy(header + AT_BUILD, build_id, BRP_BUILD_ID_SIZE);
    put_u32(header + AT_LIFELINE, (uint32_t)tree->lifeline);
    put_u32(header + AT_ARENA, (uint32_t)tree->arena);
    put_u32(header + AT_OWNER, tree->owner);
    put_u32(header + AT_RESERVED, (uint32_t)tree->reserved);
    put_u32(header + AT_RESERVED + 4, (uint32_t)(tree->reserved >> 32));
}

brood_status bri_block_write(bri_start_block *block, const bri_start_tree *tree,
                             const unsigned char token[BRI_TOKEN_SIZE],
                             const unsigned char build_id[BRP_BUILD_ID_SIZE],
                             struct bri_transfer *transfer, bri_buffer *out)
{
    size_t start = out->length;
    brood_value whole;
    BROOD_TRY(pack_block(block, &whole));
    brood_status status = append_payload(&whole, transfer, out);
    (void)brood_take_item(&whole, FUNCTION, &block->function);
    (void)brood_take_item(&whole, ARGUMENTS, &block->arguments);
    (void)brood_take_item(&whole, KEYWORDS, &block->keywords);
    brood_value_clear(&whole);
    if (status != BROOD_OK)
        return status;
    fill_header(out->data + start, tree, token, build_id);
#ifdef BROOD_TESTING
    if (bri_block_spoil != NULL)
        bri_block_spoil(out);
#endif
    return BROOD_OK;
}

/* ---- reading ---- */

static bool is_zero(const unsigned char *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

static brood_status check_header(const unsigned char *header, const unsigned char *token)
{
    if (memcmp(header, magic, sizeof magic) != 0)
        return bri_fail(BROOD_EFORMAT, "could not read the start block: this is none");
    unsigned char difference = 0;
    for (int i = 0; i < BRI_TOKEN_SIZE; i++)
        difference |= (unsigned char)(header[AT_TOKEN + i] ^ token[i]);
    if (difference != 0)
        return bri_fail(BROOD_EAUTH, "could not read the start block: its token is another one");
    uint32_t protocol = get_u32(header + AT_PROTOCOL);
    if (protocol != BRI_PROTOCOL)
        return bri_fail(BROOD_EVERSION,
                        "could not read the start block: the parent's brood writes version %lu of "
                        "it, this program's reads version %d",
                        (unsigned long)protocol, BRI_PROTOCOL);
    if (is_zero(header + AT_BUILD, BRP_BUILD_ID_SIZE))
        return BROOD_OK; /* the parent started another executable than its own */
    unsigned char own[BRP_BUILD_ID_SIZE];
    BROOD_TRY(brp_module_own_build_id(own));
    if (memcmp(own, header + AT_BUILD, sizeof own) != 0)
        return bri_fail(BROOD_EVERSION, "could not read the start block: the executable is of "
                                        "another build than the parent, it was replaced meanwhile");
    return BROOD_OK;
}

static brood_status read_exactly(brp_handle stream, void *data, size_t size, size_t before,
                                 size_t whole, bri_deadline deadline)
{
    size_t got = 0;
    brood_status status = brp_stream_read_all(stream, data, size, &got, deadline);
    if (status == BROOD_EEOF)
        return bri_fail(BROOD_EFORMAT,
                        "could not read the start block: it ends after %zu of %zu bytes",
                        before + got, whole);
    if (status == BROOD_ETIMEDOUT)
        return bri_fail(BROOD_ETIMEDOUT,
                        "could not read the start block: %zu of %zu bytes have come in time",
                        before + got, whole);
    return status;
}

brood_status bri_block_receive(brp_handle stream, const unsigned char token[BRI_TOKEN_SIZE],
                               bri_deadline deadline, bri_start_tree *tree, bri_buffer *payload)
{
    unsigned char header[BRI_BLOCK_HEADER];
    BROOD_TRY(read_exactly(stream, header, sizeof header, 0, sizeof header, deadline));
    BROOD_TRY(check_header(header, token));
    size_t size = get_u32(header + AT_SIZE);
    if (size > BRI_BLOCK_MAX)
        return bri_fail(BROOD_EFORMAT,
                        "could not read the start block: it claims %zu bytes; %d is the most", size,
                        BRI_BLOCK_MAX);
    BROOD_TRY(bri_buffer_reserve(payload, size));
    BROOD_TRY(read_exactly(stream, payload->data + payload->length, size, sizeof header,
                           sizeof header + size, deadline));
    payload->length += size;
    *tree = (bri_start_tree){(int)(int32_t)get_u32(header + AT_LIFELINE),
                             (int)(int32_t)get_u32(header + AT_ARENA), get_u32(header + AT_OWNER),
                             get_u32(header + AT_RESERVED) |
                                 (uint64_t)get_u32(header + AT_RESERVED + 4) << 32};
    return BROOD_OK;
}

/* Reads the items of the tuple one after the other; the first that does not fit spoils the rest. */
typedef struct reader {
    const brood_value *whole;
    size_t next;
    bool bad;
} reader;

static const char *next_text(reader *from)
{
    const char *text = "";
    size_t size = 0;
    if (brood_get_str(brood_item(from->whole, from->next++), &text, &size) != BROOD_OK ||
        strlen(text) != size)
        from->bad = true;
    return from->bad ? "" : text;
}

/* A path: bytes, which have a NUL behind them in every value. */
static const char *next_path(reader *from)
{
    const void *bytes = "";
    size_t size = 0;
    if (brood_get_bytes(brood_item(from->whole, from->next++), &bytes, &size) != BROOD_OK ||
        strlen(bytes) != size)
        from->bad = true;
    return from->bad ? "" : bytes;
}

static int64_t next_int(reader *from, int64_t least, int64_t most)
{
    int64_t number = 0;
    if (brood_get_int(brood_item(from->whole, from->next++), &number) != BROOD_OK ||
        number < least || number > most)
        from->bad = true;
    return from->bad ? least : number;
}

static void read_fields(reader *from, bri_start_block *block)
{
    block->name = next_text(from);
    block->identity = next_text(from);
    block->flags = (unsigned)next_int(from, 0, 3);
    if (brood_get_bytes(brood_item(from->whole, from->next++), &block->authkey,
                        &block->authkey_size) != BROOD_OK)
        from->bad = true;
    block->log_level = (brood_log_level)next_int(from, BROOD_LOG_OFF, BROOD_LOG_DEBUG);
    block->method = (brood_start_method)next_int(from, BROOD_START_SPAWN, BROOD_START_FORKSERVER);
    block->default_method =
        (brood_start_method)next_int(from, BROOD_START_SPAWN, BROOD_START_FORKSERVER);
    block->depth = (int)next_int(from, 1, INT32_MAX);
    block->max_depth = (int)next_int(from, 0, INT32_MAX);
    block->start_timeout = next_int(from, INT64_MIN, INT64_MAX);
    block->executable = next_path(from);
    block->parent_pid = next_int(from, 1, INT64_MAX);
    block->parent_name = next_text(from);
    block->parent_identity = next_text(from);
    block->directory = next_path(from);
}

brood_status bri_block_read(const bri_buffer *payload, struct bri_transfer *transfer,
                            bri_start_block *block)
{
    bri_start_block made = {0};
    BROOD_TRY(
        bri_pickle_read(payload->data, payload->length,
                        &(bri_pickle_options){.transfer = transfer, .find_class = bri_class_find},
                        &made.whole, NULL));
    reader from = {.whole = &made.whole, .next = KEYWORDS + 1};
    from.bad =
        brood_value_kind(&made.whole) != BROOD_TUPLE || brood_value_length(&made.whole) != N_FIELDS;
    if (!from.bad)
        read_fields(&from, &made);
    if (from.bad) {
        bri_block_clear(&made);
        return bri_fail(BROOD_EFORMAT, "could not read the start block: item %zu is malformed",
                        from.next);
    }
    (void)brood_take_item(&made.whole, FUNCTION, &made.function);
    (void)brood_take_item(&made.whole, ARGUMENTS, &made.arguments);
    (void)brood_take_item(&made.whole, KEYWORDS, &made.keywords);
    if (brood_value_kind(&made.keywords) == BROOD_NONE)
        made.keywords = (brood_value){0};
    *block = made;
    return BROOD_OK;
}

void bri_block_clear(bri_start_block *block)
{
    brood_value_clear(&block->function);
    brood_value_clear(&block->arguments);
    brood_value_clear(&block->keywords);
    brood_value_clear(&block->whole);
    *block = (bri_start_block){0};
}
