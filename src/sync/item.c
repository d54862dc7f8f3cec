/* sync/item.c - see the header. */
#include "sync/item.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "data/heap.h"

static const bri_item_type types[] = {
    {"c", 1, BRI_ITEM_CHAR},
    {"u", 4, BRI_ITEM_WIDE},
    {"b", 1, BRI_ITEM_SIGNED},
    {"B", 1, BRI_ITEM_UNSIGNED},
    {"h", sizeof(short), BRI_ITEM_SIGNED},
    {"H", sizeof(short), BRI_ITEM_UNSIGNED},
    {"i", sizeof(int), BRI_ITEM_SIGNED},
    {"I", sizeof(int), BRI_ITEM_UNSIGNED},
    {"l", sizeof(long), BRI_ITEM_SIGNED},
    {"L", sizeof(long), BRI_ITEM_UNSIGNED},
    {"q", sizeof(long long), BRI_ITEM_SIGNED},
    {"Q", sizeof(long long), BRI_ITEM_UNSIGNED},
    {"f", sizeof(float), BRI_ITEM_REAL},
    {"d", sizeof(double), BRI_ITEM_REAL},
};

const bri_item_type *bri_item_type_of(const char *code)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].code, code) == 0)
            return &types[i];
    return NULL;
}

/* ---- memory ---- */

uint64_t bri_item_load(const bri_item_type *type, const void *item)
{
    switch (type->size) {
    case 1:
        return atomic_load((const _Atomic uint8_t *)item);
    case 2:
        return atomic_load((const _Atomic uint16_t *)item);
    case 4:
        return atomic_load((const _Atomic uint32_t *)item);
    default:
        return atomic_load((const _Atomic uint64_t *)item);
    }
}

void bri_item_store(const bri_item_type *type, void *item, uint64_t bits)
{
    switch (type->size) {
    case 1:
        atomic_store((_Atomic uint8_t *)item, (uint8_t)bits);
        break;
    case 2:
        atomic_store((_Atomic uint16_t *)item, (uint16_t)bits);
        break;
    case 4:
        atomic_store((_Atomic uint32_t *)item, (uint32_t)bits);
        break;
    default:
        atomic_store((_Atomic uint64_t *)item, bits);
        break;
    }
}

bool bri_item_swap(const bri_item_type *type, void *item, uint64_t *expected, uint64_t wanted)
{
    bool done;
    uint8_t seen8 = (uint8_t)*expected;
    uint16_t seen16 = (uint16_t)*expected;
    uint32_t seen32 = (uint32_t)*expected;
    switch (type->size) {
    case 1:
        done = atomic_compare_exchange_strong((_Atomic uint8_t *)item, &seen8, (uint8_t)wanted);
        *expected = seen8;
        return done;
    case 2:
        done = atomic_compare_exchange_strong((_Atomic uint16_t *)item, &seen16, (uint16_t)wanted);
        *expected = seen16;
        return done;
    case 4:
        done = atomic_compare_exchange_strong((_Atomic uint32_t *)item, &seen32, (uint32_t)wanted);
        *expected = seen32;
        return done;
    default:
        return atomic_compare_exchange_strong((_Atomic uint64_t *)item, expected, wanted);
    }
}

/* ---- numbers ---- */

static uint64_t mask_of(const bri_item_type *type)
{
    return type->size == 8 ? UINT64_MAX : (UINT64_C(1) << type->size * 8) - 1;
}

int64_t bri_item_integer(const bri_item_type *type, uint64_t bits)
{
    uint64_t sign = (mask_of(type) >> 1) + 1;
    if (type->kind == BRI_ITEM_SIGNED && (bits & sign) != 0)
        bits |= ~mask_of(type);
    return (int64_t)bits;
}

static brood_status fail_range(const bri_item_type *type)
{
    return bri_fail(BROOD_ERANGE, "the number does not fit into an item of type \"%s\"",
                    type->code);
}

brood_status bri_item_integer_bits(const bri_item_type *type, int64_t integer, uint64_t *bits)
{
    uint64_t cut = (uint64_t)integer & mask_of(type);
    if (bri_item_integer(type, cut) != integer)
        return fail_range(type);
    *bits = cut;
    return BROOD_OK;
}

