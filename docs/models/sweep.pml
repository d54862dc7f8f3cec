/*
 * sweep.pml - what a sweep has to leave to a process that is stopped in the middle of a change:
 * ipc/proctable.c (sweep_slot, bri_proctable_sweep_rest) with ipc/latch.h and ipc/latch.c. One
 * process is dead already and has a share of an object; one has the object's latch, may be stopped
 * at any step for any time, and goes on; another sweeps, and does not wait for it. Any step may be
 * a process's last one.
 *
 * Holds: the share of the dead one is given back, once, as long as anybody lives who can do it.
 *
 * A sweeper does not wait here at all: its 100 ms are over at once.
 */
#define N 3 /* two holders, one after the other, and the sweeper */
#ifndef CRASHES
#define CRASHES 1
#endif
#define SWEEP skip
#include "common.pml"

#define WAITED 8
#define OWNER(word) ((word & 7) - 1)
#define FREE(word) (word == 0 || (OWNER(word) < N && declared[OWNER(word)]))

byte latch = 0; /* of the object */
byte table = 0; /* of the table of processes */
bool unswept = false;
bool share = true; /* of the dead one */
byte given = 0;    /* times that it was given back */

/* bri_shared_sweep with the deadline over: takes the latch, or marks it as waited for. */
inline try_share()
{
    has_it = false;
    is_marked = false;
    do
    :: has_it || is_marked -> break
    :: else ->
       seen = latch;
       if
       :: FREE(seen) ->
          atomic { if :: latch == seen -> latch = me + 1; has_it = true :: else fi }
       :: else ->
          atomic { if :: latch == seen -> latch = seen | WAITED; is_marked = true :: else fi }
       fi
    od;
    if
    :: has_it ->
       /* The account's change: whole, or finished by who takes the latch next. */
       atomic { if :: share -> share = false; given++ :: else fi };
       latch = 0
    :: else
    fi
}

/* sweep_all and sweep_slot, under the table's latch. */
inline sweep_under_table()
{
    unswept = false;
    if
    :: share ->
       try_share();
       if
       :: share ->
          unswept = true;
#ifndef FAULT
          try_share()
#endif
       :: else
       fi
    :: else
    fi
}

inline lock_table()
{
    atomic { FREE(table) -> table = me + 1 }
}

/* Takes the latch, changes, frees it; and looks whether somebody had to leave something. */
inline change_once()
{
    atomic { FREE(latch) -> latch = me + 1 };
    /* Stopped here, for any time. */
    skip;
    atomic { seen = latch; latch = 0 };
    if
    :: (seen & WAITED) != 0 && unswept ->
       lock_table();
       sweep_under_table();
       table = 0
    :: else
    fi
}

active [2] proctype holder()
{
    byte me = _pid - 1, seen;
    bool has_it, is_marked;
    {
    change_once();
    over[me] = true
    } unless { dead[me] }
}

active proctype sweeper()
{
    byte me = _pid - 1, seen;
    bool has_it, is_marked;
    {
    lock_table();
    sweep_under_table();
    table = 0;
    over[me] = true
    } unless { dead[me] }
}

/* A death is declared by whoever learns of it, also while he waits for a latch; then all that are
 * dead and not yet free are swept. */
bool is_due = false;

active proctype world()
{
    do
    :: atomic { dead[0] && !declared[0] -> declared[0] = true; is_due = true }
    :: atomic { dead[1] && !declared[1] -> declared[1] = true; is_due = true }
    :: atomic { dead[2] && !declared[2] -> declared[2] = true; is_due = true }
    od
}

active proctype supervisor()
{
    byte me = N, seen;
    bool has_it, is_marked;
    do
    :: atomic { is_due -> is_due = false };
       lock_table();
       sweep_under_table();
       table = 0
    od
}

active proctype judge()
{
    timeout;
    assert(!share && given == 1);
    assert(FREE(latch));
    assert(FREE(table))
}
