/*
 * posix/hmac.c - libcrypto's one-step HMAC, loaded when the first one is wanted.
 *
 * Not linked: what its loading costs (135 page faults, 400 KiB, two milliseconds) would be paid at
 * each start of a process, and hardly any process proves a key.
 */
#include "platform/hmac.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

typedef const EVP_MD *find_method(void);
typedef unsigned char *compute_hmac(const EVP_MD *method, const void *key, int key_size,
                                    const unsigned char *data, size_t size, unsigned char *out,
                                    unsigned int *length);
typedef void clear_error(void);

_Static_assert(_Generic(&EVP_md5, find_method * : 1, default : 0) &&
                   _Generic(&EVP_sha256, find_method * : 1, default : 0) &&
                   _Generic(&HMAC, compute_hmac * : 1, default : 0) &&
                   _Generic(&ERR_clear_error, clear_error * : 1, default : 0),
               "libcrypto's functions have other types here");

enum { ABSENT, WRITING, LOADED };

typedef struct crypto {
    find_method *md5, *sha256;
    compute_hmac *hmac;
    clear_error *clear_error;
} crypto;

/* Written once, by the thread that moves `stage` from ABSENT; read by whoever sees LOADED. No lock:
 * a forked child could find it held. */
static crypto loaded;
static atomic_int stage;

/* ISO C knows no conversion from a pointer to data to one to a function. */
static bool find(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static bool load(crypto *functions)
{
    void *library = dlopen(BROOD_CRYPTO_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    return library != NULL && find(library, "EVP_md5", &functions->md5) &&
           find(library, "EVP_sha256", &functions->sha256) &&
           find(library, "HMAC", &functions->hmac) &&
           find(library, "ERR_clear_error", &functions->clear_error);
}

/* One that fails, for want of a descriptor for example, is tried again by the next call. */
static brood_status get_crypto(crypto *functions)
{
    if (atomic_load(&stage) == LOADED) {
        *functions = loaded;
        return BROOD_OK;
    }
    if (!load(functions))
        return bri_fail(BROOD_ENOTFOUND, "could not load \"%s\": %s", BROOD_CRYPTO_LIBRARY,
                        dlerror());
    int absent = ABSENT;
    if (atomic_compare_exchange_strong(&stage, &absent, WRITING)) {
        loaded = *functions;
        atomic_store(&stage, LOADED);
    }
    return BROOD_OK;
}

brood_status brp_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                      size_t size, unsigned char out[BRP_DIGEST_MOST])
{
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    crypto library;
    if (key_size > INT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not use a key of %zu bytes", key_size);
    BROOD_TRY(get_crypto(&library));
    const EVP_MD *method = digest == BRP_MD5 ? library.md5() : library.sha256();
    /* A NULL key means the one before, so an empty one needs an address too. */
    if (library.hmac(method, key_size == 0 ? "" : key, (int)key_size,
                     size == 0 ? (const unsigned char *)"" : data, size, made, &length) == NULL) {
        library.clear_error();
        return bri_fail(BROOD_ENOTSUP, "could not compute an HMAC: libcrypto refuses %s",
                        digest == BRP_MD5 ? "MD5" : "SHA-256");
    }
    memcpy(out, made, length < BRP_DIGEST_MOST ? length : BRP_DIGEST_MOST);
    return BROOD_OK;
}
