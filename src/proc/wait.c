/* proc/wait.c - waiting for any of many connections and processes. */
#include <brood/wait.h>

#include "base/memory.h"
#include "ipc/connection.h"
#include "platform/clock.h"
#include "proc/process.h"

/* What one item waits for; *is_ready when it need not. */
static brood_status watch_item(const brood_wait_item *item, brp_watch *watch, bool *is_ready)
{
    *is_ready = false;
    if ((item->connection != NULL) == (item->process != NULL))
        return bri_fail(BROOD_EINVALID, "could not wait: an item has to name one thing, a "
                                        "connection or a process");
    if (item->connection != NULL)
        return bri_connection_watch(item->connection, watch, is_ready);
    BROOD_TRY(bri_process_sentinel(item->process, watch));
    *is_ready = watch->ready;
    return BROOD_OK;
}

/* Items that are ready already are marked so in their watches; *any tells whether there are. */
static brood_status watch_all(const brood_wait_item *items, size_t n, brp_watch *watches,
                              bool *ready, bool *any)
{
    for (size_t i = 0; i < n; i++) {
        BROOD_TRY(watch_item(&items[i], &watches[i], &ready[i]));
        *any = *any || ready[i];
    }
    return BROOD_OK;
}

brood_status brood_wait(brood_wait_item *items, size_t n, brood_ms timeout)
{
    bool any = false;
    BROOD_TRY(bri_runtime_check("wait"));
    brp_watch *watches = bri_calloc(n, sizeof *watches + sizeof(bool));
    if (watches == NULL)
        return BROOD_ENOMEM;
    bool *ready = (bool *)(watches + n);
    brood_status status = watch_all(items, n, watches, ready, &any);
    if (status == BROOD_OK) {
        /* With some ready the others are only looked at. */
        bri_deadline deadline = any           ? 0
                                : timeout < 0 ? BRI_NEVER
                                              : bri_deadline_after(brp_clock_now(), timeout);
        status = brp_wait_any(watches, n, deadline, NULL);
        if (any && status == BROOD_ETIMEDOUT)
            status = BROOD_OK;
    }
    if (status == BROOD_OK || status == BROOD_ETIMEDOUT)
        for (size_t i = 0; i < n; i++)
            items[i].ready = ready[i] || watches[i].ready;
    bri_free(watches);
    return status;
}
