/*
 * ipc/address.h - the addresses of listeners as text, taken apart. Python: address_type and the
 * tuples.
 */
#ifndef BRI_ADDRESS_H
#define BRI_ADDRESS_H

#include <stdint.h>

#include <brood/status.h>

typedef enum bri_address_kind { BRI_ADDRESS_LOCAL, BRI_ADDRESS_TCP } bri_address_kind;

enum { BRI_HOST_MOST = 256 };

typedef struct bri_address {
    bri_address_kind kind;
    char host[BRI_HOST_MOST]; /* TCP: without brackets */
    uint16_t port;
} bri_address;

/* Text that ends in ':' and digits and has no slash and no backslash is TCP. BROOD_EINVALID for a
 * port that is none, an IPv6 number without brackets, and nothing at all. */
brood_status bri_address_parse(const char *text, bri_address *address);

/* "HOST:PORT" of a TCP address with brackets where they are needed; at most `room` bytes. */
void bri_address_format(const bri_address *address, char *text, size_t room);

#endif /* BRI_ADDRESS_H */
