/* win32/commandline.c - see the header. */
#include "win32/commandline.h"

#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "win32/utf16.h"
#include "win32/win32.h"

enum { MOST_UNITS = 32767 }; /* with the NUL */

static brood_status put(bri_buffer *line, wchar_t unit)
{
    return bri_buffer_append(line, &unit, sizeof unit);
}

static brood_status put_backslashes(bri_buffer *line, size_t n)
{
    for (; n > 0; n--)
        BROOD_TRY(put(line, L'\\'));
    return BROOD_OK;
}

/* argv[0] is read by a rule of its own: what stands between quotes is taken as it is, and a quote
 * cannot be said. */
static brood_status put_program(bri_buffer *line, const wchar_t *name, const char *shown)
{
    if (wcschr(name, L'"') != NULL)
        return bri_fail(BROOD_EINVALID,
                        "could not quote argv[0] '%s': Windows allows no quote in it", shown);
    BROOD_TRY(put(line, L'"'));
    BROOD_TRY(bri_buffer_append(line, name, wcslen(name) * sizeof *name));
    return put(line, L'"');
}

/*
 * The rule for the others: backslashes mean themselves unless a quote follows them; before a quote
 * each is doubled, and one more makes the quote a plain character. Blanks count as separators
 * outside quotes; so do line feeds for some programs. "*" and "?" are quoted because programs that
 * are linked with setargv.obj, or that mingw-w64 made, replace them by names of files unless they
 * are (Microsoft: "Customize C++ command-line processing").
 */
static brood_status put_argument(bri_buffer *line, const wchar_t *text)
{
    bool quoted = *text == L'\0' || wcspbrk(text, L" \t\n\v\r\f\"*?") != NULL;
    BROOD_TRY(put(line, L' '));
    if (!quoted)
        return bri_buffer_append(line, text, wcslen(text) * sizeof *text);

    size_t backslashes = 0;
    BROOD_TRY(put(line, L'"'));
    for (; *text != L'\0'; text++) {
        if (*text == L'"')
            BROOD_TRY(put_backslashes(line, backslashes + 1));
        backslashes = *text == L'\\' ? backslashes + 1 : 0;
        BROOD_TRY(put(line, *text));
    }
    BROOD_TRY(put_backslashes(line, backslashes));
    return put(line, L'"');
}

static brood_status put_all(bri_buffer *line, const char *const *arguments)
{
    for (size_t i = 0; arguments[i] != NULL; i++) {
        wchar_t *wide = bri_w32_wide(arguments[i]);
        if (wide == NULL)
            return brood_last_error()->status;
        brood_status status =
            i == 0 ? put_program(line, wide, arguments[i]) : put_argument(line, wide);
        bri_free(wide);
        BROOD_TRY(status);
    }
    return put(line, L'\0');
}

brood_status bri_w32_command_line(const char *const *arguments, wchar_t **line)
{
    if (arguments == NULL || arguments[0] == NULL)
        return bri_fail(BROOD_EINVALID, "could not make a command line: no argv[0]");
    bri_buffer buffer = {0};
    brood_status status = put_all(&buffer, arguments);
    size_t units = buffer.length / sizeof(wchar_t);
    if (status == BROOD_OK && units > MOST_UNITS)
        status = bri_fail(BROOD_ELIMIT,
                          "could not make a command line of %zu characters: Windows takes %d",
                          units - 1, MOST_UNITS - 1);
    if (status != BROOD_OK) {
        bri_buffer_fini(&buffer);
        return status;
    }
    *line = (wchar_t *)(void *)buffer.data;
    return BROOD_OK;
}
