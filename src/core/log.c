/* core/log.c - see the header. */
#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/runtime.h"

static struct {
    atomic_int level;
    _Atomic(brood_log_callback) callback;
    _Atomic(void *) context;
} out;

void brood_set_log(brood_log_level level, brood_log_callback callback, void *context)
{
    atomic_store(&out.callback, NULL); /* nobody calls the new one with the old context */
    atomic_store(&out.context, context);
    atomic_store(&out.level, (int)level);
    atomic_store(&out.callback, callback);
}

brood_log_level bri_log_level(void)
{
    return (brood_log_level)atomic_load(&out.level);
}

void bri_log_set_level(brood_log_level level)
{
    atomic_store(&out.level, (int)level);
}

void bri_log(brood_log_level level, const char *format, ...)
{
    brood_log_callback callback = atomic_load(&out.callback);
    if (callback == NULL || (int)level > atomic_load(&out.level))
        return;
    char message[BRI_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    callback(atomic_load(&out.context), level, message);
}
