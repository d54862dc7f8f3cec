/* posix/hmac.c - libcrypto's one-step HMAC. */
#include "platform/hmac.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

brood_status brp_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                      size_t size, unsigned char out[BRP_DIGEST_MOST])
{
    const EVP_MD *method = digest == BRP_MD5 ? EVP_md5() : EVP_sha256();
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (key_size > INT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not use a key of %zu bytes", key_size);
    /* A NULL key means the one before, so an empty one needs an address too. */
    if (HMAC(method, key_size == 0 ? "" : key, (int)key_size,
             size == 0 ? (const unsigned char *)"" : data, size, made, &length) == NULL) {
        ERR_clear_error();
        return bri_fail(BROOD_ENOTSUP, "could not compute an HMAC: libcrypto refuses %s",
                        digest == BRP_MD5 ? "MD5" : "SHA-256");
    }
    for (unsigned int i = 0; i < length && i < BRP_DIGEST_MOST; i++)
        out[i] = made[i];
    return BROOD_OK;
}

bool brp_same_bytes(const void *one, const void *other, size_t size)
{
    return CRYPTO_memcmp(one, other, size) == 0;
}
