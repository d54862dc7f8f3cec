/*
 * manager/proxy.h - inside of proxies, and the managers of this process by address.
 */
#ifndef BRI_MANAGER_PROXY_H
#define BRI_MANAGER_PROXY_H

#include "manager/client.h"

struct brood_proxy {
    atomic_int references;
    brood_manager *manager; /* retained */
    char *typeid;
    char *ident;
    brood_value exposed; /* a tuple of names, or invalid: not known */
    char *proxy_class;   /* of Python's, when it came from there; NULL: by the type */
    int64_t pid;         /* of the process that has the reference at the server */
};

/* The address as Python's tokens have it, from text: a tuple or a str. Invalid on failure. */
brood_value bri_wire_address(const char *address);
/* Whether it is every address of a host, "0.0.0.0" or "::", to which nobody can connect. */
bool bri_address_is_wildcard(const brood_value *wire_address);
/* The end of a connection, as tokens have it; invalid if it is not TCP. */
brood_value bri_end_address(const brood_connection *connection, bool ours);

/* Of all managers of this process. */
void bri_manager_list(brood_manager *manager);
void bri_manager_unlist(brood_manager *manager);

/* In a forked child: their locks are free. */
void bri_managers_after_fork(void);

/* Ends all servers that this process has started. */
void bri_managers_shut_down(void);

/* A proxy in a reply: for the reader of pickles. */
brood_status bri_proxy_read(brood_manager *manager, const char *name, const brood_value *arguments,
                            brood_value *made);

/* Connects by the manager's address and key. */
bri_connector bri_connect_manager;

#endif /* BRI_MANAGER_PROXY_H */
