/* ipc/connect.c - the public client: connects to a listener and proves the key. */
#include <brood/listener.h>

#include "core/runtime.h"
#include "ipc/address.h"
#include "ipc/connection.h"
#include "ipc/handshake.h"
#include "platform/clock.h"
#include "platform/socket.h"

static brood_status open_channel(brp_channel *channel, const char *text, bri_deadline deadline)
{
    bri_address address;
    BROOD_TRY(bri_address_parse(text, &address));
    if (address.kind == BRI_ADDRESS_TCP)
        return brp_tcp_connect(channel, address.host, address.port, deadline);
    return brp_local_connect(channel, text, deadline);
}

static brood_status fail_connect(brood_status status, const char *address)
{
    if (status == BROOD_EEOF)
        return bri_fail(status, "could not connect to \"%s\": the listener closed the connection",
                        address);
    if (status == BROOD_ETIMEDOUT)
        return bri_fail(status,
                        "could not connect to \"%s\": the time is up, and the key is not proved",
                        address);
    return bri_fail_within("could not connect to \"%s\"", address);
}

brood_status brood_connect(brood_connection **connection, const char *address,
                           const brood_connect_options *options, brood_ms timeout)
{
    static const brood_connect_options defaults = {0};
    BROOD_TRY(bri_runtime_check("connect"));
    if (options == NULL)
        options = &defaults;
    bri_deadline deadline = timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
    const bri_auth_key key = {options->authkey, options->authkey_size, options->refuse_md5};
    brp_channel channel;
    bri_handshake handshake;
    BROOD_TRY(open_channel(&channel, address, deadline));
    brood_status status = bri_handshake_begin(&handshake, channel, &key, false, deadline);
    if (status == BROOD_OK)
        status = bri_handshake_run(&handshake, deadline);
    if (status != BROOD_OK) {
        bri_handshake_fini(&handshake);
        return fail_connect(status, address);
    }
    return bri_connection_adopt(connection, handshake.channel, &handshake.reader,
                                options->max_message);
}
