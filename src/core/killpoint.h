/*
 * core/killpoint.h - named points at which a test kills its own process, as a crash would.
 *
 * Each is one line, BRI_KILL_POINT("queue-put-reserved"), at a place where a dead process leaves
 * something half-done. Outside of the test build they are nothing.
 */
#ifndef BRI_KILLPOINT_H
#define BRI_KILLPOINT_H

#ifdef BROOD_TESTING

/* Kills this process when it is the armed point's turn. */
void bri_kill_point(const char *name);

/* From now on this process kills itself when it comes to that point for the n-th time (1 is the
 * next). NULL disarms. `name` is borrowed. Children of fork inherit it, others do not. */
void bri_kill_arm(const char *name, int n);

/* Calls `told` at every point, before it may kill; NULL: no more. */
typedef void (*bri_kill_watcher)(const char *name);
void bri_kill_watch(bri_kill_watcher told);

#define BRI_KILL_POINT(name) bri_kill_point(name)
#else
#define BRI_KILL_POINT(name) ((void)0)
#endif

#endif /* BRI_KILLPOINT_H */
