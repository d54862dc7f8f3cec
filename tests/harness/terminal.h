/*
 * harness/terminal.h - what a program says on its terminal or console, a line at a time.
 */
#ifndef BT_TERMINAL_H
#define BT_TERMINAL_H

#include "harness.h"
#include "platform/clock.h"
#include "platform/stream.h"

enum { BT_TERMINAL_MS = 20000 };

/* The next line, without its end; what does not fit is dropped. */
static inline void bt_read_line(brp_handle terminal, char *line, size_t room)
{
    size_t length = 0, got = 0;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), BT_TERMINAL_MS);
    for (;;) {
        char c = 0;
        bt_ok(brp_stream_read(terminal, &c, 1, &got, deadline));
        if (c == '\n')
            break;
        if (c != '\r' && length < room - 1)
            line[length++] = c;
    }
    line[length] = '\0';
}

static inline int64_t bt_read_pid(brp_handle terminal)
{
    char line[64];
    bt_read_line(terminal, line, sizeof line);
    return strtoll(line, NULL, 10);
}

#endif /* BT_TERMINAL_H */
