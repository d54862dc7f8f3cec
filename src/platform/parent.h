/*
 * platform/parent.h - the tree ends when its root dies, whatever killed it.
 *
 * POSIX: the parent keeps the writing end of one pipe a child; it closes when the parent dies, and
 * the kernel then kills the child's process group (Linux: O_ASYNC on the reading end with F_SETSIG
 * SIGKILL and F_SETOWN -group, so that no thread and no handler is needed and a stopped process
 * dies too; elsewhere: a thread that reads). Windows: the job with kill-on-close does it.
 */
#ifndef BRP_PARENT_H
#define BRP_PARENT_H

#include "platform/handle.h"

/* Parent: makes the lifeline of one child. `kept` stays here until the child ended, never given
 * away; a forked child closes every `kept` that it inherits, for it would keep its siblings alive.
 * `given` goes to the child by its handle list and is then closed here. Both BRP_NO_HANDLE where
 * the system needs none. */
brood_status brp_lifeline_create(brp_handle *kept, brp_handle *given);

/* Child: from now on the end of the parent ends this process and its group. `given` is moved in and
 * stays open for ever. Also notices a parent that died before. After fork the child calls it with
 * its own. */
brood_status brp_lifeline_hold(brp_handle given);

#endif /* BRP_PARENT_H */
