/*
 * win32/signal.c - console events.
 *
 * The system calls the console handler on a thread of its own; it only counts, and brood's thread
 * calls the user's handler.
 */
#include "platform/signal.h"

#include <stdatomic.h>
#include <stdbool.h>

#include <process.h>

#include "win32/win32.h"

typedef struct interrupts {
    brp_interrupt_handler handler;
    void *context;
    HANDLE pending; /* semaphore: events not yet handed on */
    HANDLE thread;
    DWORD thread_id;
    atomic_bool stop;
} interrupts;

static SRWLOCK lock =
    SRWLOCK_INIT; /* guards `taken` and the use of taken->pending by the console's thread */
static interrupts *taken;
static interrupts only; /* one a process */

static BOOL note(void)
{
    AcquireSRWLockShared(&lock);
    BOOL mine = taken != NULL && ReleaseSemaphore(taken->pending, 1, NULL);
    ReleaseSRWLockShared(&lock);
    return mine;
}

static BOOL WINAPI on_console_event(DWORD event)
{
    if (!note())
        return FALSE;
    /* After a closing event the system ends the process as soon as this returns: the program has
     * until the system's own limit (5 s) to end by itself. */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        WaitForSingleObject(GetCurrentProcess(), INFINITE);
    return TRUE;
}

static unsigned __stdcall hand_on(void *argument)
{
    interrupts *self = argument;
    for (int count = 1;; count++) {
        WaitForSingleObject(self->pending, INFINITE);
        if (atomic_load(&self->stop))
            return 0;
        self->handler(self->context, count);
    }
}

static void free_parts(interrupts *self)
{
    bri_w32_close(self->thread);
    bri_w32_close(self->pending);
    self->thread = self->pending = NULL;
}

static brood_status start(interrupts *self)
{
    self->pending = CreateSemaphoreW(NULL, 0, LONG_MAX, NULL);
    if (self->pending == NULL)
        return brp_fail(bri_w32_error(), "could not create a semaphore for console events");
    unsigned id = 0;
    self->thread = (HANDLE)_beginthreadex(NULL, 0, hand_on, self, 0, &id);
    self->thread_id = id;
    if (self->thread == NULL)
        return brp_fail(ERROR_MAX_THRDS_REACHED, "could not start a thread for console events");
    return BROOD_OK;
}

static void stop_thread(interrupts *self)
{
    if (self->thread == NULL)
        return;
    atomic_store(&self->stop, true);
    ReleaseSemaphore(self->pending, 1, NULL);
    if (GetCurrentThreadId() != self->thread_id) /* the handler itself may give back */
        WaitForSingleObject(self->thread, INFINITE);
}

brood_status brp_interrupt_take(brp_interrupt_handler handler, void *context)
{
    AcquireSRWLockExclusive(&lock);
    brood_status status = BROOD_OK;
    if (taken != NULL) {
        status = bri_fail(BROOD_ESTATE, "could not take over Ctrl-C: it is taken over already");
    } else {
        only = (interrupts){.handler = handler, .context = context};
        status = start(&only);
        if (status == BROOD_OK && !SetConsoleCtrlHandler(on_console_event, TRUE))
            status = brp_fail(bri_w32_error(), "could not take over Ctrl-C");
        if (status == BROOD_OK) {
            taken = &only;
        } else {
            stop_thread(&only);
            free_parts(&only);
        }
    }
    ReleaseSRWLockExclusive(&lock);
    return status;
}

void brp_interrupt_give_back(void)
{
    AcquireSRWLockExclusive(&lock);
    interrupts *self = taken;
    taken = NULL;
    ReleaseSRWLockExclusive(&lock);
    if (self == NULL)
        return;
    SetConsoleCtrlHandler(on_console_event, FALSE);
    stop_thread(self);
    free_parts(self);
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
