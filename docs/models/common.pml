/*
 * common.pml - what the models share: words of the arena that processes sleep on, crashes at any
 * step, and the supervisor that declares deaths and wakes everybody. When nothing can go on any more
 * a model's judge looks at what is left.
 *
 * A process is parked in three steps, as in ipc/park.c: it publishes its word, looks whether a
 * death was declared since it last looked at the world, and sleeps if the word is as it expects. A
 * death may be declared, and all be woken, between the last two: so a sleeper that has missed a
 * death comes back after a slice of time. It may not hope for that when nobody has died: such
 * slices are left out here, so that a wake that gets lost between the living is found.
 */

bool dead[N];     /* has crashed */
bool declared[N]; /* and the process table says so */
byte deaths = 0;
bool published[N];
bool asleep[N];
byte crashes = 0;

bool over[N]; /* has done all it had to do */

/* Sleeps while the word is as expected; `looked` is the number of deaths before the look at it. */
#define PARK(word, expected, looked)                                          \
    published[me] = true;                                                     \
    if                                                                        \
    :: deaths != looked                                                       \
    :: else ->                                                                \
       atomic { if :: word == expected -> asleep[me] = true :: else fi };     \
       if                                                                     \
       :: !asleep[me]                                                         \
       :: atomic { asleep[me] && deaths != looked -> asleep[me] = false }     \
       fi                                                                     \
    fi;                                                                       \
    published[me] = false

#ifndef CRASHED
#define CRASHED(n) skip
#endif
#define KILL(n) atomic { crashes < CRASHES && !dead[n] && !over[n] -> crashes++; dead[n] = true; asleep[n] = false; CRASHED(n) }

/* Every process runs its steps "unless dead[me]", so each of them may be the last one. */
active proctype killer()
{
    assert(_pid == 0);
    do
    :: KILL(0)
    :: KILL(1)
    :: KILL(2)
#if N > 3
    :: KILL(3)
#endif
    :: break
    od
}

/* What a crash leaves: a declared death after any time, and a wake for all that are parked. */
#define DIED(n)         atomic { dead[n] && !declared[n] -> declared[n] = true; deaths++; who = n }

inline declare_deaths()
{
    byte who, other;
    do
    :: if
       :: DIED(0)
       :: DIED(1)
       :: DIED(2)
#if N > 3
       :: DIED(3)
#endif
       fi;
       SWEEP;
       atomic {
           other = 0;
           do
           :: other < N ->
              if :: published[other] -> asleep[other] = false :: else fi;
              other++
           :: else -> break
           od
       }
    od
}
