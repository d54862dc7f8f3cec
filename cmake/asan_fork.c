/*
 * asan_fork.c - the address sanitizer's own locks across a fork; linked into every program of a
 * build with it.
 *
 * Up to LLVM 16 the sanitizer forks with its locks as they are: where another thread is in its
 * allocator at that moment, as one that ends is, the child's next allocation waits for ever. What
 * LLVM 17 does by itself is done here by what that one calls too. The names are the runtime's own;
 * a program can be linked with them because clang links the runtime statically.
 */
#include <pthread.h>

extern void lock_threads(void) __asm__("_ZN6__lsan18LockThreadRegistryEv");
extern void unlock_threads(void) __asm__("_ZN6__lsan20UnlockThreadRegistryEv");
extern void lock_allocator(void) __asm__("_ZN6__lsan13LockAllocatorEv");
extern void unlock_allocator(void) __asm__("_ZN6__lsan15UnlockAllocatorEv");
extern void lock_stacks(void) __asm__("_ZN11__sanitizer17StackDepotLockAllEv");
extern void unlock_stacks(void) __asm__("_ZN11__sanitizer19StackDepotUnlockAllEv");

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
    pthread_atfork(lock_all, unlock_all, unlock_all);
}
