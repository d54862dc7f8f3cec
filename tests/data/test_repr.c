/* test_repr.c - values as people see them. */
#include "support.h"

static void test_strings_are_quoted_as_in_python(void **state)
{
    (void)state;
    dt_shows(brood_str(""), "''");
    dt_shows(brood_str("it's"), "\"it's\"");
    dt_shows(brood_str("\"it\""), "'\"it\"'");
    dt_shows(brood_str("\"it's\""), "'\"it\\'s\"'");
    dt_shows(brood_str("\\ \t\r\n"), "'\\\\ \\t\\r\\n'");
    dt_shows(brood_str_n("\0\x1f\x7f", 3), "'\\x00\\x1f\\x7f'");
    dt_shows(brood_str("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
             "'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'");
    dt_shows(brood_str("\xc2\xa0\xe2\x80\xa8\xed\xa0\x80\xf3\xa0\x80\x81"),
             "'\\xa0\\u2028\\ud800\\U000e0001'");
}

static void test_bytes_are_quoted_as_in_python(void **state)
{
    (void)state;
    dt_shows(brood_bytes("", 0), "b''");
    dt_shows(brood_bytes("a'b\0\xff\n", 6), "b\"a'b\\x00\\xff\\n\"");
    dt_shows(brood_bytearray("x", 1), "bytearray(b'x')");
}

static void test_containers_are_shown_as_in_python(void **state)
{
    (void)state;
    dt_shows(brood_pack("[()(i)(ii)[]{}]", 1, 2, 3), "[(), (1,), (2, 3), [], {}]");
    dt_shows(brood_pack("{s:b,i:n}", "a", 1, 2), "{'a': True, 2: None}");
    dt_shows(brood_pack("<is>", 1, "x"), "{1, 'x'}");
    dt_shows(brood_set(), "set()");
    dt_shows(brood_frozenset(), "frozenset()");
    brood_value frozen = brood_frozenset();
    dt_ok(brood_set_add(&frozen, brood_int(1)));
    dt_shows(frozen, "frozenset({1})");
    dt_shows((brood_value){0}, "<invalid>");
}

static void test_errors_are_shown_as_calls(void **state)
{
    (void)state;
    dt_shows(brood_error_value("ValueError", "x"), "ValueError('x')");
    dt_shows(brood_error_value("a.b.Broken", NULL), "Broken()");
    dt_shows(brood_error_from("OSError", brood_pack("(is)", 2, "no")), "OSError(2, 'no')");
}

static void test_a_stream_gets_a_line(void **state)
{
    (void)state;
    FILE *stream = tmpfile();
    if (stream == NULL) {
        printf("SKIPPED: test_a_stream_gets_a_line: no temporary file can be made\n");
        skip();
    }
    brood_value v = brood_pack("[is]", 1, "x");
    dt_ok(brood_value_print(&v, stream));
    char line[32] = "";
    rewind(stream);
    assert_non_null(fgets(line, sizeof line, stream));
    fclose(stream);
    assert_memory_equal(line, "[1, 'x']", 8);
    brood_value_clear(&v);
}

dt_main(dt_test(test_strings_are_quoted_as_in_python), dt_test(test_bytes_are_quoted_as_in_python),
        dt_test(test_containers_are_shown_as_in_python), dt_test(test_errors_are_shown_as_calls),
        dt_test(test_a_stream_gets_a_line))
