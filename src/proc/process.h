/*
 * proc/process.h - what a process object is made of, and what pools and brood_wait need of it.
 *
 * Kinds: a child that this process started or will start; this process itself; its parent. Members
 * are for src/proc; all of them that change after the start are guarded by the lock of the children
 * (proc/children.h), and no wait happens under it.
 */
#ifndef BRI_PROCESS_H
#define BRI_PROCESS_H

#include <brood/process.h>

#include <stdatomic.h>

#include "ipc/proctable.h"
#include "platform/child.h"
#include "platform/waitmany.h"
#include "proc/call.h"

typedef enum bri_process_kind {
    BRI_PROCESS_CHILD,
    BRI_PROCESS_SELF,
    BRI_PROCESS_PARENT
} bri_process_kind;

typedef enum bri_process_state {
    BRI_PROCESS_CREATED,
    BRI_PROCESS_STARTING, /* some thread is inside brood_process_start */
    BRI_PROCESS_RUNNING,
    BRI_PROCESS_ENDED /* the exit was collected */
} bri_process_state;

enum { BRI_AUTHKEY_SIZE = 32 };

struct brood_process {
    bri_process_kind kind;
    bri_process_state state;
    int references; /* the user's, the list's while it is in it, and each waiting thread's */
    int64_t owner;  /* pid of the process that made it: only that one may start and join it */
    int64_t pid;    /* 0 before the start */
    char *name;
    char *identity; /* "1:2", "" for the root */
    bool daemon;
    unsigned char *authkey;
    size_t authkey_size;

    /* until the start */
    brood_function function;
    char *function_name;
    brood_value arguments;
    brood_value keywords;

    brood_start_method start_number; /* as asked for; DEFAULT is replaced at the start */

    /* from the start on */
    const struct bri_start_method *method; /* proc/start.h */
    brp_child child;     /* of spawn and fork; of forkserver: filled when it is to be signalled */
    brp_handle stream;   /* our end of the bootstrap stream: hello, and later the failure */
    brp_handle lifeline; /* kept end */
    brp_handle status;   /* forkserver: where the exit code comes from, and the sentinel */
    uint32_t server;     /* forkserver: which one forks it: 1, 2, ... */
    atomic_bool lost_server; /* and that it seems to have died; any thread that waits may set it */
    bri_owner slot;          /* in the process table of the arena; 0: none */
    uint64_t loan;           /* of handles among its arguments (ipc/lend.h), until it has ended */
    int exitcode;
    bri_outcome outcome; /* why the function failed */

    /* supervision */
    bool is_launched; /* during the start: there is a child */
    bool is_hidden;   /* the library's own: not among the active children, not joined at exit */
    bool is_listed;
    bool is_destroyed;  /* by its user; nobody can ask for it any more */
    bool is_supervised; /* the supervisor's poller has its sentinel and a reference */
    bool end_is_told;   /* `ended` has run or is running */
    void (*ended)(void *context, brood_process *process);
    void *context;
    /* in the list of children, of those that are being started, or of those to be freed */
    brood_process *next, *previous;
    brood_process *next_due; /* in the list of those whose `ended` is due */
};

/* What to wait for to learn that the child has ended; the handle is valid until
 * brood_process_destroy. `ready` says that the end is known already: then the handle need not show
 * it. BROOD_ESTATE when it was not started, or is no child of this process. */
brood_status bri_process_sentinel(brood_process *process, brp_watch *watch);

/* Frees everything; only when nothing refers to it any more. */
void bri_process_free(brood_process *process);

/* Replaces the authkey by a copy of these bytes. */
brood_status bri_process_set_key(brood_process *process, const void *key, size_t size);

/* Makes a bare object with the given name and identity (both copied). */
brood_status bri_process_make(brood_process **process, bri_process_kind kind, const char *name,
                              const char *identity);

#endif /* BRI_PROCESS_H */
