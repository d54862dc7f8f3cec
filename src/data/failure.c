/* data/failure.c - errors as data: exceptions with their kind, arguments and attributes. */
#include <brood/value.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/exceptions.h"
#include "data/heap.h"
#include "data/text.h"

/* A message that is not a plain str is cut here; it is for people. */
enum { MESSAGE_SIZE = 1000 };

static const brood_value *first_argument(const brood_value *arguments)
{
    return brood_item(arguments, 0);
}

/* Whether Python shows the arguments of an OSError as "[Errno 2] No such file". */
static bool is_errno_pair(const brood_value *arguments)
{
    return bri_array_count(arguments) >= 2 && first_argument(arguments)->kind == BROOD_INT &&
           brood_item(arguments, 1)->kind == BROOD_STR;
}

/* What Python's str() of the exception is, but for KeyError, which shows the repr of its key. */
static brood_status describe(const char *name, const brood_value *arguments, bri_buffer *out)
{
    size_t count = bri_array_count(arguments);
    if (count == 0)
        return BROOD_OK;
    if (count == 1)
        return bri_repr(first_argument(arguments), MESSAGE_SIZE, out);
    if (!bri_is_system_error(name) || !is_errno_pair(arguments))
        return bri_repr(arguments, MESSAGE_SIZE, out);
    char number[40];
    int size = snprintf(number, sizeof number, "[Errno %lld] ",
                        (long long)first_argument(arguments)->as.integer);
    BROOD_TRY(bri_buffer_append(out, number, (size_t)size));
    const bri_text *text = bri_text_of(brood_item(arguments, 1));
    return bri_buffer_append(out, text->data, text->size);
}

typedef struct kind_parts {
    const char *module;
    size_t module_size;
    const char *name;
    size_t name_size;
} kind_parts;

/* Everything is checked: makes the block. Arguments and state are moved in only on success. */
static bri_failure *create_failure(const kind_parts *kind, const brood_value *arguments,
                                   const brood_value *state)
{
    uint32_t depth = 1;
    if (bri_nest(&depth, arguments) != BROOD_OK || bri_nest(&depth, state) != BROOD_OK)
        return NULL;
    size_t prefix = kind->module_size == 0 ? 0 : kind->module_size + 1;
    size_t kind_size = prefix + kind->name_size;
    bri_buffer message = {0};
    bool plain = bri_array_count(arguments) == 1 && first_argument(arguments)->kind == BROOD_STR;
    if (!plain && describe(kind->name, arguments, &message) != BROOD_OK) {
        bri_buffer_fini(&message);
        return NULL;
    }
    bri_failure *failure = bri_alloc(sizeof *failure + kind_size + 1 + message.length + 1);
    if (failure != NULL) {
        atomic_init(&failure->references, 1);
        failure->depth = depth;
        failure->arguments = *arguments;
        failure->state = *state;
        failure->module_size = kind->module_size;
        if (prefix != 0) {
            memcpy(failure->text, kind->module, kind->module_size);
            failure->text[prefix - 1] = '.';
        }
        memcpy(failure->text + prefix, kind->name, kind->name_size);
        failure->text[kind_size] = '\0';
        char *copy = failure->text + kind_size + 1;
        if (message.length != 0)
            memcpy(copy, message.data, message.length);
        copy[message.length] = '\0';
        failure->message = plain ? bri_text_of(first_argument(arguments))->data : copy;
    }
    bri_buffer_fini(&message);
    return failure;
}

brood_value bri_error_make(const char *module, size_t module_size, const char *name,
                           size_t name_size, brood_value arguments, brood_value state)
{
    brood_status status = BROOD_OK;
    if (arguments.kind != BROOD_TUPLE)
        status = bri_fail_kind("make an error without a tuple of arguments", &arguments);
    else if (state.kind != BROOD_INVALID && state.kind != BROOD_DICT)
        status = bri_fail_kind("make an error with attributes that are no dict", &state);
    bri_failure *failure = NULL;
    if (status == BROOD_OK) {
        kind_parts kind = {module, module_size, name, name_size};
        failure = create_failure(&kind, &arguments, &state);
        status = failure == NULL ? brood_last_error()->status : BROOD_OK;
    }
    if (status != BROOD_OK) {
        brood_value_clear(&arguments);
        brood_value_clear(&state);
        return bri_invalid(status);
    }
    return bri_value_of(BROOD_ERROR, failure);
}

/* The size of the module in front of the last dot; builtins is left out. */
static brood_status split_kind(const char *text, kind_parts *kind)
{
    if (text == NULL || text[0] == '\0' || bri_utf8_valid(text, strlen(text)) != strlen(text))
        return bri_fail(BROOD_EINVALID, "could not make an error: its kind is no name");
    const char *dot = strrchr(text, '.');
    *kind = (kind_parts){.name = text};
    if (dot != NULL) {
        kind->name = dot + 1;
        kind->module = text;
        kind->module_size = (size_t)(dot - text);
        if (kind->module_size == 8 && memcmp(text, "builtins", 8) == 0)
            kind->module_size = 0;
    }
    kind->name_size = strlen(kind->name);
    if (kind->name_size == 0 || dot == text)
        return bri_fail(BROOD_EINVALID, "could not make an error: its kind \"%s\" is no name",
                        text);
    return BROOD_OK;
}

brood_value brood_error_from(const char *kind, brood_value arguments)
{
    kind_parts parts = {0};
    brood_status status = split_kind(kind, &parts);
    if (status == BROOD_OK)
        return bri_error_make(parts.module, parts.module_size, parts.name, parts.name_size,
                              arguments, (brood_value){.kind = BROOD_INVALID});
    brood_value_clear(&arguments);
    return bri_invalid(status);
}

brood_value brood_error_value(const char *kind, const char *message)
{
    brood_value arguments = brood_tuple(message != NULL);
    if (message != NULL && arguments.kind == BROOD_TUPLE) {
        brood_value text = brood_str_escaped(message, strlen(message));
        brood_status status = brood_set_item(&arguments, 0, text);
        if (status != BROOD_OK) {
            brood_value_clear(&arguments);
            return bri_invalid(status);
        }
    }
    return brood_error_from(kind, arguments);
}

/* ---- reading ---- */

const char *bri_error_name(const bri_failure *failure)
{
    return failure->text + (failure->module_size == 0 ? 0 : failure->module_size + 1);
}

const char *brood_error_kind(const brood_value *error)
{
    error = bri_given(error);
    return error->kind == BROOD_ERROR ? bri_failure_of(error)->text : "";
}

const char *brood_error_message(const brood_value *error)
{
    error = bri_given(error);
    return error->kind == BROOD_ERROR ? bri_failure_of(error)->message : "";
}

const brood_value *brood_error_arguments(const brood_value *error)
{
    error = bri_given(error);
    return error->kind == BROOD_ERROR ? &bri_failure_of(error)->arguments : NULL;
}

const brood_value *brood_error_attributes(const brood_value *error)
{
    error = bri_given(error);
    if (error->kind != BROOD_ERROR || bri_failure_of(error)->state.kind == BROOD_INVALID)
        return NULL;
    return &bri_failure_of(error)->state;
}
