/* win32/hmac.c - BCrypt's HMAC; the providers are opened once, for good. */
#include "platform/hmac.h"

#include <stdatomic.h>
#include <stdint.h>

#include "win32/win32.h"

/* after windows.h */
#include <bcrypt.h>

static _Atomic(BCRYPT_ALG_HANDLE) providers[2];

static NTSTATUS get_provider(brp_digest digest, BCRYPT_ALG_HANDLE *out)
{
    BCRYPT_ALG_HANDLE known = atomic_load(&providers[digest]), made;
    if (known == NULL) {
        NTSTATUS status = BCryptOpenAlgorithmProvider(
            &made, digest == BRP_MD5 ? BCRYPT_MD5_ALGORITHM : BCRYPT_SHA256_ALGORITHM, NULL,
            BCRYPT_ALG_HANDLE_HMAC_FLAG);
        if (status < 0)
            return status;
        if (atomic_compare_exchange_strong(&providers[digest], &known, made))
            known = made;
        else
            BCryptCloseAlgorithmProvider(made, 0);
    }
    *out = known;
    return 0;
}

/* The data, in steps that a ULONG can count. */
static NTSTATUS hash_all(BCRYPT_HASH_HANDLE hash, const unsigned char *data, size_t size)
{
    NTSTATUS status = 0;
    while (size > 0 && status >= 0) {
        ULONG step = size < UINT32_MAX ? (ULONG)size : UINT32_MAX;
        status = BCryptHashData(hash, (PUCHAR)(uintptr_t)data, step, 0);
        data += step;
        size -= step;
    }
    return status;
}

brood_status brp_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                      size_t size, unsigned char out[BRP_DIGEST_MOST])
{
    BCRYPT_ALG_HANDLE provider;
    BCRYPT_HASH_HANDLE hash;
    static unsigned char nothing[1];
    if (key_size > INT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not use a key of %zu bytes", key_size);
    NTSTATUS status = get_provider(digest, &provider);
    if (status >= 0)
        status =
            BCryptCreateHash(provider, &hash, NULL, 0,
                             key_size == 0 ? nothing : (PUCHAR)(uintptr_t)key, (ULONG)key_size, 0);
    if (status >= 0) {
        status = hash_all(hash, data, size);
        if (status >= 0)
            status =
                BCryptFinishHash(hash, out, digest == BRP_MD5 ? BRP_MD5_SIZE : BRP_SHA256_SIZE, 0);
        BCryptDestroyHash(hash);
    }
    if (status < 0)
        return bri_fail(BROOD_ENOTSUP, "could not compute an HMAC: BCrypt refuses %s (0x%08lx)",
                        digest == BRP_MD5 ? "MD5" : "SHA-256", (unsigned long)status);
    return BROOD_OK;
}
