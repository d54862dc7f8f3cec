/*
 * threads.h - a thread for the tests of src/platform, which run below what the library has for
 * threads.
 */
#ifndef PT_THREADS_H
#define PT_THREADS_H

#include <stdlib.h>

typedef struct pt_thread pt_thread;

#ifdef _WIN32
#include <windows.h>

struct pt_thread {
    HANDLE handle;
    void (*run)(void *context);
    void *context;
};

static inline DWORD WINAPI pt_thread_main(void *argument)
{
    pt_thread *thread = argument;
    thread->run(thread->context);
    return 0;
}

static inline void pt_thread_start(pt_thread *thread, void (*run)(void *context), void *context)
{
    thread->run = run;
    thread->context = context;
    thread->handle = CreateThread(NULL, 0, pt_thread_main, thread, 0, NULL);
    if (thread->handle == NULL)
        abort();
}

static inline void pt_thread_join(pt_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
}
#else
#include <pthread.h>

struct pt_thread {
    pthread_t handle;
    void (*run)(void *context);
    void *context;
};

static inline void *pt_thread_main(void *argument)
{
    pt_thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

static inline void pt_thread_start(pt_thread *thread, void (*run)(void *context), void *context)
{
    thread->run = run;
    thread->context = context;
    if (pthread_create(&thread->handle, NULL, pt_thread_main, thread) != 0)
        abort();
}

static inline void pt_thread_join(pt_thread *thread)
{
    pthread_join(thread->handle, NULL);
}
#endif

#endif /* PT_THREADS_H */
