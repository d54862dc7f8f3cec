/* data/repr.c - values as Python's repr shows them. */
#include <brood/value.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "data/text.h"

typedef struct writer {
    bri_buffer *out;
    size_t end; /* nothing more is begun from this length on */
} writer;

static brood_status write_value(writer *w, const brood_value *value);

static brood_status write_text(writer *w, const char *text)
{
    return bri_buffer_append(w->out, text, strlen(text));
}

static bool is_full(const writer *w)
{
    return w->out->length >= w->end;
}

/* ---- str and bytes ---- */

/* Single quotes, unless the text has such and no double ones. */
static char choose_quote(const char *text, size_t size)
{
    return memchr(text, '\'', size) != NULL && memchr(text, '"', size) == NULL ? '"' : '\'';
}

/* The escape of a character that repr never shows as it is. */
static size_t escape(char out[12], uint32_t code)
{
    const char *format = code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x";
    switch (code) {
    case '\n':
        memcpy(out, "\\n", 2);
        return 2;
    case '\r':
        memcpy(out, "\\r", 2);
        return 2;
    case '\t':
        memcpy(out, "\\t", 2);
        return 2;
    default:
        return (size_t)snprintf(out, 12, format, (unsigned)code);
    }
}

static size_t show_character(char out[12], uint32_t code, char quote, bool printable)
{
    if (code == (unsigned char)quote || code == '\\') {
        out[0] = '\\';
        out[1] = (char)code;
        return 2;
    }
    return printable ? bri_utf8_put(out, code) : escape(out, code);
}

static brood_status write_str(writer *w, const bri_text *text)
{
    char quote = choose_quote(text->data, text->size);
    BROOD_TRY(bri_buffer_append(w->out, &quote, 1));
    const char *end = text->data + text->size;
    for (const char *c = text->data; c < end && !is_full(w);) {
        char shown[12];
        uint32_t code = bri_utf8_next(&c);
        size_t size = show_character(shown, code, quote, bri_is_printable(code));
        BROOD_TRY(bri_buffer_append(w->out, shown, size));
    }
    return bri_buffer_append(w->out, &quote, 1);
}

static brood_status write_bytes(writer *w, const brood_value *value)
{
    const bri_text *text = bri_text_of(value);
    bool mutable_bytes = brood_value_is_mutable_bytes(value);
    char quote = choose_quote(text->data, text->size);
    BROOD_TRY(write_text(w, mutable_bytes ? "bytearray(b" : "b"));
    BROOD_TRY(bri_buffer_append(w->out, &quote, 1));
    for (size_t i = 0; i < text->size && !is_full(w); i++) {
        char shown[12];
        unsigned char byte = (unsigned char)text->data[i];
        size_t size = show_character(shown, byte, quote, byte >= 0x20 && byte < 0x7F);
        BROOD_TRY(bri_buffer_append(w->out, shown, size));
    }
    BROOD_TRY(bri_buffer_append(w->out, &quote, 1));
    return mutable_bytes ? write_text(w, ")") : BROOD_OK;
}

/* ---- containers ---- */

static brood_status write_items(writer *w, const brood_value *array)
{
    size_t count = bri_array_count(array);
    for (size_t i = 0; i < count && !is_full(w); i++) {
        if (i != 0)
            BROOD_TRY(write_text(w, ", "));
        BROOD_TRY(write_value(w, &bri_array_of(array)->items[i]));
    }
    return BROOD_OK;
}

static brood_status write_tuple(writer *w, const brood_value *tuple)
{
    BROOD_TRY(write_text(w, "("));
    BROOD_TRY(write_items(w, tuple));
    return write_text(w, bri_array_count(tuple) == 1 ? ",)" : ")");
}

static brood_status write_list(writer *w, const brood_value *list)
{
    BROOD_TRY(write_text(w, "["));
    BROOD_TRY(write_items(w, list));
    return write_text(w, "]");
}

static brood_status write_entries(writer *w, const brood_value *table)
{
    size_t position = 0;
    const char *separator = "{";
    for (bri_entry *entry; !is_full(w) && (entry = bri_table_next(table, &position)) != NULL;) {
        BROOD_TRY(write_text(w, separator));
        BROOD_TRY(write_value(w, &entry->key));
        if (table->kind == BROOD_DICT) {
            BROOD_TRY(write_text(w, ": "));
            BROOD_TRY(write_value(w, bri_entry_item(entry)));
        }
        separator = ", ";
    }
    return write_text(w, "}");
}

