/*
 * condition.pml - waiting for a condition: sync/condition.c and sync/seats.c. Two processes wait,
 * one notifies once when both have their seats; any step may be a process's last one.
 *
 * Holds: the notification is not lost: one of the two comes back, unless those who could are dead;
 * and who sleeps though the lock's holder is dead takes the lock over.
 *
 * The lock is the one of lock.pml, here one step.
 */
#define N 3
#ifndef CRASHES
#define CRASHES 2
#endif
#define TOLD 8

byte seat[2];         /* 0: free; 1: waits; 1 + TOLD */
byte holder = 0;      /* of the user's lock: process + 1 */
byte table_latch = 0; /* of the seats */
bool has_come[2];     /* a notification has come to use */
bool notified = false;
#define SWEEP sweep(who)
#include "common.pml"

/* Robust locks: a declared holder is replaced. */
#define FREE(lock) (lock == 0 || (lock <= N && declared[lock - 1]))
#define TAKE(lock) FREE(lock) -> lock = me + 1

inline tell_one()
{
    if
    :: seat[0] == 1 && !declared[0] -> seat[0] = 1 + TOLD; asleep[0] = false
    :: else ->
       if
       :: seat[1] == 1 && !declared[1] -> seat[1] = 1 + TOLD; asleep[1] = false
       :: else
       fi
    fi
}

/* Passes on what the dead one was told, and frees its seat. The sweeper is not killed here; one that
 * waits for a latch sees by itself that its owner is dead. */
inline sweep(gone)
{
    if
    :: gone < 2 ->
       atomic { table_latch == 0 || dead[table_latch - 1] -> table_latch = N + 1 };
#ifndef FAULT
       if
       :: seat[gone] == 1 + TOLD -> atomic { tell_one() }
       :: else
       fi;
#endif
       seat[gone] = 0;
       table_latch = 0
    :: else
    fi
}

active [2] proctype waiter()
{
    byte me = _pid - 1, looked, lost = 0;
    {
    atomic { TAKE(holder) };
    atomic { TAKE(table_latch) };
    seat[me] = 1;
    table_latch = 0;
    holder = 0;
sit:
    looked = deaths;
    if
    :: seat[me] != 1 -> goto has_been_told
    :: else
    fi;
    /* The holder of the lock died: told so instead. */
    atomic {
        if
        :: holder != 0 && FREE(holder) -> holder = me + 1; lost = 1
        :: else
        fi
    };
    if
    :: lost -> goto back
    :: else
    fi;
    PARK(seat[me], 1, looked);
    goto sit;
has_been_told:
    atomic { TAKE(holder) };
back:
    /* Leaving the seat is what makes it used. */
    atomic { seat[me] = 0; has_come[me] = true };
    holder = 0;
    over[me] = true
    } unless { dead[me] }
}

active proctype notifier()
{
    byte me = _pid - 1;
    {
    /* When both sit, or died first. */
    (seat[0] != 0 || dead[0]) && (seat[1] != 0 || dead[1]);
    atomic { TAKE(holder) };
    atomic { TAKE(table_latch) };
    if
    :: seat[0] == 1 && !declared[0] ->
       atomic { if :: seat[0] == 1 -> seat[0] = 1 + TOLD; notified = true :: else fi };
       asleep[0] = false
    :: else ->
       if
       :: seat[1] == 1 && !declared[1] ->
          atomic { if :: seat[1] == 1 -> seat[1] = 1 + TOLD; notified = true :: else fi };
          asleep[1] = false
       :: else
       fi
    fi;
    table_latch = 0;
    holder = 0;
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
    /* Somebody has had it, or nobody who could is alive. */
    assert(!notified || has_come[0] || has_come[1] || (dead[0] && dead[1]));
    /* Nobody sleeps on something that he was told, or beside a dead holder. */
    assert(!(asleep[0] && seat[0] != 1) && !(asleep[1] && seat[1] != 1));
    assert(holder == 0 || !declared[holder - 1] || (!asleep[0] && !asleep[1]))
}
