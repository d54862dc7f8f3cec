/*
 * ipc/handle_value.h - sockets and other handles as values.
 */
#ifndef BRI_HANDLE_VALUE_H
#define BRI_HANDLE_VALUE_H

#include <brood/handle.h>

/* Makes the classes known; called when the layer starts. */
brood_status bri_handle_values_start(void);

#endif /* BRI_HANDLE_VALUE_H */