static brood_status write_table(writer *w, const brood_value *table)
{
    bool empty = bri_table_count(table) == 0;
    switch (table->kind) {
    case BROOD_DICT:
        return empty ? write_text(w, "{}") : write_entries(w, table);
    case BROOD_SET:
        return empty ? write_text(w, "set()") : write_entries(w, table);
    default:
        if (empty)
            return write_text(w, "frozenset()");
        BROOD_TRY(write_text(w, "frozenset("));
        BROOD_TRY(write_entries(w, table));
        return write_text(w, ")");
    }
}

/* ---- the rest ---- */

static brood_status write_error(writer *w, const bri_failure *failure)
{
    BROOD_TRY(write_text(w, bri_error_name(failure)));
    BROOD_TRY(write_text(w, "("));
    BROOD_TRY(write_items(w, &failure->arguments));
    return write_text(w, ")");
}

static brood_status write_opaque(writer *w, const bri_opaque *opaque)
{
    BROOD_TRY(write_text(w, "<opaque "));
    BROOD_TRY(write_text(w, opaque->module));
    BROOD_TRY(write_text(w, "."));
    BROOD_TRY(write_text(w, opaque->name));
    return write_text(w, ">");
}

static brood_status write_object(writer *w, const bri_box *box)
{
    BROOD_TRY(write_text(w, "<brood "));
    BROOD_TRY(write_text(w, box->type->name));
    return write_text(w, ">");
}

static brood_status write_float(writer *w, double number)
{
    char text[BRI_FLOAT_TEXT];
    return bri_buffer_append(w->out, text, bri_float_repr(number, text));
}

static brood_status write_value(writer *w, const brood_value *value)
{
    switch (value->kind) {
    case BROOD_NONE:
        return write_text(w, "None");
    case BROOD_BOOL:
        return write_text(w, value->as.boolean ? "True" : "False");
    case BROOD_INT:
    case BROOD_BIGINT:
        return bri_integer_repr(value, w->out);
    case BROOD_FLOAT:
        return write_float(w, value->as.real);
    case BROOD_STR:
        return write_str(w, bri_text_of(value));
    case BROOD_BYTES:
        return write_bytes(w, value);
    case BROOD_LIST:
        return write_list(w, value);
    case BROOD_TUPLE:
        return write_tuple(w, value);
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        return write_table(w, value);
    case BROOD_OBJECT:
        return write_object(w, bri_box_of(value));
    case BROOD_OPAQUE:
        return write_opaque(w, bri_opaque_of(value));
    case BROOD_ERROR:
        return write_error(w, bri_failure_of(value));
    default:
        return write_text(w, "<invalid>");
    }
}

brood_status bri_repr(const brood_value *value, size_t limit, bri_buffer *out)
{
    size_t start = out->length;
    writer w = {.out = out, .end = limit == 0 ? SIZE_MAX : start + limit};
    brood_status status = write_value(&w, value);
    if (status == BROOD_OK && is_full(&w))
        status = write_text(&w, "...");
    if (status != BROOD_OK)
        out->length = start;
    return status;
}

brood_status brood_value_repr(const brood_value *value, char **text)
{
    bri_buffer out = {0};
    brood_status status = bri_repr(bri_given(value), 0, &out);
    if (status == BROOD_OK)
        status = bri_buffer_append(&out, "", 1);
    if (status != BROOD_OK) {
        bri_buffer_fini(&out);
        return status;
    }
    *text = (char *)out.data;
    return BROOD_OK;
}

brood_status brood_value_print(const brood_value *value, FILE *stream)
{
    bri_buffer out = {0};
    brood_status status = bri_repr(bri_given(value), 0, &out);
    if (status == BROOD_OK)
        status = bri_buffer_append(&out, "\n", 1);
    if (status == BROOD_OK && fwrite(out.data, 1, out.length, stream) != out.length)
        status = bri_fail(BROOD_EOS, "could not print a value: the stream takes no more");
    bri_buffer_fini(&out);
    return status;
}
