/*
 * platform/hmac.h - keyed digests for the authentication of connections.
 *
 * POSIX: libcrypto, loaded on first use. Windows: BCrypt. APR has neither SHA-256 nor HMAC.
 */
#ifndef BRP_HMAC_H
#define BRP_HMAC_H

#include <stddef.h>

#include "platform/error.h"

typedef enum brp_digest { BRP_MD5, BRP_SHA256 } brp_digest;

enum { BRP_MD5_SIZE = 16, BRP_SHA256_SIZE = 32, BRP_DIGEST_MOST = 32 };

/* Writes the HMAC of the data: BRP_MD5_SIZE or BRP_SHA256_SIZE bytes. Key and data may be empty.
 * BROOD_ENOTSUP where the system's policy forbids the digest (MD5 in FIPS mode), BROOD_ENOTFOUND
 * where the library with the digests cannot be loaded; the next call tries again. */
brood_status brp_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                      size_t size, unsigned char out[BRP_DIGEST_MOST]);

#endif /* BRP_HMAC_H */
