/*
 * peer_msgpack.c - encodes and decodes the typical value of bench_pickle.c with msgpack-c.
 *
 *     --what encode|decode  --count N
 */
/* brood-bench: pkg-config msgpack */
#include <msgpack.h>
#include <string.h>

#include "bench.h"

static void pack_text(msgpack_packer *packer, const char *text)
{
    size_t size = strlen(text);
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, text, size);
}

static void pack_typical(msgpack_packer *packer, const unsigned char *blob, size_t size)
{
    msgpack_pack_map(packer, 10);
    pack_text(packer, "id");
    msgpack_pack_int64(packer, 1234567);
    pack_text(packer, "parent");
    msgpack_pack_int64(packer, -42);
    pack_text(packer, "size");
    msgpack_pack_int64(packer, INT64_C(1) << 40);
    pack_text(packer, "ratio");
    msgpack_pack_double(packer, 0.1);
    pack_text(packer, "mean");
    msgpack_pack_double(packer, 2.5e10);
    pack_text(packer, "name");
    pack_text(packer, "wordcount");
    pack_text(packer, "title");
    pack_text(packer, "na\xc3\xafve caf\xc3\xa9");
    pack_text(packer, "point");
    msgpack_pack_map(packer, 2);
    pack_text(packer, "x");
    msgpack_pack_double(packer, 1.5);
    pack_text(packer, "y");
    msgpack_pack_double(packer, -2.5);
    pack_text(packer, "ints");
    msgpack_pack_array(packer, 1000);
    for (int64_t i = 0; i < 1000; i++)
        msgpack_pack_int64(packer, i * i);
    pack_text(packer, "blob");
    msgpack_pack_bin(packer, size);
    msgpack_pack_bin_body(packer, blob, size);
}

static void check(const msgpack_object *object)
{
    const msgpack_object_map *map = &object->via.map;
    BENCH_REQUIRE(object->type == MSGPACK_OBJECT_MAP && map->size == 10);
    BENCH_REQUIRE(map->ptr[1].val.via.i64 == -42);
    BENCH_REQUIRE(map->ptr[8].val.via.array.size == 1000);
    BENCH_REQUIRE(map->ptr[8].val.via.array.ptr[999].via.u64 == 998001);
    BENCH_REQUIRE(map->ptr[9].val.via.bin.size == 1024);
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, "count", 10000);
    bool encodes = strcmp(bench_word(argc, argv, "what", "encode"), "encode") == 0;
    unsigned char blob[1024];
    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (unsigned char)i;

    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_typical(&packer, blob, sizeof blob);

    int64_t begin = bench_now();
    for (long i = 0; i < count && encodes; i++) {
        msgpack_sbuffer_clear(&buffer);
        pack_typical(&packer, blob, sizeof blob);
    }
    for (long i = 0; i < count && !encodes; i++) {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        BENCH_REQUIRE(msgpack_unpack_next(&unpacked, buffer.data, buffer.size, NULL) ==
                      MSGPACK_UNPACK_SUCCESS);
        check(&unpacked.data);
        msgpack_unpacked_destroy(&unpacked);
    }
    int64_t elapsed = bench_now() - begin;

    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    BENCH_REQUIRE(msgpack_unpack_next(&unpacked, buffer.data, buffer.size, NULL) ==
                  MSGPACK_UNPACK_SUCCESS);
    check(&unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    msgpack_sbuffer_destroy(&buffer);
    bench_print_rate(elapsed, count);
    return 0;
}
