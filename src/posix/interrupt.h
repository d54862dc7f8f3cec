/*
 * posix/interrupt.h - what a child made by fork has of the interrupts that its parent has taken.
 */
#ifndef BRP_POSIX_INTERRUPT_H
#define BRP_POSIX_INTERRUPT_H

/* In the child: it has taken nothing, the former handlers stand again. */
void brp_interrupt_forget(void);

#endif /* BRP_POSIX_INTERRUPT_H */
