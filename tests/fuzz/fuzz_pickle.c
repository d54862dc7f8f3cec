/*
 * fuzz_pickle.c - libFuzzer: any bytes are read as a pickle; what is accepted comes back as an
 * equal value.
 *
 * The memory and node limits are small, so that a slow input is a finding and not a large value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "data/pickle.h"

#define REQUIRE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "not true: %s: %s\n", #condition, brood_last_error()->message); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

static const brood_pickle_limits limits = {
    .max_depth = 200, .max_nodes = 100000, .max_bytes = 16 * 1024 * 1024};

/* What a foreign object was made from stays as it came, also what says the same twice: a set of a
 * list with equal items. It is only the same bytes once it was written and read. */
static bool has_opaque(const brood_value *value)
{
    char *text;
    REQUIRE(brood_value_repr(value, &text) == BROOD_OK);
    bool has = strstr(text, "<opaque") != NULL;
    brood_free(text);
    return has;
}

/* Two writings of equal values are the same bytes. */
static void check_round_trip(const brood_value *value, bool was_read)
{
    bri_buffer first = {0};
    bri_buffer second = {0};
    brood_value again;
    brood_value copy;
    char *text;
    REQUIRE(bri_pickle_write(value, NULL, &first) == BROOD_OK);
    REQUIRE(bri_pickle_read(first.data, first.length, NULL, &again, NULL) == BROOD_OK);
    REQUIRE(bri_pickle_write(&again, NULL, &second) == BROOD_OK);
    if (!was_read && has_opaque(value))
        check_round_trip(&again, true);
    else
        REQUIRE(first.length == second.length &&
                memcmp(first.data, second.data, first.length) == 0);
    REQUIRE(brood_value_copy(&again, &copy) == BROOD_OK);
    REQUIRE(brood_value_repr(&copy, &text) == BROOD_OK);
    brood_value_equal(value, &copy); /* nan equals nothing, so nothing can be required */
    brood_free(text);
    brood_value_clear(&again);
    brood_value_clear(&copy);
    bri_buffer_fini(&first);
    bri_buffer_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bri_span buffers[2] = {{"first", 5}, {"second", 6}};
    bri_pickle_options options = {.limits = limits, .buffers = buffers, .n_buffers = 2};
    long before = bri_memory_blocks();
    size_t used = 0;
    brood_value value;
    if (bri_pickle_read(data, size, &options, &value, &used) == BROOD_OK) {
        REQUIRE(used <= size && value.kind != BROOD_INVALID);
        check_round_trip(&value, false);
        brood_value error;
        if (value.kind == BROOD_OPAQUE && brood_opaque_as_error(&value, &error) == BROOD_OK)
            brood_value_clear(&error);
        brood_value_clear(&value);
    }
    REQUIRE(bri_memory_blocks() == before);
    return 0;
}
