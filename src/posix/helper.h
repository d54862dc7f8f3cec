/*
 * posix/helper.h - threads of the platform's own.
 */
#ifndef BRP_POSIX_HELPER_H
#define BRP_POSIX_HELPER_H

/* Starts a detached thread with all signals blocked, which brp_thread_count leaves out; an error
 * number. The routine calls brp_helper_ends() last. */
int brp_helper_start(void *(*routine)(void *), void *argument);
void brp_helper_ends(void);

/* How many of them run in this process. */
int brp_helper_count(void);

#endif /* BRP_POSIX_HELPER_H */
