/*
 * kills.h - kills a process at every point between two steps that a function passes.
 *
 *     static brood_status do_it(brood_call *call)          runs in children
 *     {
 *         const brood_value *objects;
 *         BROOD_TRY(bt_kills_begin(call, &objects));        what `prepare` gave
 *         ...
 *         return bt_kills_end();
 *     }
 *
 * The function runs once with nobody killed, to learn which points there are; then once for each
 * point, and the n-th time that it is passed, with fresh objects, to be killed there; after each
 * `verify` looks at what the others see. With BROOD_TEST_SHOW_KILLS in the environment each kill is
 * written to standard error.
 */
#ifndef BT_KILLS_H
#define BT_KILLS_H

#include "harness.h"

typedef struct bt_kills {
    brood_function run;
    brood_value (*prepare)(void *context); /* the objects, as one value */
    /* In the parent, after the child was killed and collected. */
    void (*verify)(void *context, const char *point, int n);
    void *context;
    int most;                   /* times that a point is tried which is passed more often; 0: 2 */
    const char *const *ignored; /* points of others, by the beginnings of their names; NULL at the
                                   end */
} bt_kills;

/* Returns how often the child was killed. */
int bt_kill_everywhere(const bt_kills *kills);

brood_status bt_kills_begin(brood_call *call, const brood_value **objects);
brood_status bt_kills_end(void);

/* Bytes of the arena's blocks that are in use; exact while no other process works. */
uint64_t bt_arena_used(void);

#endif /* BT_KILLS_H */
