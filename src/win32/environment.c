/* win32/environment.c - see the header. */
#include "win32/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "win32/utf16.h"
#include "win32/win32.h"

/* Entries one after the other, each with its NUL. */
typedef struct entry_list {
    bri_buffer text;
    size_t n;
} entry_list;

/* The name's length; names may begin with "=". 0 when there is none. */
static size_t name_length(const wchar_t *entry)
{
    const wchar_t *end = entry[0] == L'\0' ? NULL : wcschr(entry + 1, L'=');
    return end == NULL ? 0 : (size_t)(end - entry);
}

static int compare_names(const wchar_t *a, size_t a_length, const wchar_t *b, size_t b_length)
{
    return CompareStringOrdinal(a, (int)a_length, b, (int)b_length, TRUE) - CSTR_EQUAL;
}

static brood_status add_entry(entry_list *list, const wchar_t *entry, const wchar_t *without)
{
    size_t length = name_length(entry);
    if (without != NULL && compare_names(entry, length, without, wcslen(without)) == 0)
        return BROOD_OK;
    list->n++;
    return bri_buffer_append(&list->text, entry, (wcslen(entry) + 1) * sizeof *entry);
}

static brood_status add_own(entry_list *list, const wchar_t *without)
{
    wchar_t *own = GetEnvironmentStringsW();
    if (own == NULL)
        return brp_fail(bri_w32_error(), "could not read the environment");
    brood_status status = BROOD_OK;
    for (const wchar_t *at = own; *at != L'\0' && status == BROOD_OK; at += wcslen(at) + 1) {
        if (name_length(at) != 0)
            status = add_entry(list, at, without);
    }
    FreeEnvironmentStringsW(own);
    return status;
}

static brood_status add_text(entry_list *list, const char *text, const wchar_t *without)
{
    wchar_t *wide = bri_w32_wide(text);
    if (wide == NULL)
        return bri_fail_within("could not use an environment variable");
    brood_status status = BROOD_OK;
    if (name_length(wide) == 0)
        status = bri_fail(BROOD_EINVALID,
                          "could not use environment variable \"%s\": not NAME=value", text);
    else
        status = add_entry(list, wide, without);
    bri_free(wide);
    return status;
}

static brood_status add_marker(entry_list *list, const char *marker, const char *value)
{
    size_t size = strlen(marker) + strlen(value) + 2;
    char *entry = bri_alloc(size);
    if (entry == NULL)
        return BROOD_ENOMEM;
    snprintf(entry, size, "%s=%s", marker, value);
    brood_status status = add_text(list, entry, NULL);
    bri_free(entry);
    return status;
}

/* Equal names keep their order: the system finds the first. */
static int compare_entries(const void *left, const void *right)
{
    const wchar_t *a = *(wchar_t *const *)left, *b = *(wchar_t *const *)right;
    int order = compare_names(a, name_length(a), b, name_length(b));
    return order != 0 ? order : (a > b) - (a < b);
}

/* Joins the entries in order; an empty block ends in two NULs as well. */
static brood_status join_sorted(const entry_list *list, wchar_t **block)
{
    wchar_t **sorted = bri_calloc(list->n, sizeof *sorted);
    wchar_t *joined = bri_calloc(list->text.length / sizeof *joined + 2, sizeof *joined);
    if (sorted == NULL || joined == NULL) {
        bri_free(sorted);
        bri_free(joined);
        return BROOD_ENOMEM;
    }
    wchar_t *at = (wchar_t *)(void *)list->text.data;
    for (size_t i = 0; i < list->n; i++) {
        sorted[i] = at;
        at += wcslen(at) + 1;
    }
    if (list->n != 0)
        qsort(sorted, list->n, sizeof *sorted, compare_entries);
    wchar_t *to = joined;
    for (size_t i = 0; i < list->n; i++) {
        size_t units = wcslen(sorted[i]) + 1;
        memcpy(to, sorted[i], units * sizeof *to);
        to += units;
    }
    bri_free(sorted);
    *block = joined;
    return BROOD_OK;
}

static brood_status collect(entry_list *list, const char *const *entries, const char *marker,
                            const char *value)
{
    wchar_t *without = NULL;
    if (marker != NULL) {
        without = bri_w32_wide(marker);
        if (without == NULL)
            return brood_last_error()->status;
    }
    brood_status status = BROOD_OK;
    if (entries == NULL)
        status = add_own(list, without);
    for (size_t i = 0; entries != NULL && entries[i] != NULL && status == BROOD_OK; i++)
        status = add_text(list, entries[i], without);
    bri_free(without);
    if (status == BROOD_OK && marker != NULL && value != NULL)
        status = add_marker(list, marker, value);
    return status;
}

brood_status bri_w32_environment(const char *const *entries, const char *marker, const char *value,
                                 wchar_t **block)
{
    entry_list list = {0};
    brood_status status = collect(&list, entries, marker, value);
    if (status == BROOD_OK)
        status = join_sorted(&list, block);
    bri_buffer_fini(&list.text);
    return status;
}
