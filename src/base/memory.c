/* base/memory.c - malloc with an error, and with injected faults in the test build. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#ifdef BROOD_TESTING
#include <stdatomic.h>

static atomic_long fail_at, attempts, blocks;
static atomic_int fail_onwards;

void bri_memory_fail_at(long n, int from_there_on)
{
    atomic_store(&attempts, 0);
    atomic_store(&fail_onwards, from_there_on);
    atomic_store(&fail_at, n);
}

long bri_memory_attempts(void)
{
    return atomic_load(&attempts);
}

long bri_memory_blocks(void)
{
    return atomic_load(&blocks);
}

static int fault_is_due(void)
{
    long attempt = atomic_fetch_add(&attempts, 1) + 1;
    long at = atomic_load(&fail_at);
    return at != 0 && (attempt == at || (attempt > at && atomic_load(&fail_onwards)));
}

static void count_blocks(long change)
{
    atomic_fetch_add(&blocks, change);
}
#else
static int fault_is_due(void)
{
    return 0;
}

static void count_blocks(long change)
{
    (void)change;
}
#endif

static void *counted(void *block, size_t size)
{
    if (block != NULL)
        count_blocks(1);
    else
        bri_fail(BROOD_ENOMEM, "could not allocate %zu bytes", size);
    return block;
}

void *bri_alloc(size_t size)
{
    return counted(fault_is_due() ? NULL : malloc(size == 0 ? 1 : size), size);
}

void *bri_calloc(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        bri_fail(BROOD_ENOMEM, "could not allocate %zu times %zu bytes", n, size);
        return NULL;
    }
    size_t total = n * size;
    return counted(fault_is_due() ? NULL : calloc(1, total == 0 ? 1 : total), total);
}

void *bri_realloc(void *block, size_t size)
{
    if (block == NULL)
        return bri_alloc(size);
    void *moved = fault_is_due() ? NULL : realloc(block, size == 0 ? 1 : size);
    if (moved == NULL)
        bri_fail(BROOD_ENOMEM, "could not allocate %zu bytes", size);
    return moved;
}

void *bri_grown(void *items, size_t n, size_t *capacity, size_t size)
{
    enum { FIRST = 16 };
    if (n < *capacity)
        return items;
    size_t room = *capacity == 0 ? FIRST : *capacity * 2;
    void *grown = bri_realloc(items, room * size);
    if (grown != NULL)
        *capacity = room;
    return grown;
}

void bri_free(void *block)
{
    if (block == NULL)
        return;
    count_blocks(-1);
    free(block);
}

char *bri_strndup(const char *text, size_t length)
{
    char *copy = bri_alloc(length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *bri_strdup(const char *text)
{
    return bri_strndup(text, strlen(text));
}

bool bri_same_bytes(const void *one, const void *other, size_t size)
{
    const volatile unsigned char *a = one, *b = other;
    unsigned char different = 0;
    for (size_t i = 0; i < size; i++)
        different = (unsigned char)(different | (a[i] ^ b[i]));
    return different == 0;
}
