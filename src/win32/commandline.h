/*
 * win32/commandline.h - argv as the one string that Windows starts programs with.
 */
#ifndef BRI_W32_COMMANDLINE_H
#define BRI_W32_COMMANDLINE_H

#include "platform/error.h"

/*
 * Quotes `arguments` so that CommandLineToArgvW and the C runtime take them apart into the same
 * again. To be freed with bri_free. BROOD_EINVALID for what cannot be said so (a quote in argv[0],
 * text that is not UTF-8), BROOD_ELIMIT for more than Windows takes (32,766 units).
 */
brood_status bri_w32_command_line(const char *const *arguments, wchar_t **line);

#endif /* BRI_W32_COMMANDLINE_H */
