/*
 * win32/exitcode.h - the exit codes that stand for signals.
 */
#ifndef BRI_W32_EXITCODE_H
#define BRI_W32_EXITCODE_H

#include <stdint.h>

/* What brood ends processes with: customer codes of severity "error", which no system component
 * uses. */
#define BRI_W32_EXIT_TERMINATED 0xE0B5000Fu /* decodes to -15 */
#define BRI_W32_EXIT_KILLED 0xE0B50009u     /* decodes to -9 */

/* Python's exitcode for an exit code of Windows; see the table in child.c. */
int bri_w32_exit_decode(uint32_t raw);

#endif /* BRI_W32_EXITCODE_H */
