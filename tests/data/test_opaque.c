/* Opaques are taken apart and made. */
#include "data/opaque.h"

#include "data/heap.h"
#include "data/pickle.h"
#include "harness.h"

static brood_value read_text(const char *pickle, size_t size)
{
    brood_value value;
    bt_ok(brood_pickle_loads(pickle, size, NULL, &value));
    return value;
}

#define READ(text) read_text(text, sizeof(text) - 1)

static void test_a_call_is_taken_apart(void **state)
{
    (void)state;
    brood_value slice = READ("cbuiltins\nslice\n(I1\nNI2\ntR.");
    bri_opaque_parts parts;
    bt_ok(bri_opaque_open(&slice, &parts));
    assert_int_equal(parts.form, BRI_OPAQUE_CALL);
    assert_string_equal(parts.module, "builtins");
    assert_string_equal(parts.name, "slice");
    int64_t start, step;
    bt_ok(brood_unpack(&parts.arguments, "(ini)", &start, &step));
    assert_int_equal(start, 1);
    assert_int_equal(step, 2);
    assert_int_equal(parts.state.kind, BROOD_INVALID);
    assert_false(parts.has_items);
    bri_opaque_close(&parts);
    brood_value_clear(&slice);
}

static void test_a_token_is_taken_apart(void **state)
{
    (void)state;
    brood_value token = READ("\x80\x02"
                             "cmultiprocessing.managers\nToken\n)\x81X\x04\0\0\0list"
                             "X\x01\0\0\0aX\x02\0\0\0"
                             "7f\x87"
                             "b.");
    bri_opaque_parts parts;
    bt_ok(bri_opaque_open(&token, &parts));
    assert_int_equal(parts.form, BRI_OPAQUE_NEW);
    const char *typeid, *address, *ident;
    bt_ok(brood_unpack(&parts.state, "(sss)", &typeid, &address, &ident));
    assert_string_equal(typeid, "list");
    assert_string_equal(ident, "7f");
    bri_opaque_close(&parts);
    brood_value made =
        bri_opaque_new("multiprocessing.managers", "Token", brood_pack("(sss)", "list", "a", "7f"));
    assert_true(brood_value_equal(&token, &made));
    brood_value_clear(&made);
    brood_value_clear(&token);
}

static void test_items_are_taken_out(void **state)
{
    (void)state;
    brood_value ordered = READ("ccollections\nOrderedDict\n)R(I1\nI2\nI3\nI4\nu.");
    bri_opaque_parts parts;
    bt_ok(bri_opaque_open(&ordered, &parts));
    assert_true(parts.has_items);
    brood_value wanted = brood_pack("[(ii)(ii)]", 1, 2, 3, 4);
    assert_true(brood_value_equal(&parts.items, &wanted));
    brood_value_clear(&wanted);
    bri_opaque_close(&parts);
    brood_value_clear(&ordered);
}

static void test_opaques_are_made_as_they_are_read(void **state)
{
    (void)state;
    brood_value read = READ("cbuiltins\nslice\n(I1\nNI2\ntR.");
    brood_value made = bri_opaque_call("builtins", "slice", brood_pack("(ini)", 1, 2));
    assert_true(brood_value_equal(&read, &made));
    brood_value_clear(&read);
    brood_value_clear(&made);
    read = READ("cmodule\nThing\n.");
    made = bri_opaque_global("module", "Thing");
    assert_true(bri_opaque_is(&made, "module", "Thing"));
    assert_true(brood_value_equal(&read, &made));
    brood_value_clear(&read);
    brood_value_clear(&made);
    made = bri_opaque_call("m", "f", brood_pack("i", 1)); /* no tuple */
    assert_int_equal(made.kind, BROOD_INVALID);
}

static void test_what_is_no_opaque_is_refused(void **state)
{
    (void)state;
    bri_opaque_parts parts;
    brood_value number = brood_int(1);
    bt_fails(bri_opaque_open(&number, &parts), BROOD_ETYPE);
    brood_value nested = READ("cm\nf\n(tR(tR."); /* what a call gave is called */
    bt_fails(bri_opaque_open(&nested, &parts), BROOD_ETYPE);
    brood_value_clear(&nested);
}

/* ---- what a layer above knows ---- */

static brood_status know(void *context, const char *name, const brood_value *arguments,
                         brood_value *made)
{
    (void)context;
    if (strcmp(name, "Known") == 0)
        *made = brood_int((int64_t)brood_value_length(arguments));
    return strcmp(name, "Bad") == 0 ? BROOD_ELIMIT : BROOD_OK;
}

static brood_status read_known(const char *pickle, brood_value *value)
{
    bri_pickle_options options = {.foreign_module = "shop", .foreign = know};
    return bri_pickle_read(pickle, strlen(pickle), &options, value, NULL);
}

static void test_known_calls_become_values(void **state)
{
    (void)state;
    brood_value value;
    bt_ok(read_known("(lcshop\nKnown\n(I1\nI2\ntRa.", &value));
    assert_int_equal(brood_item(&value, 0)->as.integer, 2);
    brood_value_clear(&value);
    bt_ok(read_known("(lcshop\nKnown\n(I1\ntRp0\nag0\na.", &value));
    assert_int_equal(brood_item(&value, 1)->as.integer, 1);
    brood_value_clear(&value);
    bt_ok(read_known("cshop\nOther\n(I1\ntR.", &value));
    assert_int_equal(value.kind, BROOD_OPAQUE);
    brood_value_clear(&value);
    bt_fails(read_known("cshop\nBad\n(I1\ntR.", &value), BROOD_ELIMIT);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_call_is_taken_apart), bt_test(test_a_token_is_taken_apart),
        bt_test(test_items_are_taken_out), bt_test(test_opaques_are_made_as_they_are_read),
        bt_test(test_what_is_no_opaque_is_refused), bt_test(test_known_calls_become_values));
}
