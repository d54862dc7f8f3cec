/*
 * proc/start.h - the start methods: one file each behind this interface, chosen by a table.
 *
 * What is common (checks, lifeline, bootstrap stream, slot, hello, clean-up after a failure) is in
 * start.c; a method only makes the process and knows how to learn of its end.
 */
#ifndef BRI_START_H
#define BRI_START_H

#include "base/buffer.h"
#include "core/transfer.h"
#include "proc/block.h"
#include "proc/process.h"

/* One start under way. Everything in it is closed by start.c, whether it succeeded or not. */
typedef struct bri_launch {
    brood_process *process;
    bri_deadline deadline;
    brp_handle stream;   /* the child's end of the bootstrap stream */
    brp_handle lifeline; /* the child's end of its lifeline; not set where none is needed */
    unsigned char token[BRI_TOKEN_SIZE];
    char *directory;  /* where the child is to go; NULL: where this process is */
    bri_buffer block; /* header and payload of the start block, where the method sends one */
} bri_launch;

typedef struct bri_start_method {
    brood_start_method number;
    bool (*is_supported)(void);

    /* Before a start, with no lock held; may be NULL. */
    brood_status (*prepare)(bri_launch *launch);

    /*
     * Makes the child and fills process->pid and what the functions below need. On failure nothing
     * of the child is left. Called without the lock, one start of this process at a time.
     *
     * Leaves in launch->block what start.c then writes to the stream; nothing where the child has
     * inherited all. Does not return in the child of a fork.
     */
    brood_status (*launch)(bri_launch *launch);

    /* After a start that failed, with no lock held; may be NULL. True when what prepare has found
     * was at its end already: the start is tried once more. */
    bool (*was_late)(brood_process *process);

    /* What is ready when the child has ended. */
    void (*sentinel)(brood_process *process, brp_watch *watch);

    /* After the sentinel was ready: ends what is left of its tree and gives the exit code. Takes at
     * most until the deadline: BROOD_ETIMEDOUT. */
    brood_status (*collect)(brood_process *process, int *exitcode, bri_deadline deadline);

    brood_status (*signal)(brood_process *process, brp_signal signal);
    brood_status (*kill_tree)(brood_process *process);
} bri_start_method;

extern const bri_start_method bri_start_spawn, bri_start_fork, bri_start_forkserver;

/* What spawn and fork have in common: a child of our own, known by process->child. */
void bri_own_sentinel(brood_process *process, brp_watch *watch);
brood_status bri_own_collect(brood_process *process, int *exitcode, bri_deadline deadline);
brood_status bri_own_signal(brood_process *process, brp_signal signal);
brood_status bri_own_kill_tree(brood_process *process);

/* Fills launch->block for the process, with the handles of the tree and of its arguments in
 * `transfer`. An arena handle goes along only `with_arena`: a fork inherits the mapping. */
brood_status bri_start_write_block(bri_launch *launch, bool with_arena,
                                   struct bri_transfer *transfer);

/* The method of that number (never DEFAULT); BROOD_EINVALID, BROOD_ENOTSUP. */
brood_status bri_start_find(brood_start_method number, const bri_start_method **method);

#endif /* BRI_START_H */
