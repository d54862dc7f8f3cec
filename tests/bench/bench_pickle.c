/*
 * bench_pickle.c - encodes and decodes the typical value.
 *
 *     --what encode|decode  --count N
 *
 * The typical value is the same in peer_pickle.py and peer_msgpack.c.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

static brood_value make_typical(void)
{
    unsigned char blob[1024];
    brood_value ints = brood_list();
    for (int64_t i = 0; i < 1000; i++)
        BROOD_CHECK(brood_append(&ints, brood_int(i * i)));
    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (unsigned char)i;
    /* clang-format off */
    return brood_pack("{s:l,s:l,s:l,s:f,s:f,s:s,s:s,s:{s:f,s:f},s:v,s:y}",
                      "id", INT64_C(1234567),
                      "parent", INT64_C(-42),
                      "size", INT64_C(1) << 40,
                      "ratio", 0.1,
                      "mean", 2.5e10,
                      "name", "wordcount",
                      "title", "na\xc3\xafve caf\xc3\xa9",
                      "point", "x", 1.5, "y", -2.5,
                      "ints", ints,
                      "blob", blob, sizeof blob);
    /* clang-format on */
}

static int64_t encode(const brood_value *value, long count)
{
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++) {
        void *data;
        size_t size;
        BROOD_CHECK(brood_pickle_dumps(value, &data, &size));
        brood_free(data);
    }
    return bench_now() - begin;
}

static int64_t decode(const void *data, size_t size, long count)
{
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++) {
        brood_value value;
        BROOD_CHECK(brood_pickle_loads(data, size, NULL, &value));
        BENCH_REQUIRE(brood_value_length(&value) == 10);
        brood_value_clear(&value);
    }
    return bench_now() - begin;
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, "count", 10000);
    bool encodes = strcmp(bench_word(argc, argv, "what", "encode"), "encode") == 0;
    brood_value value = make_typical(), again;
    void *data;
    size_t size;
    BENCH_REQUIRE(brood_value_kind(&value) == BROOD_DICT);
    BROOD_CHECK(brood_pickle_dumps(&value, &data, &size));
    BROOD_CHECK(brood_pickle_loads(data, size, NULL, &again));
    BENCH_REQUIRE(brood_value_equal(&value, &again));
    brood_value_clear(&again);

    int64_t elapsed = encodes ? encode(&value, count) : decode(data, size, count);
    bench_print_rate(elapsed, count);
    brood_free(data);
    brood_value_clear(&value);
    return 0;
}
