/* ipc/address.c - see the header. */
#include "ipc/address.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static brood_status fail_address(const char *text, const char *reason)
{
    return bri_fail(BROOD_EINVALID, "could not use the address \"%s\": %s", text, reason);
}

/* Where the port begins; NULL when the text is a local address. */
static const char *find_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || text[0] == '@' || strpbrk(text, "/\\") != NULL)
        return NULL;
    return colon + 1;
}

static brood_status take_port(const char *text, const char *port, bri_address *address)
{
    unsigned long number = 0;
    if (port[0] == '\0' || strspn(port, "0123456789") != strlen(port))
        return fail_address(text, "the port is no number, and a local name with a colon needs a "
                                  "directory, \"./a:b\"");
    for (const char *digit = port; *digit != '\0' && number <= UINT16_MAX; digit++)
        number = number * 10 + (unsigned long)(*digit - '0');
    if (number > UINT16_MAX)
        return fail_address(text, "65535 is the highest port");
    address->port = (uint16_t)number;
    return BROOD_OK;
}

static brood_status take_host(const char *text, size_t length, bri_address *address)
{
    bool is_bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    const char *host = is_bracketed ? text + 1 : text;
    size_t size = is_bracketed ? length - 2 : length;
    if (size >= sizeof address->host)
        return fail_address(text, "the host's name is too long");
    if (!is_bracketed && memchr(host, ':', size) != NULL)
        return fail_address(text, "an IPv6 host is written in brackets, \"[::1]:80\"");
    memcpy(address->host, host, size);
    address->host[size] = '\0';
    return BROOD_OK;
}

brood_status bri_address_parse(const char *text, bri_address *address)
{
    bri_address made = {.kind = BRI_ADDRESS_LOCAL};
    if (text == NULL || text[0] == '\0')
        return bri_fail(BROOD_EINVALID, "could not use an address: there is none");
    const char *port = find_port(text);
    if (port != NULL) {
        made.kind = BRI_ADDRESS_TCP;
        BROOD_TRY(take_port(text, port, &made));
        BROOD_TRY(take_host(text, (size_t)(port - 1 - text), &made));
    }
    *address = made;
    return BROOD_OK;
}

void bri_address_format(const bri_address *address, char *text, size_t room)
{
    bool needs_brackets = strchr(address->host, ':') != NULL;
    snprintf(text, room, needs_brackets ? "[%s]:%u" : "%s:%u", address->host,
             (unsigned)address->port);
}
