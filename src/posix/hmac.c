/*
 * posix/hmac.c - libcrypto's one-step HMAC, loaded when the first one is wanted.
 *
 * Not linked: what its loading costs (135 page faults, 400 KiB, two milliseconds) would be paid at
 * each start of a process, and hardly any process proves a key.
 */
#include "platform/hmac.h"

#include <dlfcn.h>
#include <pthread.h>
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

static struct {
    find_method *md5, *sha256;
    compute_hmac *hmac;
    clear_error *clear_error;
} crypto;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C knows no conversion from a pointer to data to one to a function. */
static bool find(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void load(void)
{
    void *library = dlopen(BROOD_CRYPTO_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    is_loaded = library != NULL && find(library, "EVP_md5", &crypto.md5) &&
                find(library, "EVP_sha256", &crypto.sha256) &&
                find(library, "HMAC", &crypto.hmac) &&
                find(library, "ERR_clear_error", &crypto.clear_error);
}

static brood_status fail_load(void)
{
    const char *reason = dlerror(); /* none when another thread's load failed */
    return bri_fail(BROOD_ENOTFOUND, "could not load \"%s\": %s", BROOD_CRYPTO_LIBRARY,
                    reason != NULL ? reason : "it was tried before");
}

brood_status brp_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                      size_t size, unsigned char out[BRP_DIGEST_MOST])
{
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (key_size > INT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not use a key of %zu bytes", key_size);
    pthread_once(&once, load);
    if (!is_loaded)
        return fail_load();
    const EVP_MD *method = digest == BRP_MD5 ? crypto.md5() : crypto.sha256();
    /* A NULL key means the one before, so an empty one needs an address too. */
    if (crypto.hmac(method, key_size == 0 ? "" : key, (int)key_size,
                    size == 0 ? (const unsigned char *)"" : data, size, made, &length) == NULL) {
        crypto.clear_error();
        return bri_fail(BROOD_ENOTSUP, "could not compute an HMAC: libcrypto refuses %s",
                        digest == BRP_MD5 ? "MD5" : "SHA-256");
    }
    memcpy(out, made, length < BRP_DIGEST_MOST ? length : BRP_DIGEST_MOST);
    return BROOD_OK;
}
