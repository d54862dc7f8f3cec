/*
 * lock.pml - the lock: ipc/latch.h and ipc/latch.c. Processes take it, use it and give it back,
 * one of them with a time-out; any step may be a process's last one.
 *
 * Holds: never two inside; the death of one who was inside is told exactly once, to the next; no
 * living process sleeps for ever.
 */
#define N 3
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define SWEEP skip
bool inside[N];
byte told = 0, died_inside = 0;
#define CRASHED(n) if :: inside[n] -> died_inside++ :: else fi
#include "common.pml"

#define WAITED 8 /* a word is 0, or owner + 1, or that with WAITED */
#define OWNER(word) ((word & 7) - 1)

byte word = 0;

inline enter(owner_died)
{
    atomic {
        assert(!inside[0] || dead[0]);
        assert(!inside[1] || dead[1]);
        assert(!inside[2] || dead[2]);
        if
        :: owner_died -> told++
        :: else
        fi;
        inside[me] = true
    }
}

/* The wake of one: any of those who sleep on it. */
inline wake_one()
{
    if
    :: asleep[0] -> asleep[0] = false
    :: asleep[1] -> asleep[1] = false
    :: asleep[2] -> asleep[2] = false
    :: !asleep[0] && !asleep[1] && !asleep[2]
    fi
}

active [N] proctype user()
{
    byte me = _pid - 1, seen, looked, was, round = 0;
    bool is_patient;
    {
again:
    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
       round++;
       is_patient = me != 0;
       /* bri_latch_try */
       atomic { if :: word == 0 -> word = me + 1; was = 0; inside[me] = true :: else -> was = 1 fi };
       if
       :: was == 0 -> goto has_it
       :: else
       fi;
wait:
       looked = deaths;
       seen = word;
       if
       :: seen == 0 ->
          atomic {
              if :: word == 0 -> word = (me + 1) | WAITED; enter(false); goto has_it
                 :: else -> goto wait fi
          }
       :: seen != 0 && declared[OWNER(seen)] ->
          atomic {
              if :: word == seen -> word = (me + 1) | WAITED; enter(inside[OWNER(seen)]); inside[OWNER(seen)] = false; goto has_it
                 :: else -> goto wait fi
          }
       :: else
       fi;
#ifndef FAULT
       atomic {
           if
           :: word == seen -> word = seen | WAITED; seen = seen | WAITED
           :: else -> goto wait
           fi
       };
#else
       seen = seen | WAITED; /* says so without looking: the planted fault */
       word = word | WAITED;
#endif
       PARK(word, seen, looked);
       if
       :: goto wait
       :: !is_patient -> goto give_up /* at any time, also when it was woken just now */
       fi;
give_up:
       seen = word;
       atomic {
           if
           :: word != seen -> goto give_up
           :: word == seen && seen == 0 -> word = (me + 1) | WAITED; enter(false); goto has_it
           :: word == seen && seen != 0 -> word = seen | WAITED; goto again
           fi
       };
has_it:
       /* bri_latch_unlock */
       atomic { was = word; word = 0; inside[me] = false };
       if
       :: (was & WAITED) != 0 -> atomic { wake_one() }
       :: else
       fi
    od;
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
    assert(told <= died_inside);
    assert(word == 0 || declared[OWNER(word)]);
    assert(!asleep[0] && !asleep[1] && !asleep[2])
}
