/* test_corpus.c - what real Python has pickled is read, and comes back the same. */
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

static void read_record(const dt_record *record, brood_value *value)
{
    brood_status status = brood_pickle_loads(record->pickle, record->size, NULL, value);
    if (status != BROOD_OK)
        fail_msg("%s: %s", record->name, brood_last_error()->message);
}

static void check_repr(const dt_record *record, const brood_value *value)
{
    char *text;
    dt_ok(brood_value_repr(value, &text));
    if (strcmp(text, record->repr) != 0)
        fail_msg("%s is read as %.500s and not %.500s", record->name, text, record->repr);
    brood_free(text);
}

static void test_every_pickle_is_read(void **state)
{
    (void)state;
    assert_in_range(corpus.n, 250, 1000);
    for (size_t i = 0; i < corpus.n; i++) {
        brood_value value;
        read_record(&corpus.records[i], &value);
        check_repr(&corpus.records[i], &value);
        brood_value_clear(&value);
    }
}

/* What is written is what Python would read; here: what brood reads, and writes again byte by byte
 * the same. */
static void test_every_value_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < corpus.n; i++) {
        const dt_record *record = &corpus.records[i];
        for (int protocol = 4; protocol <= 5; protocol++) {
            brood_value value;
            brood_value again;
            bri_pickle_options options = {.protocol = protocol};
            bri_buffer first = {0};
            bri_buffer second = {0};
            read_record(record, &value);
            dt_ok(bri_pickle_write(&value, &options, &first));
            dt_ok(bri_pickle_read(first.data, first.length, NULL, &again, NULL));
            check_repr(record, &again);
            bool has_nan = strncmp(record->name, "special floats", 14) == 0; /* equals nothing */
            if (!has_nan && !brood_value_equal(&value, &again))
                fail_msg("%s comes back as another value", record->name);
            dt_ok(bri_pickle_write(&again, &options, &second));
            if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0)
                fail_msg("%s is written in two ways", record->name);
            bri_buffer_fini(&first);
            bri_buffer_fini(&second);
            brood_value_clear(&value);
            brood_value_clear(&again);
        }
    }
}

static void test_every_value_is_copied(void **state)
{
    (void)state;
    for (size_t i = 0; i < corpus.n; i++) {
        brood_value value;
        brood_value copy;
        read_record(&corpus.records[i], &value);
        dt_ok(brood_value_copy(&value, &copy));
        brood_value_clear(&value);
        check_repr(&corpus.records[i], &copy);
        brood_value_clear(&copy);
    }
}

/* The same value in all its protocols, and by both picklers. */
static void test_all_protocols_mean_the_same(void **state)
{
    (void)state;
    for (size_t i = 1; i < corpus.n; i++) {
        const dt_record *before = &corpus.records[i - 1];
        const dt_record *record = &corpus.records[i];
        size_t stem = strlen(record->name) - 1;
        if (strncmp(before->name, record->name, stem) != 0 ||
            strstr(record->repr, "opaque") != NULL || strstr(record->repr, "nan") != NULL ||
            strncmp(record->name, "python 2", 8) == 0)
            continue;
        brood_value a;
        brood_value b;
        read_record(before, &a);
        read_record(record, &b);
        if (!brood_value_equal(&a, &b))
            fail_msg("%s and %s are different", before->name, record->name);
        brood_value_clear(&a);
        brood_value_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        dt_test(test_every_pickle_is_read), dt_test(test_every_value_comes_back),
        dt_test(test_every_value_is_copied), dt_test(test_all_protocols_mean_the_same)};
    return cmocka_run_group_tests(tests, open_corpus, close_corpus);
}
