/*
 * core/registry.h - functions by name, and references to functions that travel to other processes.
 *
 * A reference is a tuple: ("name",) of a registered function, or (path, offset, build id) of any
 * function of a module: the path is bytes, empty for the executable. The second kind is an address
 * in disguise, so it is taken only from our own process tree.
 */
#ifndef BRI_REGISTRY_H
#define BRI_REGISTRY_H

#include <stdbool.h>

#include <brood/function.h>

/* As brood_register, for the library's own functions, whose names begin with "brood.". */
brood_status bri_function_register(const char *name, brood_function function);

/* The function of that name. BROOD_ENOTFOUND: could not find the function "x": it was not
 * registered in this process before brood_init(). */
brood_status bri_function_named(const char *name, brood_function *function);

/* The reference to a function: by name where it has one, else by place. BROOD_ENOTFOUND when it is
 * in no module. */
brood_status bri_function_refer(brood_function function, brood_value *reference);

/* The reference to a name, whether or not this program knows it. */
brood_value bri_function_refer_name(const char *name);

/* The function of a reference. `own_tree` says that it was written by a process of our tree;
 * otherwise only names are accepted.
 * BROOD_EFORMAT no reference; BROOD_EAUTH a place from a stranger; BROOD_ENOTFOUND the name is not
 * registered or the module cannot be opened; BROOD_EVERSION the module is of another build;
 * BROOD_ERANGE the offset is outside of its code. */
brood_status bri_function_resolve(const brood_value *reference, bool own_tree,
                                  brood_function *function);

#endif /* BRI_REGISTRY_H */