brood_status bri_item_sum(const bri_item_type *type, uint64_t item, int64_t number, uint64_t *sum)
{
    uint64_t cut = (item + (uint64_t)number) & mask_of(type);
    if (type->kind == BRI_ITEM_UNSIGNED) {
        if (number >= 0 ? cut < item || (uint64_t)number > mask_of(type)
                        : cut > item || 0 - (uint64_t)number > item)
            return fail_range(type);
    } else {
        int64_t before = bri_item_integer(type, item), after = bri_item_integer(type, cut);
        uint64_t whole = (uint64_t)before + (uint64_t)number;
        if ((uint64_t)after != whole || (number >= 0 ? after < before : after > before))
            return fail_range(type);
    }
    *sum = cut;
    return BROOD_OK;
}

double bri_item_real(const bri_item_type *type, uint64_t bits)
{
    if (type->size == sizeof(float)) {
        uint32_t half = (uint32_t)bits;
        float single;
        memcpy(&single, &half, sizeof single);
        return (double)single;
    }
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

uint64_t bri_item_real_bits(const bri_item_type *type, double real)
{
    uint64_t bits = 0;
    if (type->size == sizeof(float)) {
        float single = (float)real;
        uint32_t half;
        memcpy(&half, &single, sizeof half);
        return half;
    }
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

/* ---- values ---- */

/* A code point as UTF-8; a surrogate takes three bytes, as everywhere here. */
static size_t encode(uint32_t point, char *text)
{
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, point >>= 6)
        text[i] = (char)(0x80 | (point & 0x3F));
    text[0] = (char)(leads[n] | point);
    return n;
}

/* A str is valid UTF-8; false unless it is one character. */
static bool decode(const char *text, size_t size, uint64_t *point)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = size == 0 ? 0 : s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (n == 0 || n != size)
        return false;
    uint64_t made = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        made = made << 6 | (s[i] & 0x3F);
    *point = made;
    return true;
}

brood_value bri_item_value(const bri_item_type *type, uint64_t bits)
{
    char text[4];
    switch (type->kind) {
    case BRI_ITEM_CHAR:
        text[0] = (char)bits;
        return brood_bytes(text, 1);
    case BRI_ITEM_WIDE:
        if (bits > 0x10FFFF) {
            bri_fail(BROOD_EFORMAT, "an item is no character: %llu", (unsigned long long)bits);
            return (brood_value){.reserved = {BROOD_EFORMAT}};
        }
        return brood_str_n(text, encode((uint32_t)bits, text));
    case BRI_ITEM_SIGNED:
        return brood_int(bri_item_integer(type, bits));
    case BRI_ITEM_UNSIGNED:
        return brood_uint(bits);
    default:
        return brood_float(bri_item_real(type, bits));
    }
}

static brood_status unsigned_bits(const bri_item_type *type, const brood_value *value,
                                  uint64_t *bits)
{
    uint64_t number;
    BROOD_TRY(brood_get_uint(value, &number));
    if (number > mask_of(type))
        return fail_range(type);
    *bits = number;
    return BROOD_OK;
}

static brood_status real_bits(const bri_item_type *type, const brood_value *value, uint64_t *bits)
{
    double number;
    BROOD_TRY(brood_get_float(value, &number));
    uint64_t made = bri_item_real_bits(type, number);
    if (isfinite(number) && !isfinite(bri_item_real(type, made)))
        return fail_range(type);
    *bits = made;
    return BROOD_OK;
}

static brood_status char_bits(const brood_value *value, uint64_t *bits)
{
    const void *data;
    size_t size;
    BROOD_TRY(brood_get_bytes(value, &data, &size));
    if (size != 1)
        return bri_fail(BROOD_ETYPE, "an item of type \"c\" is one byte, not %zu", size);
    *bits = *(const unsigned char *)data;
    return BROOD_OK;
}

static brood_status wide_bits(const brood_value *value, uint64_t *bits)
{
    const char *text;
    size_t size;
    BROOD_TRY(brood_get_str(value, &text, &size));
    if (!decode(text, size, bits))
        return bri_fail(BROOD_ETYPE, "an item of type \"u\" is one character");
    return BROOD_OK;
}

brood_status bri_item_bits(const bri_item_type *type, const brood_value *value, uint64_t *bits)
{
    int64_t number;
    switch (type->kind) {
    case BRI_ITEM_CHAR:
        return char_bits(value, bits);
    case BRI_ITEM_WIDE:
        return wide_bits(value, bits);
    case BRI_ITEM_SIGNED:
        BROOD_TRY(brood_get_int(value, &number));
        return bri_item_integer_bits(type, number, bits);
    case BRI_ITEM_UNSIGNED:
        return unsigned_bits(type, value, bits);
    default:
        return real_bits(type, value, bits);
    }
}
