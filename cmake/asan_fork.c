/*
 * asan_fork.c - the address sanitizer's own locks across a fork; linked into every program of a
 * build with it.
 *
 * Up to LLVM 16 the sanitizer forks with its locks as they are: where another thread is in its
 * allocator at that moment, as one that ends is, the child's next allocation waits for ever. What
 * LLVM 17 does by itself is done here by what that one calls too. The names are the runtime's own,
 * and weak: they exist where it is linked statically, as clang does.
 */
#include <pthread.h>
#include <stddef.h>

#if defined(__clang_major__) && __clang_major__ < 17

#define SANITIZERS_OWN(name) __asm__(name) __attribute__((weak))

extern void lock_threads(void) SANITIZERS_OWN("_ZN6__lsan18LockThreadRegistryEv");
extern void unlock_threads(void) SANITIZERS_OWN("_ZN6__lsan20UnlockThreadRegistryEv");
extern void lock_allocator(void) SANITIZERS_OWN("_ZN6__lsan13LockAllocatorEv");
extern void unlock_allocator(void) SANITIZERS_OWN("_ZN6__lsan15UnlockAllocatorEv");
extern void lock_stacks(void) SANITIZERS_OWN("_ZN11__sanitizer17StackDepotLockAllEv");
extern void unlock_stacks(void) SANITIZERS_OWN("_ZN11__sanitizer19StackDepotUnlockAllEv");

static void lock_all(void)
{
    lock_threads();
    lock_allocator();
    lock_stacks();
}

static void unlock_all(void)
{
    unlock_stacks();
    unlock_allocator();
    unlock_threads();
}

/* Before any other handler is registered: what that one does comes before all is locked. */
__attribute__((constructor(101))) static void begin(void)
{
    if (lock_threads != NULL && unlock_threads != NULL && lock_allocator != NULL &&
        unlock_allocator != NULL && lock_stacks != NULL && unlock_stacks != NULL)
        pthread_atfork(lock_all, unlock_all, unlock_all);
}

#else

typedef int not_empty;

#endif
