/*
 * manager/serve.h - servers with a listener, below brood/manager.h.
 */
#ifndef BRI_MANAGER_SERVE_H
#define BRI_MANAGER_SERVE_H

#include <brood/manager.h>
#include <brood/process.h>

/* Starts a server in a child; gives its process and its address, a str. */
brood_status bri_serve_in_child(const brood_manager_options *options, const void *key,
                                size_t key_size, brood_ms timeout, brood_process **process,
                                brood_value *address);

/* Makes the child's function known. */
brood_status bri_serve_start(void);

#endif /* BRI_MANAGER_SERVE_H */
