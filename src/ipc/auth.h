/*
 * ipc/auth.h - the proof of the key, both ways, as messages in and messages out: no channel, no
 * waiting. Python: deliver_challenge and answer_challenge of multiprocessing.connection.
 *
 * The listener challenges first. A challenge is "#CHALLENGE#" and what the HMAC is made of: for
 * Python before 3.12 20 random bytes, answered by the bare MD5; later "{sha256}" and 40 of them,
 * answered by "{sha256}" and the digest, or by an old Python, which takes all of it for random
 * bytes, with the bare MD5. So lengths tell who speaks, and nothing is negotiated.
 */
#ifndef BRI_AUTH_H
#define BRI_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include <brood/status.h>

enum {
    BRI_AUTH_MOST = 256, /* bytes of a message, as in Python */
    BRI_AUTH_OUT = 64,   /* of ours */
    BRI_AUTH_CHALLENGE = 48
};

typedef struct bri_auth_key {
    const void *data; /* NULL: none is wanted, and none is proved */
    size_t size;
    bool refuse_md5;
} bri_auth_key;

typedef enum bri_auth_step {
    BRI_AUTH_CHALLENGE_DUE, /* of the other side */
    BRI_AUTH_RESPONSE_DUE,
    BRI_AUTH_WELCOME_DUE,
    BRI_AUTH_DONE, /* both have proved it */
    BRI_AUTH_FAILED
} bri_auth_step;

typedef struct bri_auth {
    bri_auth_key key; /* borrowed */
    bool is_listener;
    bri_auth_step step;
    unsigned char challenge[BRI_AUTH_CHALLENGE]; /* ours */
    unsigned char out[BRI_AUTH_OUT];
    size_t out_size; /* a message to be sent now; 0: none */
} bri_auth;

/* Sees to it that the key can be proved later, when this process may have no descriptor left to
 * load the digests. */
brood_status bri_auth_prepare(const bri_auth_key *key);

/* Begins; a listener then has its challenge to send. With no key it is done at once. */
brood_status bri_auth_begin(bri_auth *auth, const bri_auth_key *key, bool is_listener);

/* The next message of the other side. Afterwards `out` is to be sent, also on failure, and `step`
 * tells whether it is done. BROOD_EAUTH: the other side has not the key, or refuses ours, or does
 * not speak this. */
brood_status bri_auth_take(bri_auth *auth, const void *message, size_t size);

#endif /* BRI_AUTH_H */
