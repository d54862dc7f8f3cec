/* ipc/handshake.c - see the header. */
#include "ipc/handshake.h"

#include "base/error.h"

/* Sends what is due. It is far smaller than the buffer of a new channel, so it never waits for one
 * that is well. */
static brood_status send_due(bri_handshake *handshake, bri_deadline deadline)
{
    bri_auth *auth = &handshake->auth;
    size_t written;
    if (auth->out_size == 0)
        return BROOD_OK;
    brood_status status =
        bri_frame_write(handshake->channel, auth->out, auth->out_size, &written, deadline);
    auth->out_size = 0;
    return status == BROOD_ETIMEDOUT
               ? bri_fail(BROOD_EAUTH, "could not authenticate a connection: the other side does "
                                       "not read")
               : status;
}

brood_status bri_handshake_begin(bri_handshake *handshake, brp_channel channel,
                                 const bri_auth_key *key, bool is_listener, bri_deadline deadline)
{
    *handshake = (bri_handshake){.channel = channel};
    BROOD_TRY(bri_auth_begin(&handshake->auth, key, is_listener));
    return send_due(handshake, deadline);
}

/* One message in, and the answer to it. */
static brood_status take_message(bri_handshake *handshake, bri_deadline deadline)
{
    const void *message;
    size_t size;
    brood_status status = bri_frame_read(&handshake->reader, handshake->channel, BRI_AUTH_MOST,
                                         &message, &size, deadline);
    if (status == BROOD_EBROKEN) /* it has gone in the middle of a message */
        return BROOD_EEOF;
    if (status == BROOD_ETOOLONG || status == BROOD_EFORMAT)
        return bri_fail(BROOD_EAUTH,
                        "could not authenticate a connection: what came is no message of this "
                        "protocol");
    BROOD_TRY(status);
    status = bri_auth_take(&handshake->auth, message, size);
    bri_frame_done(&handshake->reader);
    if (status == BROOD_OK)
        return send_due(handshake, deadline);
    bri_saved_error saved;
    bri_error_save(&saved);
    send_due(handshake, deadline); /* it is told that it was refused, if it still listens */
    bri_error_restore(&saved);
    return status;
}

brood_status bri_handshake_run(bri_handshake *handshake, bri_deadline deadline)
{
    while (handshake->auth.step != BRI_AUTH_DONE)
        BROOD_TRY(take_message(handshake, deadline));
    return BROOD_OK;
}

void bri_handshake_fini(bri_handshake *handshake)
{
    brp_channel_close(&handshake->channel);
    bri_frame_fini(&handshake->reader);
}
