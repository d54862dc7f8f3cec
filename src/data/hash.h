/*
 * data/hash.h - the hash behind dict and set: equal keys have equal hashes, and nobody outside can
 * make others collide.
 */
#ifndef BRI_HASH_H
#define BRI_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include <brood/value.h>

/*
 * Sets the secret that all hashes depend on; core does it once with random bytes. Only before the
 * first key is hashed: afterwards it changes nothing and returns false, because the tables that
 * exist could not be searched any more. Threads: safe. Fork: the child inherits the secret, and the
 * tables made with it.
 */
bool bri_hash_seed(const unsigned char seed[16]);

/*
 * The hash of a key; false if it cannot be one (a list, a dict, a set, a bytearray, or one of them
 * inside). A nan equals nothing: `salt` goes into its hash, so that many of them spread; `*salted`
 * is set true then, else it is left alone. Never sets the last error.
 */
bool bri_hash(const brood_value *key, uint64_t salt, uint64_t *hash, bool *salted);

/* Describes that a key cannot be one: BROOD_ETYPE, or the status of an invalid value. */
brood_status bri_fail_key(const brood_value *key);

/* The hash of a str key. */
uint64_t bri_hash_bytes(const void *data, size_t size);

#endif /* BRI_HASH_H */
