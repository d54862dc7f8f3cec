/* data/fragment_memo.c - see the header. */
#include "data/fragment_memo.h"

#include "base/memory.h"
#include "data/hash.h"
#include "data/opcodes.h"

typedef struct mark {
    size_t offset;
    uint32_t slot;
    bool put;
} mark;

static brood_status add_mark(bri_fragment_memo *memo, size_t offset, uint32_t slot, bool put)
{
    mark m = {.offset = offset, .slot = slot, .put = put};
    return bri_buffer_append(&memo->marks, &m, sizeof m);
}

brood_status bri_fragment_put(bri_fragment_memo *memo, size_t offset, uint32_t *slot)
{
    BROOD_TRY(add_mark(memo, offset, memo->slots, true));
    *slot = memo->slots++;
    return BROOD_OK;
}

brood_status bri_fragment_get(bri_fragment_memo *memo, size_t offset, uint32_t slot)
{
    return add_mark(memo, offset, slot, false);
}

/* ---- texts ---- */

static bool is_same(const bri_noted_text *noted, const brood_value *value, uint64_t hash)
{
    const bri_text *text = bri_text_of(value);
    if (noted->text == text)
        return noted->kind == value->kind &&
               noted->mutable_bytes == brood_value_is_mutable_bytes(value);
    return noted->hash == hash && noted->kind == value->kind && !noted->mutable_bytes &&
           !brood_value_is_mutable_bytes(value) && noted->text->size == text->size &&
           memcmp(noted->text->data, text->data, text->size) == 0;
}

static brood_status grow_texts(bri_fragment_memo *memo)
{
    if (memo->n_texts * 2 < memo->texts_capacity)
        return BROOD_OK;
    size_t capacity = memo->texts_capacity == 0 ? 16 : memo->texts_capacity * 2;
    bri_noted_text *texts = bri_calloc(capacity, sizeof *texts);
    if (texts == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < memo->texts_capacity; i++) {
        if (memo->texts[i].text == NULL)
            continue;
        size_t at = (size_t)memo->texts[i].hash & (capacity - 1);
        while (texts[at].text != NULL)
            at = (at + 1) & (capacity - 1);
        texts[at] = memo->texts[i];
    }
    bri_free(memo->texts);
    memo->texts = texts;
    memo->texts_capacity = capacity;
    return BROOD_OK;
}

brood_status bri_fragment_text(bri_fragment_memo *memo, const brood_value *value,
                               bri_noted_text **place)
{
    BROOD_TRY(grow_texts(memo));
    const bri_text *text = bri_text_of(value);
    /* A bytearray hashes by address: equal ones may be many. */
    uintptr_t address = (uintptr_t)text;
    uint64_t hash = brood_value_is_mutable_bytes(value) ? bri_hash_bytes(&address, sizeof address)
                                                        : bri_hash_bytes(text->data, text->size);
    size_t mask = memo->texts_capacity - 1;
    size_t i = (size_t)hash & mask;
    while (memo->texts[i].text != NULL && !is_same(&memo->texts[i], value, hash))
        i = (i + 1) & mask;
    *place = &memo->texts[i];
    (*place)->hash = hash;
    return BROOD_OK;
}

void bri_fragment_keep(bri_fragment_memo *memo, bri_noted_text *place, const brood_value *value,
                       uint32_t slot)
{
    place->text = bri_text_of(value);
    place->kind = value->kind;
    place->mutable_bytes = brood_value_is_mutable_bytes(value);
    place->slot = slot;
    memo->n_texts++;
}

/* ---- setting the instructions in ---- */

static size_t put_instruction(unsigned char out[5], bool put, uint32_t slot)
{
    if (slot <= 0xFF) {
        out[0] = put ? OP_BINPUT : OP_BINGET;
        out[1] = (unsigned char)slot;
        return 2;
    }
    out[0] = put ? OP_LONG_BINPUT : OP_LONG_BINGET;
    for (size_t i = 0; i < 4; i++)
        out[1 + i] = (unsigned char)(slot >> (8 * i));
    return 5;
}

enum { NEVER_GOT = 0, GOT = 1, NUMBERED = 2 /* and its number is slot + NUMBERED */ };

static brood_status write_marks(const bri_buffer *raw, const mark *marks, size_t n,
                                uint32_t *numbers, bri_buffer *out)
{
    size_t done = 0;
    uint32_t next = NUMBERED;
    for (size_t i = 0; i < n; i++) {
        uint32_t *number = &numbers[marks[i].slot];
        if (*number == NEVER_GOT)
            continue;
        if (marks[i].put)
            *number = next++;
        unsigned char bytes[5];
        size_t size = put_instruction(bytes, marks[i].put, *number - NUMBERED);
        BROOD_TRY(bri_buffer_append(out, raw->data + done, marks[i].offset - done));
        BROOD_TRY(bri_buffer_append(out, bytes, size));
        done = marks[i].offset;
    }
    return bri_buffer_append(out, raw->data + done, raw->length - done);
}

brood_status bri_fragment_assemble(const bri_fragment_memo *memo, const bri_buffer *raw,
                                   bri_buffer *out)
{
    const mark *marks = (const mark *)(const void *)memo->marks.data;
    size_t n = memo->marks.length / sizeof *marks;
    uint32_t *numbers = bri_calloc(memo->slots, sizeof *numbers);
    if (numbers == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!marks[i].put)
            numbers[marks[i].slot] = GOT;
    brood_status status = write_marks(raw, marks, n, numbers, out);
    bri_free(numbers);
    return status;
}

void bri_fragment_fini(bri_fragment_memo *memo)
{
    bri_buffer_fini(&memo->marks);
    bri_free(memo->texts);
}
