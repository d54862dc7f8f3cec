/*
 * win32/parent.c - the tree ends with its root through jobs.
 *
 * Each child is in a job whose only handle its parent holds, and a job whose last handle closes
 * ends its members (win32/spawn.c). So there is nothing to hold and nothing to watch.
 */
#include "platform/parent.h"

#include "win32/win32.h"

brood_status brp_lifeline_create(brp_handle *kept, brp_handle *given)
{
    *kept = BRP_NO_HANDLE;
    *given = BRP_NO_HANDLE;
    return BROOD_OK;
}

brood_status brp_lifeline_hold(brp_handle given)
{
    brp_handle_close(&given);
    return BROOD_OK;
}
