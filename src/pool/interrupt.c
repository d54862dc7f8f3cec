/* pool/interrupt.c - Ctrl-C as a wish to end: once drains all pools, twice kills their workers. */
#include "pool/interrupt.h"

#include "core/thread.h"
#include "platform/signal.h"

static struct {
    atomic_int count;
    brood_interrupt_callback callback;
    void *context;
} interrupts;

/* On a thread of the platform's, which a fork does not know: it works inside the gate. */
static void on_interrupt(void *context, int count)
{
    (void)context;
    atomic_store(&interrupts.count, count);
    bri_gate_enter();
    bri_pools_interrupt(count > 1);
    bri_gate_leave();
    if (interrupts.callback != NULL)
        interrupts.callback(interrupts.context, count);
}

brood_status brood_handle_interrupt(brood_interrupt_callback callback, void *context)
{
    BROOD_TRY(bri_runtime_check("handle interrupts"));
    interrupts.callback = callback;
    interrupts.context = context;
    atomic_store(&interrupts.count, 0);
    return brp_interrupt_take(on_interrupt, NULL);
}

void brood_unhandle_interrupt(void)
{
    brp_interrupt_give_back();
}

int brood_interrupt_count(void)
{
    return atomic_load(&interrupts.count);
}
