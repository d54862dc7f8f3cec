/*
 * ipc/handshake.h - the proof of the key over a channel, step by step, so that a listener can have
 * many of them beside each other.
 */
#ifndef BRI_HANDSHAKE_H
#define BRI_HANDSHAKE_H

#include "ipc/auth.h"
#include "ipc/frame.h"

typedef struct bri_handshake {
    brp_channel channel; /* owned */
    bri_frame_reader reader;
    bri_auth auth;
} bri_handshake;

/* Begins with a channel, which is moved in, also on failure, and writes what is due. */
brood_status bri_handshake_begin(bri_handshake *handshake, brp_channel channel,
                                 const bri_auth_key *key, bool is_listener, bri_deadline deadline);

/* Goes on until it is done (BROOD_OK) or the deadline; with one that has passed it takes what is
 * there, and BROOD_ETIMEDOUT means that more is to come. Anything else ends it: BROOD_EAUTH,
 * BROOD_EEOF when the other side has gone. */
brood_status bri_handshake_run(bri_handshake *handshake, bri_deadline deadline);

/* Frees everything; accepts a zeroed one with BRP_NO_CHANNEL. */
void bri_handshake_fini(bri_handshake *handshake);

#endif /* BRI_HANDSHAKE_H */
