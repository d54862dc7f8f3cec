/*
 * win32/security.h - who may open what has a name.
 */
#ifndef BRI_W32_SECURITY_H
#define BRI_W32_SECURITY_H

#include "win32/win32.h"

/* Of an object that only this process's own user may open; handles to it are not inheritable. Made
 * once, for good. NULL with the last error set.
 *
 * The system's default would let everybody read from a named pipe ("Named Pipe Security and Access
 * Rights"), and so take an instance's place; of sections and events it depends on the token. */
SECURITY_ATTRIBUTES *bri_w32_own_user_only(void);

/* The SID of the user that a process runs as, as text for LocalFree; ERROR_SUCCESS, or why not. */
DWORD bri_w32_user_of(HANDLE process, char **sid);

#endif /* BRI_W32_SECURITY_H */
