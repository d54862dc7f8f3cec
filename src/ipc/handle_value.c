/* ipc/handle_value.c - sockets and other handles as values. They are two classes, because Windows
 * closes and passes on sockets in another way than all else. */
#include "ipc/handle_value.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "data/object.h"
#include "platform/channel.h"

/* The object in values. */
typedef struct held {
    atomic_int references;
    bool is_socket;
    brp_handle handle; /* BRP_NO_HANDLE: it was taken out */
} held;

static void close_handle(brp_handle handle, bool is_socket)
{
    brp_channel channel = {.handle = handle, .kind = BRP_CHANNEL_SOCKET};
    if (is_socket && brp_handle_is_set(handle))
        brp_channel_close(&channel);
    else
        brp_handle_close(&handle);
}

static brood_status retain(void *object)
{
    atomic_fetch_add(&((held *)object)->references, 1);
    return BROOD_OK;
}

static void release(void *object)
{
    held *self = object;
    if (atomic_fetch_sub(&self->references, 1) != 1)
        return;
    close_handle(self->handle, self->is_socket);
    bri_free(self);
}

/* Takes the handle over, also on failure. */
static brood_status make(brp_handle handle, bool is_socket, void **made)
{
    held *self = bri_calloc(1, sizeof *self);
    if (self == NULL) {
        close_handle(handle, is_socket);
        return BROOD_ENOMEM;
    }
    atomic_init(&self->references, 1);
    self->is_socket = is_socket;
    self->handle = handle;
    *made = self;
    return BROOD_OK;
}

/* ---- in messages ---- */

static brood_status reduce(void *object, bri_transfer *transfer, brood_value *arguments)
{
    held *self = object;
    if (!brp_handle_is_set(self->handle))
        return bri_fail(BROOD_ESTATE, "could not send a %s: it was taken out of the value",
                        self->is_socket ? "socket" : "handle");
    (void)retain(self);
    bri_lent what = {self->handle, self->is_socket, self, release};
    return bri_transfer_lend(transfer, &what, arguments);
}

static brood_status rebuild_as(const brood_value *arguments, bool is_socket, void **object)
{
    brp_handle handle;
    BROOD_TRY(bri_transfer_borrow(arguments, is_socket, &handle));
    return make(handle, is_socket, object);
}

static brood_status rebuild_socket(const brood_value *arguments, bri_transfer *transfer,
                                   void **object)
{
    (void)transfer;
    return rebuild_as(arguments, true, object);
}

static brood_status rebuild_handle(const brood_value *arguments, bri_transfer *transfer,
                                   void **object)
{
    (void)transfer;
    return rebuild_as(arguments, false, object);
}

static const bri_object_class socket_class = {.name = "Socket",
                                              .retain = retain,
                                              .release = release,
                                              .reduce = reduce,
                                              .rebuild = rebuild_socket};

static const bri_object_class handle_class = {.name = "Handle",
                                              .retain = retain,
                                              .release = release,
                                              .reduce = reduce,
                                              .rebuild = rebuild_handle};

brood_status bri_handle_values_start(void)
{
    BROOD_TRY(bri_class_add(&socket_class));
    return bri_class_add(&handle_class);
}

/* ---- values ---- */

static brood_value make_value(intptr_t value, bool is_socket)
{
    void *made;
    brp_handle handle = {value};
    brood_status status =
        bri_runtime_check(is_socket ? "make a value of a socket" : "make a value of a handle");
    if (status == BROOD_OK && !brp_handle_is_set(handle))
        status = bri_fail(BROOD_EINVALID, "could not make a value of a %s: -1 is none",
                          is_socket ? "socket" : "handle");
    if (status != BROOD_OK) {
        close_handle(handle, is_socket);
        return bri_invalid(status);
    }
    status = make(handle, is_socket, &made);
    if (status != BROOD_OK)
        return bri_invalid(status);
    return bri_object_adopt(is_socket ? &socket_class : &handle_class, made);
}

static brood_status find(const brood_value *value, bool is_socket, held **found)
{
    void *object;
    BROOD_TRY(bri_object_get(value, is_socket ? &socket_class : &handle_class, &object));
    *found = object;
    return brp_handle_is_set((*found)->handle)
               ? BROOD_OK
               : bri_fail(BROOD_ESTATE, "could not use a %s: it was taken out of the value",
                          is_socket ? "socket" : "handle");
}

static brood_status get(const brood_value *value, bool is_socket, bool takes, intptr_t *handle)
{
    held *found;
    BROOD_TRY(find(value, is_socket, &found));
    *handle = found->handle.value;
    if (takes)
        found->handle = BRP_NO_HANDLE;
    return BROOD_OK;
}

brood_value brood_socket_value(intptr_t socket)
{
    return make_value(socket, true);
}

brood_status brood_get_socket(const brood_value *value, intptr_t *socket)
{
    return get(value, true, false, socket);
}

brood_status brood_take_socket(const brood_value *value, intptr_t *socket)
{
    return get(value, true, true, socket);
}

brood_value brood_handle_value(intptr_t handle)
{
    return make_value(handle, false);
}

brood_status brood_get_handle(const brood_value *value, intptr_t *handle)
{
    return get(value, false, false, handle);
}

brood_status brood_take_handle(const brood_value *value, intptr_t *handle)
{
    return get(value, false, true, handle);
}
