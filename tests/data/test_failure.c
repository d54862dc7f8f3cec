/* test_failure.c - errors as data. */
#include "support.h"

#include "data/exceptions.h"
#include "data/heap.h"

static void expect_message(brood_value error, const char *kind, const char *message)
{
    assert_int_equal(brood_value_kind(&error), BROOD_ERROR);
    assert_string_equal(brood_error_kind(&error), kind);
    assert_string_equal(brood_error_message(&error), message);
    brood_value_clear(&error);
}

static void test_the_message_is_what_python_shows(void **state)
{
    (void)state;
    expect_message(brood_error_value("ValueError", "bad"), "ValueError", "bad");
    expect_message(brood_error_value("queue.Empty", NULL), "queue.Empty", "");
    expect_message(brood_error_from("KeyError", brood_pack("(i)", 5)), "KeyError", "5");
    expect_message(brood_error_from("OSError", brood_pack("(is)", 2, "No such file")), "OSError",
                   "[Errno 2] No such file");
    expect_message(brood_error_from("FileNotFoundError", brood_pack("(iss)", 2, "No", "f")),
                   "FileNotFoundError", "[Errno 2] No");
    expect_message(brood_error_from("OSError", brood_pack("(ss)", "a", "b")), "OSError",
                   "('a', 'b')");
    expect_message(brood_error_from("RuntimeError", brood_pack("(is)", 2, "x")), "RuntimeError",
                   "(2, 'x')");
}

static void test_builtins_is_left_out_of_the_kind(void **state)
{
    (void)state;
    expect_message(brood_error_value("builtins.ValueError", "x"), "ValueError", "x");
    expect_message(brood_error_value("my.pkg.Broken", "x"), "my.pkg.Broken", "x");
}

static void test_a_bad_kind_is_refused(void **state)
{
    (void)state;
    dt_invalid(brood_error_value("", "x"), BROOD_EINVALID);
    dt_invalid(brood_error_value(NULL, "x"), BROOD_EINVALID);
    dt_invalid(brood_error_value(".X", "x"), BROOD_EINVALID);
    dt_invalid(brood_error_value("x.", "x"), BROOD_EINVALID);
    dt_invalid(brood_error_value("\xff", "x"), BROOD_EINVALID);
    dt_invalid(brood_error_from("ValueError", brood_pack("[s]", "x")), BROOD_ETYPE);
    dt_invalid(brood_error_from("ValueError", brood_str("\xff")), BROOD_EFORMAT);
}

static void test_a_message_may_be_no_utf8(void **state)
{
    (void)state;
    expect_message(brood_error_value("OSError", "a\xff"), "OSError", "a\xed\xb3\xbf");
}

static void test_a_long_description_is_cut(void **state)
{
    (void)state;
    brood_value list = brood_list();
    for (int i = 0; i < 100000; i++)
        dt_ok(brood_append(&list, brood_int(i)));
    brood_value error = brood_error_from("ValueError", brood_pack("(v)", list));
    size_t size = strlen(brood_error_message(&error));
    assert_true(size > 900 && size < 1100);
    assert_string_equal(brood_error_message(&error) + size - 3, "...");
    brood_value_clear(&error);
    char *text = bri_calloc(1, 5001);
    memset(text, 'x', 5000);
    expect_message(brood_error_value("ValueError", text), "ValueError", text); /* a str is not */
    bri_free(text);
}

static void test_what_is_no_error_has_no_parts(void **state)
{
    (void)state;
    brood_value v = brood_int(5);
    assert_string_equal(brood_error_kind(&v), "");
    assert_string_equal(brood_error_message(&v), "");
    assert_null(brood_error_arguments(&v));
    assert_null(brood_error_attributes(&v));
    v = brood_error_value("ValueError", "x");
    assert_int_equal(brood_value_length(brood_error_arguments(&v)), 1);
    assert_null(brood_error_attributes(&v));
    brood_value copy;
    dt_ok(brood_value_copy(&v, &copy));
    brood_value_clear(&v);
    expect_message(copy, "ValueError", "x");
}

static void test_attributes_are_kept(void **state)
{
    (void)state;
    brood_value v = bri_error_make("m", 1, "E", 1, brood_tuple(0), brood_pack("{s:i}", "code", 5));
    dt_repr_is(brood_error_attributes(&v), "{'code': 5}");
    void *data;
    size_t size;
    brood_value back;
    dt_ok(brood_pickle_dumps(&v, &data, &size));
    dt_ok(brood_pickle_loads(data, size, NULL, &back));
    /* m.E does not look like an exception to a reader that does not know it. */
    assert_int_equal(brood_value_kind(&back), BROOD_OPAQUE);
    assert_string_equal(brood_opaque_module(&back), "m");
    assert_string_equal(brood_opaque_name(&back), "E");
    brood_value error;
    dt_ok(brood_opaque_as_error(&back, &error));
    assert_true(brood_value_equal(&v, &error));
    brood_free(data);
    brood_value_clear(&back);
    brood_value_clear(&error);
    dt_fails(brood_opaque_as_error(&v, &error), BROOD_ETYPE);
    brood_value_clear(&v);
    dt_invalid(bri_error_make("m", 1, "E", 1, brood_tuple(0), brood_list()), BROOD_ETYPE);
}

static void test_exceptions_are_known_by_name(void **state)
{
    (void)state;
    assert_true(bri_is_exception("builtins", "ValueError"));
    assert_true(bri_is_exception("builtins", "ArithmeticError"));
    assert_true(bri_is_exception("builtins", "ZeroDivisionError"));
    assert_true(bri_is_exception("builtins", "StopIteration"));
    assert_true(bri_is_exception("_queue", "Empty"));
    assert_true(bri_is_exception("queue", "Full"));
    assert_true(bri_is_exception("threading", "BrokenBarrierError"));
    assert_true(bri_is_exception("__main__", "MyException"));
    assert_false(bri_is_exception("builtins", "int"));
    assert_false(bri_is_exception("builtins", "MyError"));
    assert_false(bri_is_exception("uuid", "UUID"));
    assert_true(bri_is_system_error("ConnectionResetError"));
    assert_false(bri_is_system_error("ValueError"));
}

static void test_names_of_python_2_are_renewed(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"__builtin__", "set", "builtins", "set"},
        {"__builtin__", "xrange", "builtins", "range"},
        {"exceptions", "ValueError", "builtins", "ValueError"},
        {"exceptions", "StandardError", "builtins", "Exception"},
        {"copy_reg", "_reconstructor", "copyreg", "_reconstructor"},
        {"Queue", "Empty", "queue", "Empty"},
        {"mine", "set", "mine", "set"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *module = rows[i][0];
        const char *name = rows[i][1];
        bri_modernise(&module, &name);
        assert_string_equal(module, rows[i][2]);
        assert_string_equal(name, rows[i][3]);
    }
}

dt_main(dt_test(test_the_message_is_what_python_shows),
        dt_test(test_builtins_is_left_out_of_the_kind), dt_test(test_a_bad_kind_is_refused),
        dt_test(test_a_message_may_be_no_utf8), dt_test(test_a_long_description_is_cut),
        dt_test(test_what_is_no_error_has_no_parts), dt_test(test_attributes_are_kept),
        dt_test(test_exceptions_are_known_by_name), dt_test(test_names_of_python_2_are_renewed))
