/* core/runtime.c - see the header. */
#include "core/runtime.h"

#include "core/thread.h"
#include "data/hash.h"
#include "platform/ident.h"

bri_runtime bri_the_runtime;

/* brood_register and brood_init are called before threads are started, so this needs no lock. */
brood_status bri_runtime_start(void)
{
    bri_runtime *runtime = &bri_the_runtime;
    if (runtime->started)
        return BROOD_OK;
    BROOD_TRY(bri_threads_init());
    if (runtime->lock == NULL)
        BROOD_TRY(brp_mutex_create(&runtime->lock));
    unsigned char seed[16];
    BROOD_TRY(brp_random(seed, sizeof seed));
    bri_hash_seed(seed); /* comes too late, and does nothing, if values were hashed before */
    runtime->pid = brp_pid();
    runtime->started = true;
    return BROOD_OK;
}

brood_status bri_runtime_check(const char *what)
{
    if (bri_the_runtime.initialised)
        return BROOD_OK;
    return bri_fail(BROOD_ENOINIT, "could not %s: main() has not called brood_init() first", what);
}

brood_status bri_runtime_hook(const bri_hooks *hooks)
{
    bri_runtime *runtime = &bri_the_runtime;
    brood_status status = BROOD_OK;
    brp_mutex_lock(runtime->lock);
    int i = 0;
    while (i < runtime->n_hooks && runtime->hooks[i] != hooks)
        i++;
    if (i == BRI_MAX_HOOKS)
        status = bri_fail(BROOD_ELIMIT, "could not add the hooks of %s: %d is the most",
                          hooks->name, BRI_MAX_HOOKS);
    else if (i == runtime->n_hooks)
        runtime->hooks[runtime->n_hooks++] = hooks;
    brp_mutex_unlock(runtime->lock);
    return status;
}

void bri_runtime_before_exit(void)
{
    bri_runtime *runtime = &bri_the_runtime;
    if (!runtime->started || runtime->pid != brp_pid())
        return;
    while (runtime->n_hooks > 0) {
        const bri_hooks *hooks = runtime->hooks[--runtime->n_hooks];
        if (hooks->before_exit != NULL)
            hooks->before_exit();
    }
}

void bri_runtime_shares(void)
{
    bri_runtime *runtime = &bri_the_runtime;
    if (atomic_load_explicit(&runtime->shares, memory_order_relaxed) ||
        atomic_exchange(&runtime->shares, true))
        return;
    for (int i = 0; i < runtime->n_hooks; i++)
        if (runtime->hooks[i]->shares != NULL)
            runtime->hooks[i]->shares();
}

void bri_runtime_after_fork_child(void)
{
    bri_runtime *runtime = &bri_the_runtime;
    runtime->pid = brp_pid();
    for (int i = 0; i < runtime->n_hooks; i++)
        if (runtime->hooks[i]->after_fork_child != NULL)
            runtime->hooks[i]->after_fork_child();
}
