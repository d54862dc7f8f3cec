/* core/transfer.c - see the header. */
#include "core/transfer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"

enum { MAX_CLASSES = 32 };

/* Slots go from NULL to a class once and never back, so readers need no lock. */
static const bri_object_class *_Atomic classes[MAX_CLASSES];

brood_status bri_class_add(const bri_object_class *type)
{
    for (int i = 0; i < MAX_CLASSES; i++) {
        const bri_object_class *there = NULL;
        if (atomic_compare_exchange_strong(&classes[i], &there, type) || there == type)
            return BROOD_OK;
    }
    return bri_fail(BROOD_ELIMIT, "could not add the object class \"%s\": %d is the most",
                    type->name, MAX_CLASSES);
}

const bri_object_class *bri_class_find(const char *name)
{
    for (int i = 0; i < MAX_CLASSES; i++) {
        const bri_object_class *type = atomic_load(&classes[i]);
        if (type == NULL)
            return NULL;
        if (strcmp(type->name, name) == 0)
            return type;
    }
    return NULL;
}

brood_status bri_transfer_add(struct bri_transfer *transfer, brp_handle handle, int64_t *number)
{
    if (transfer->way != BRI_TRANSFER_START)
        return bri_fail(
            BROOD_ENOTSUP,
            "could not send a system handle: it can only be an argument of a process or a task");
    if (transfer->n == BRI_TRANSFER_MAX)
        return bri_fail(BROOD_ELIMIT,
                        "could not send a system handle: %d in one message is the most",
                        BRI_TRANSFER_MAX);
    transfer->handles[transfer->n] = handle;
    *number = (int64_t)transfer->n++;
    return BROOD_OK;
}

brood_status bri_transfer_take(struct bri_transfer *transfer, int64_t number, brp_handle *handle)
{
    if (number < 0 || (uint64_t)number >= transfer->n ||
        !brp_handle_is_set(transfer->handles[number]))
        return bri_fail(
            BROOD_EFORMAT,
            "could not read a message: it names the handle %lld, which did not come with it",
            (long long)number);
    *handle = transfer->handles[number];
    transfer->handles[number] = BRP_NO_HANDLE;
    return BROOD_OK;
}

static const bri_lender *_Atomic the_lender;

void bri_lender_set(const bri_lender *lender)
{
    atomic_store(&the_lender, lender);
}

brood_status bri_transfer_lend(struct bri_transfer *transfer, const bri_lent *what,
                               brood_value *ticket)
{
    return atomic_load(&the_lender)->lend(transfer, what, ticket);
}

brood_status bri_transfer_borrow(const brood_value *ticket, bool is_socket, brp_handle *handle)
{
    return atomic_load(&the_lender)->borrow(ticket, is_socket, handle);
}

void bri_transfer_close_rest(struct bri_transfer *transfer)
{
    for (size_t i = 0; i < transfer->n; i++)
        brp_handle_close(&transfer->handles[i]);
    transfer->n = 0;
}
