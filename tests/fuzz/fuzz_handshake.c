/*
 * fuzz_handshake.c - libFuzzer: any messages are taken for a proof of the key, by a listener and by
 * a client; nobody gets in.
 *
 * Each message of the input is a length byte and that many bytes. The first byte of the input says
 * who takes them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/auth.h"

#define REQUIRE(condition)                                 \
    do {                                                   \
        if (!(condition)) {                                \
            fprintf(stderr, "not true: %s\n", #condition); \
            abort();                                       \
        }                                                  \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bri_auth_key key = {"a key that no input has", 23, size != 0 && (data[0] & 2) != 0};
    bri_auth auth;
    if (size == 0 || bri_auth_begin(&auth, &key, (data[0] & 1) != 0) != BROOD_OK)
        return 0;
    for (size_t at = 1; at < size;) {
        size_t length = data[at++];
        if (length > size - at)
            length = size - at;
        brood_status status = bri_auth_take(&auth, data + at, length);
        REQUIRE(status == BROOD_OK || auth.step == BRI_AUTH_FAILED);
        REQUIRE(auth.step != BRI_AUTH_DONE);
        REQUIRE(auth.out_size <= sizeof auth.out);
        at += length;
    }
    return 0;
}
