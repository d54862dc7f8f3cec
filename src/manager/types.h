/*
 * manager/types.h - types of the program's own, made known by brood_manager_register.
 */
#ifndef BRI_MANAGER_TYPES_H
#define BRI_MANAGER_TYPES_H

#include "manager/server.h"

/* All of them, NULL at the end. */
const bri_managed_type *const *bri_registered_types(void);

#endif /* BRI_MANAGER_TYPES_H */
