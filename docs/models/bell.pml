/*
 * bell.pml - how queues and semaphores wait and wake: ipc/bell.h, with wait_for and try_put of
 * queue/ring.c. One process puts two messages, two take one each; any step may be a process's
 * last one.
 *
 * Holds: nobody sleeps while a message is there.
 *
 * The messages are counted under a latch (lock.pml): here that is one step.
 */
#define N 3
#ifndef CRASHES
#define CRASHES 1
#endif
#define SWEEP skip
#include "common.pml"

byte messages = 0;
byte bell = 0; /* bit 0: somebody may sleep; the rest counts the rings */

inline wake_one()
{
    if
    :: asleep[0] -> asleep[0] = false
    :: asleep[1] -> asleep[1] = false
    :: !asleep[0] && !asleep[1]
    fi
}

/* bri_bell_ring */
#define RING                                                                                 \
    if                                                                                       \
    :: (bell & 1) != 0 ->                                                                    \
       atomic {                                                                              \
           is_mine = (bell & 1) != 0;                                                        \
           if :: is_mine -> bell = bell + 1 :: else fi                                       \
       };                                                                                    \
       if :: is_mine -> atomic { wake_one() } :: else fi                                     \
    :: else                                                                                  \
    fi

active [2] proctype consumer()
{
    byte me = _pid - 1, heard, looked;
    bool got, is_mine, slept = false, is_patient;
    {
    is_patient = me != 0;
again:
    atomic { if :: messages > 0 -> messages--; got = true :: else -> got = false fi };
    if
    :: got -> goto out
    :: else
    fi;
listen:
    looked = deaths;
    atomic { bell = bell | 1; heard = bell };
    if
    :: messages > 0 -> goto again
    :: else
    fi;
    PARK(bell, heard, looked);
    slept = true;
    bell = bell | 1;
    if
    :: messages > 0 -> goto again
    :: messages == 0 && !is_patient -> goto out
    :: messages == 0 -> goto listen
    fi;
out:
#ifndef FAULT
    /* There is more, and this one's wake may have been the only one. */
    if
    :: slept && messages > 0 -> RING
    :: else
    fi;
#endif
    over[me] = true
    } unless { dead[me] }
}

active proctype producer()
{
    byte me = _pid - 1;
    bool is_mine;
    {
    messages++;
    RING;
    messages++;
    RING;
    over[me] = true
    } unless { dead[me] }
}

active proctype supervisor()
{
    declare_deaths()
}

active proctype judge()
{
    timeout;
    assert(messages == 0 || (!asleep[0] && !asleep[1]))
}
