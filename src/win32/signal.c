/*
 * win32/signal.c - console events.
 *
 * The system calls the console handler on a thread of its own; it only counts, and brood's thread
 * calls the user's handler.
 */
#include "platform/signal.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "win32/win32.h"

typedef struct interrupts {
    brp_interrupt_handler handler;
    void *context;
    HANDLE pending; /* semaphore: events not yet handed on */
    HANDLE thread;
    atomic_bool stop;
    bool is_orphan; /* given back by its own thread, which frees it */
} interrupts;

static SRWLOCK lock =
    SRWLOCK_INIT; /* guards `taken` and the use of taken->pending by the console's thread */
static interrupts *taken;

static BOOL note(void)
{
    AcquireSRWLockShared(&lock);
    BOOL mine = taken != NULL && ReleaseSemaphore(taken->pending, 1, NULL);
    ReleaseSRWLockShared(&lock);
    return mine;
}

static BOOL WINAPI on_console_event(DWORD event)
{
    /* Somebody logs off: only services are told, nor does it say who, so it is no reason to end
     * ("HandlerRoutine callback function"). The system's own handler for services passes it too. */
    if (event == CTRL_LOGOFF_EVENT || !note())
        return FALSE;
    /* After a closing event the system ends the process as soon as this returns: the program has
     * until the system's own limit (5 s) to end by itself. */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        WaitForSingleObject(GetCurrentProcess(), INFINITE);
    return TRUE;
}

static void free_interrupts(interrupts *self)
{
    bri_w32_close(self->pending);
    bri_free(self);
}

static unsigned __stdcall hand_on(void *argument)
{
    interrupts *self = argument;
    for (int count = 1; !atomic_load(&self->stop); count++) {
        WaitForSingleObject(self->pending, INFINITE);
        if (!atomic_load(&self->stop))
            self->handler(self->context, count);
    }
    if (self->is_orphan)
        free_interrupts(self);
    return 0;
}

/* Accepts a half-made one. The handler itself may come here. */
static void end(interrupts *self)
{
    self->is_orphan = self->thread != NULL && GetThreadId(self->thread) == GetCurrentThreadId();
    atomic_store(&self->stop, true);
    if (self->pending != NULL)
        ReleaseSemaphore(self->pending, 1, NULL);
    bri_w32_thread_join(self->thread);
    if (!self->is_orphan)
        free_interrupts(self);
}

static brood_status start(interrupts **out, brp_interrupt_handler handler, void *context)
{
    interrupts *self = bri_calloc(1, sizeof *self);
    if (self == NULL)
        return BROOD_ENOMEM;
    self->handler = handler;
    self->context = context;
    self->pending = CreateSemaphoreW(NULL, 0, LONG_MAX, NULL);
    brood_status status = BROOD_OK;
    if (self->pending == NULL)
        status = brp_fail(bri_w32_error(), "could not create a semaphore for console events");
    if (status == BROOD_OK)
        status = bri_w32_thread_start(&self->thread, hand_on, self);
    if (status != BROOD_OK) {
        end(self);
        return status;
    }
    *out = self;
    return BROOD_OK;
}

/* Adds the handler to the program's list, from which it is never taken: whoever changes the list
 * waits while a handler runs, and ours waits for the process to end after a closing event. While
 * nothing is taken over it passes every event on. It is added anew each time, because AllocConsole
 * and FreeConsole empty the list. The code stays loaded as long as the list may name it. */
static brood_status add_to_list(void)
{
    HMODULE module;
    SetConsoleCtrlHandler(on_console_event, FALSE);
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            (LPCWSTR)(uintptr_t)on_console_event, &module) ||
        !SetConsoleCtrlHandler(on_console_event, TRUE))
        return brp_fail(bri_w32_error(), "could not take over Ctrl-C");
    return BROOD_OK;
}

brood_status brp_interrupt_take(brp_interrupt_handler handler, void *context)
{
    interrupts *made = NULL;
    BROOD_TRY(start(&made, handler, context));
    brood_status status = add_to_list();
    AcquireSRWLockExclusive(&lock); /* not before: handlers that run wait for it */
    if (status == BROOD_OK && taken != NULL)
        status = bri_fail(BROOD_ESTATE, "could not take over Ctrl-C: it is taken over already");
    if (status == BROOD_OK)
        taken = made;
    ReleaseSRWLockExclusive(&lock);
    if (status != BROOD_OK)
        end(made);
    return status;
}

void brp_interrupt_give_back(void)
{
    AcquireSRWLockExclusive(&lock);
    interrupts *self = taken;
    taken = NULL;
    ReleaseSRWLockExclusive(&lock);
    if (self != NULL)
        end(self);
}

/*
 * A crash ends the child at once, as a signal would: no dialogue, no debugger that waits for
 * somebody.
 *
 * Ctrl-C stays as it is. A child of brood ignores it, because CREATE_NEW_PROCESS_GROUP says so: the
 * console sends it to all processes, but it is meant for the root alone. Ctrl-Break reaches the
 * child.
 */
void brp_signal_reset_child(void)
{
    SetErrorMode(GetErrorMode() | SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}
