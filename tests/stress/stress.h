/*
 * stress.h - what the files of the stress program share: the objects that everybody uses, and the
 * record of what was done, in the arena.
 *
 * A worker has a number of its own; one that is killed is followed by another with the next. In its
 * line of the record it counts what it has done, right after each thing, so the record is at most
 * one thing of each killed worker behind.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

enum {
    MOST_WORKERS = 4096, /* in a round */
    MESSAGES = 1024,     /* of a worker to a queue */
    BATCH = 8,
    UNITS = 3,
    PARTIES = 2,
    KEPT_TURNS = 16
};

typedef enum queue_name { WIDE, NARROW, WORK, ENDING, QUEUES } queue_name;

/* In the order in which they travel. */
typedef struct world {
    brood_queue
        *queues[QUEUES]; /* without bounds; of five messages; joinable; with its producers */
    brood_lock *lock;
    brood_rlock *rlock;
    brood_semaphore *semaphore;
    brood_event *event;
    brood_condition *condition;
    brood_barrier *barrier;
    brood_array *counters;       /* added to without a lock; with the array's own; by comparing */
    brood_shared_memory *memory; /* a number of each worker */
    brood_shareable_list *list;  /* one number, under the lock */
} world;

/* What one worker did. */
typedef struct line {
    _Atomic uint32_t puts[QUEUES]; /* that have returned */
    _Atomic uint32_t locks, rlocks, adds, locked_adds, swaps, touches;
    _Atomic uint32_t names;   /* of memory that it was about to make */
    _Atomic uint64_t choices; /* what it did in its first turns, four bits each */
    _Atomic uint32_t turns;
    _Atomic uint8_t seen[QUEUES][MESSAGES / 8]; /* messages of this worker that were taken */
} line;

typedef struct record {
    _Atomic uint32_t stop;
    int64_t pid;            /* of the program, for names */
    _Atomic uint32_t turns; /* of all workers: they move */
    _Atomic uint32_t torn, twice, wrong;
    char said[160]; /* what was wrong first */
    /* Under the lock, and the rlock: two numbers that are equal outside. */
    uint64_t one, other, r_one, r_other;
    /* Under the condition's lock. */
    uint64_t tokens;
    line lines[MOST_WORKERS];
} record;

/* What is put: it tells who has put it, where, and how long it is. */
typedef struct message {
    uint32_t worker, queue, number, size;
} message;

record *record_at(uint64_t block);
brood_status world_make(world *all);
brood_value world_value(const world *all);
brood_status world_get(const brood_value *value, world *all);
void world_destroy(world *all);

/* Notes that something is not as it should be; the first is kept. */
void note_wrong(record *notes, const char *format, ...);

/* Notes a message that was taken. */
void note_message(record *notes, queue_name queue, const void *data, size_t size);

/* A number below n; the same for the same seed. */
uint32_t draw(uint64_t *seed, uint32_t n);

/* A seed of its own for the n-th of those that have this one. */
uint64_t seed_of(uint64_t seed, uint64_t n);

/* The n-th name of a worker for memory. */
void write_name(const record *notes, uint32_t number, uint32_t n, char name[32]);

/* worker(world, block of the record, number, seed): does things until it is told to stop. */
brood_status worker(brood_call *call);

#endif /* STRESS_H */
