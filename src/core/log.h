/*
 * core/log.h - messages for the program's own log: passed to its callback, never printed.
 */
#ifndef BRI_LOG_H
#define BRI_LOG_H

#include <brood/init.h>

/* Hands a message over when a callback is set and wants this level. Cheap when not. */
void bri_log(brood_log_level level, const char *format, ...) BROOD_PRINTF(2, 3);

/* The level that children get in their start block; and in the child. */
brood_log_level bri_log_level(void);
void bri_log_set_level(brood_log_level level);

#endif /* BRI_LOG_H */
