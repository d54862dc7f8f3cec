/*
 * data/hash.c - keyed hashes of keys (SipHash-1-3).
 *
 * Numbers hash by the integer they equal, so that 1, 1.0 and True meet; not by Python's residue,
 * for which anybody can find as many colliding integers as he likes.
 */
#include "data/hash.h"

#include <math.h>
#include <stdatomic.h>

#include "base/error.h"
#include "data/heap.h"

static _Atomic uint64_t seed_low = UINT64_C(0x9E3779B97F4A7C15);
static _Atomic uint64_t seed_high = UINT64_C(0xC2B2AE3D27D4EB4F);
/* 0: no key was hashed yet; 1: the secret can no longer change. Goes up once. */
static atomic_int sealed;

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes,
           sizeof word); /* the byte order does not matter: hashes never leave the process */
    return word;
}

bool bri_hash_seed(const unsigned char seed[16])
{
    if (atomic_exchange(&sealed, 1) != 0)
        return false;
    atomic_store_explicit(&seed_low, word_at(seed), memory_order_relaxed);
    atomic_store_explicit(&seed_high, word_at(seed + 8), memory_order_relaxed);
    return true;
}

/* ---- SipHash, one round a word and three at the end ---- */

typedef struct sip {
    uint64_t v0, v1, v2, v3;
} sip;

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline sip sip_begin(void)
{
    if (atomic_load_explicit(&sealed, memory_order_relaxed) == 0)
        atomic_store_explicit(&sealed, 1, memory_order_relaxed);
    uint64_t low = atomic_load_explicit(&seed_low, memory_order_relaxed);
    uint64_t high = atomic_load_explicit(&seed_high, memory_order_relaxed);
    return (sip){low ^ UINT64_C(0x736F6D6570736575), high ^ UINT64_C(0x646F72616E646F6D),
                 low ^ UINT64_C(0x6C7967656E657261), high ^ UINT64_C(0x7465646279746573)};
}

static inline void sip_word(sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t sip_end(sip *s)
{
    s->v2 ^= 0xFF;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static uint64_t hash_words(uint64_t first, uint64_t second)
{
    sip s = sip_begin();
    sip_word(&s, first);
    sip_word(&s, second);
    return sip_end(&s);
}

static uint64_t hash_word(uint64_t word)
{
    sip s = sip_begin();
    sip_word(&s, word);
    return sip_end(&s);
}

uint64_t bri_hash_bytes(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    sip s = sip_begin();
    size_t i = 0;
    for (; size - i >= 8; i += 8)
        sip_word(&s, word_at(bytes + i));
    uint64_t last = (uint64_t)size << 56;
    for (size_t shift = 0; i < size; i++, shift += 8)
        last |= (uint64_t)bytes[i] << shift;
    sip_word(&s, last);
    return sip_end(&s);
}

/* ---- kinds ---- */

static uint64_t hash_float(double number, uint64_t salt, bool *salted)
{
    if (isnan(number)) {
        *salted = true;
        return hash_words(3, salt);
    }
    if (number >= -9223372036854775808.0 && number < 9223372036854775808.0 &&
        (double)(int64_t)number == number)
        return hash_word((uint64_t)(int64_t)number);
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (isinf(number) || fabs(number) < 9223372036854775808.0)
        return hash_words(4, bits);
    unsigned char bytes[BRI_DOUBLE_BYTES]; /* so large that it is integral */
    return bri_hash_bytes(bytes, bri_integer_of_double(number, bytes));
}

static bool hash_tuple(const brood_value *tuple, uint64_t salt, uint64_t *hash, bool *salted)
{
    size_t count = bri_array_count(tuple);
    sip s = sip_begin();
    sip_word(&s, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t item;
        if (!bri_hash(&bri_array_of(tuple)->items[i], salt, &item, salted))
            return false;
        sip_word(&s, item);
    }
    *hash = sip_end(&s);
    return true;
}

/* In whatever order the items were put in. Their hashes are known, so nothing below is walked
 * again. */
static uint64_t hash_frozenset(const brood_value *set, uint64_t salt, bool *salted)
{
    uint64_t sum = 0;
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(set, &position)) != NULL;)
        sum += entry->hash;
    if (set->as.heap != NULL && bri_table_of(set)->salted) {
        *salted = true;
        sum += hash_words(3, salt);
    }
    return hash_words(5 + (uint64_t)bri_table_count(set), sum);
}

static uint64_t hash_failure(const brood_value *error)
{
    const bri_failure *failure = bri_failure_of(error);
    return bri_hash_bytes(failure->text, strlen(failure->text));
}

static uint64_t hash_opaque(const brood_value *value)
{
    const bri_opaque *opaque = bri_opaque_of(value);
    return bri_hash_bytes(opaque->data, opaque->size);
}

brood_status bri_fail_key(const brood_value *key)
{
    if (key->kind == BROOD_INVALID)
        return bri_fail_invalid(key);
    return bri_fail(BROOD_ETYPE, "could not use a %s as a key: it is not hashable",
                    brood_value_is_mutable_bytes(key) ? "bytearray"
                                                      : brood_kind_name((brood_kind)key->kind));
}

bool bri_hash(const brood_value *key, uint64_t salt, uint64_t *hash, bool *salted)
{
    switch (key->kind) {
    case BROOD_NONE:
        *hash = hash_words(1, 0);
        return true;
    case BROOD_BOOL:
        *hash = hash_word(key->as.boolean);
        return true;
    case BROOD_INT:
        *hash = hash_word((uint64_t)key->as.integer);
        return true;
    case BROOD_FLOAT:
        *hash = hash_float(key->as.real, salt, salted);
        return true;
    case BROOD_BYTES:
        if (brood_value_is_mutable_bytes(key))
            return false;
        *hash = bri_hash_bytes(bri_text_of(key)->data, bri_text_of(key)->size);
        return true;
    case BROOD_STR:
    case BROOD_BIGINT:
        *hash = bri_hash_bytes(bri_text_of(key)->data, bri_text_of(key)->size);
        return true;
    case BROOD_TUPLE:
        return hash_tuple(key, salt, hash, salted);
    case BROOD_FROZENSET:
        *hash = hash_frozenset(key, salt, salted);
        return true;
    case BROOD_OBJECT:
        *hash = hash_words(2, (uint64_t)(uintptr_t)bri_box_of(key)->object);
        return true;
    case BROOD_OPAQUE:
        *hash = hash_opaque(key);
        return true;
    case BROOD_ERROR:
        *hash = hash_failure(key);
        return true;
    default:
        return false;
    }
}
