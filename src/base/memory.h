/*
 * base/memory.h - allocation with an error instead of NULL surprises, and with faults for tests.
 *
 * The library never calls malloc directly: the tests make the n-th allocation fail, for every n.
 */
#ifndef BRI_MEMORY_H
#define BRI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc, calloc and realloc, but a failure also sets the last error to BROOD_ENOMEM with the
 * size. Size 0 gives a pointer that can be freed. */
void *bri_alloc(size_t size);
void *bri_calloc(size_t n, size_t size);
void *bri_realloc(void *block, size_t size);

/* A block with room for more than `n` items of `size` bytes: when it is full, twice as large. NULL
 * when memory is out, and the old one is as it was. */
void *bri_grown(void *items, size_t n, size_t *capacity, size_t size);

/* Frees what the functions above gave. NULL is ignored. */
void bri_free(void *block);

/* Copies `length` bytes and adds a NUL; NULL when memory is out. */
char *bri_strndup(const char *text, size_t length);
char *bri_strdup(const char *text);

/* Whether two pieces of memory are the same, in a time that does not depend on what is in them. */
bool bri_same_bytes(const void *one, const void *other, size_t size);

#ifdef BROOD_TESTING
/* Makes the n-th allocation from now on fail (1 is the next), and those after it too when
 * `from_there_on`; 0 switches faults off. Process-wide. */
void bri_memory_fail_at(long n, int from_there_on);

/* Allocations attempted since the last bri_memory_fail_at, and blocks now in use. */
long bri_memory_attempts(void);
long bri_memory_blocks(void);
#endif

#endif /* BRI_MEMORY_H */
