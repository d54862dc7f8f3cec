/* test_no_memory.c - the n-th allocation fails, for every n: each call fails as a whole and leaks
 * nothing. */
#include "corpus.h"

#include "data/pickle.h"

static dt_corpus corpus;

static int open_corpus(void **state)
{
    (void)state;
    dt_open_corpus(&corpus);
    return 0;
}

static int close_corpus(void **state)
{
    (void)state;
    dt_close_corpus(&corpus);
    return 0;
}

/* Does `step` with each allocation failing in turn, alone and with all after it, until it needs no
 * more of them. */
static long try_all(brood_status (*step)(const void *input), const void *input, const char *name)
{
    long n = 0;
    for (int onwards = 0; onwards < 2; onwards++) {
        brood_status status = BROOD_ENOMEM;
        for (n = 1; status != BROOD_OK; n++) {
            long before = bri_memory_blocks();
            bri_memory_fail_at(n, onwards);
            status = step(input);
            bool reached = bri_memory_attempts() >= n;
            bri_memory_fail_at(0, 0);
            if (bri_memory_blocks() != before)
                fail_msg("%s: allocation %ld left %ld blocks", name, n,
                         bri_memory_blocks() - before);
            if (status != BROOD_OK && status != BROOD_ENOMEM)
                fail_msg("%s: allocation %ld gave %s", name, n, brood_last_error()->message);
            if (reached != (status != BROOD_OK))
                fail_msg("%s: allocation %ld failed unnoticed", name, n);
        }
    }
    return n;
}

static brood_status read_step(const void *input)
{
    const dt_record *record = input;
    brood_value value = brood_int(5);
    brood_status status = brood_pickle_loads(record->pickle, record->size, NULL, &value);
    if (status != BROOD_OK)
        assert_true(value.kind == BROOD_INT && value.as.integer == 5);
    brood_value_clear(&value);
    return status;
}

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < corpus.n; i++)
        if (!dt_is_large(&corpus.records[i]))
            assert_true(try_all(read_step, &corpus.records[i], corpus.records[i].name) >= 1);
}

static brood_status write_step(const void *input)
{
    void *data = NULL;
    size_t size = 0;
    BROOD_TRY(brood_pickle_dumps(input, &data, &size));
    assert_non_null(data);
    brood_free(data);
    return BROOD_OK;
}

static brood_status copy_step(const void *input)
{
    brood_value copy;
    BROOD_TRY(brood_value_copy(input, &copy));
    brood_value_clear(&copy);
    return BROOD_OK;
}

static brood_status repr_step(const void *input)
{
    char *text;
    BROOD_TRY(brood_value_repr(input, &text));
    brood_free(text);
    return BROOD_OK;
}

static brood_status error_step(const void *input)
{
    brood_value error;
    brood_status status = brood_opaque_as_error(input, &error);
    if (status == BROOD_OK)
        brood_value_clear(&error);
    return status == BROOD_ETYPE ? BROOD_OK : status;
}

static void test_using(void **state)
{
    (void)state;
    for (size_t i = 0; i < corpus.n; i++) {
        const dt_record *record = &corpus.records[i];
        brood_value value;
        dt_ok(brood_pickle_loads(record->pickle, record->size, NULL, &value));
        try_all(write_step, &value, record->name);
        try_all(copy_step, &value, record->name);
        if (!dt_is_large(record))
            try_all(repr_step, &value, record->name);
        if (value.kind == BROOD_OPAQUE)
            try_all(error_step, &value, record->name);
        brood_value_clear(&value);
    }
}

/* A fresh value by all makers; the outermost call tells of any failure. */
static brood_status make_step(const void *input)
{
    (void)input;
    brood_value value =
        brood_pack("{s:v,s:v,s:v,s:[sssss],s:(vv),v:i,s:v,t:y,s:<ss>}", "error",
                   brood_error_value("ValueError", "x"), "wide", brood_uint(UINT64_MAX), "escaped",
                   brood_str_escaped("\xff", 1), "list", "a", "b", "c", "d", "e", "tuple",
                   brood_bytearray("x", 1), brood_int_text("123456789012345678901234567890"),
                   brood_pack("(s)", "key"), 1, "error of more",
                   brood_error_from("a.B", brood_pack("(i[s])", 1, "x")), "text", (size_t)4,
                   "bytes", (size_t)5, "set", "a", "b");
    if (value.kind == BROOD_INVALID)
        return brood_last_error()->status;
    brood_value_clear(&value);
    return BROOD_OK;
}

static brood_status change(brood_value *list, brood_value *dict)
{
    for (int i = 0; i < 20; i++) {
        BROOD_TRY(brood_append(list, brood_str("item")));
        BROOD_TRY(brood_dict_put(dict, brood_int(i), brood_str("item")));
    }
    BROOD_TRY(brood_insert(list, 0, brood_str("first")));
    BROOD_TRY(brood_set_item(list, 0, brood_pack("(s)", "x")));
    BROOD_TRY(brood_list_extend(list, brood_pack("[ss]", "x", "y")));
    brood_value slice;
    BROOD_TRY(brood_slice(list, 0, 10, &slice));
    BROOD_TRY(brood_dict_put_str(dict, "slice", slice));
    return brood_dict_update(dict, brood_pack("{s:s}", "x", "y"));
}

static brood_status change_step(const void *input)
{
    (void)input;
    brood_value list = brood_list();
    brood_value dict = brood_dict();
    brood_status status = change(&list, &dict);
    brood_value_clear(&list);
    brood_value_clear(&dict);
    return status;
}

static void test_making_and_changing(void **state)
{
    (void)state;
    assert_true(try_all(make_step, NULL, "makers") > 30);
    assert_true(try_all(change_step, NULL, "changes") > 60);
}

static brood_status ignore_buffer(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return BROOD_OK;
}

static brood_status buffer_step(const void *input)
{
    bri_pickle_options options = {
        .protocol = 5, .buffer_threshold = 1, .add_buffer = ignore_buffer};
    bri_buffer out = {0};
    brood_status status = bri_buffer_append(&out, "before", 6);
    if (status == BROOD_OK)
        status = bri_pickle_write(input, &options, &out);
    if (status != BROOD_OK && out.length != 0)
        assert_int_equal(out.length, 6);
    bri_buffer_fini(&out);
    return status;
}

static void test_a_failed_write_leaves_the_buffer(void **state)
{
    (void)state;
    brood_value list = brood_list();
    for (int i = 0; i < 1000; i++)
        dt_ok(brood_append(&list, brood_bytes("abc", 3)));
    assert_true(try_all(buffer_step, &list, "buffers") > 5);
    brood_value_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {dt_test(test_reading), dt_test(test_using),
                                       dt_test(test_making_and_changing),
                                       dt_test(test_a_failed_write_leaves_the_buffer)};
    return cmocka_run_group_tests(tests, open_corpus, close_corpus);
}
