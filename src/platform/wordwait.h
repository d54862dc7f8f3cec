/*
 * platform/wordwait.h - sleep while a shared 32-bit word has a value; wake sleepers. Under all of
 * sync and queue.
 *
 * Linux: futex. Windows: slots in the section, each with an auto-reset event named from a random
 * 128-bit id. Portable POSIX: buckets of process-shared robust mutexes and conditions in the
 * section. Every wait may end early without reason, so callers loop. A waiter that is killed never
 * blocks a waker, and never takes another's wake with it for longer than until brp_words_sweep of
 * its owner.
 */
#ifndef BRP_WORDWAIT_H
#define BRP_WORDWAIT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/deadline.h"
#include "platform/section.h"

typedef struct brp_words brp_words; /* one process's view; any thread may use it */

/* Bytes of shared state at a 64-byte boundary of the section; 0 where the kernel needs none. */
size_t brp_words_size(void);

/* `shared` is that state (zeroed) in the section that is mapped at `base`; words are known by their
 * distance to `base`. `owner` is a number of this process, unique among the living (its slot in the
 * process table). create is called once a section, before any open. */
brood_status brp_words_create(brp_words **words, void *shared, void *base, uint32_t owner);
brood_status brp_words_open(brp_words **words, void *shared, void *base, uint32_t owner);
void brp_words_close(brp_words *words);

/* After fork, in the child: takes over the inherited view under a new owner number, without system
 * handles shared by mistake. */
brood_status brp_words_after_fork(brp_words *words, uint32_t owner);

/* Sleeps if *word == expected, until woken, a spurious end, or the deadline: BROOD_OK or
 * BROOD_ETIMEDOUT (no message set). Sequentially consistent with respect to a waker that changes
 * the word before brp_word_wake: no wake is lost. */
brood_status brp_word_wait(brp_words *words, _Atomic uint32_t *word, uint32_t expected,
                           bri_deadline deadline);

/* Wakes up to `n` sleepers of the word (INT32_MAX: all). Never blocks, never fails. */
void brp_word_wake(brp_words *words, _Atomic uint32_t *word, int n);

/* Called when the process with that owner number has died: frees what it held here and passes on
 * wakes it had not yet consumed. */
void brp_words_sweep(brp_words *words, uint32_t owner);

#endif /* BRP_WORDWAIT_H */
