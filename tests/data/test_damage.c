/* test_damage.c - pickles that are cut short, damaged or hostile are refused or read, and nothing
 * else happens. */
#include "corpus.h"
#include "harness.h"

#include "base/buffer.h"

/* Small limits: what a changed byte asks for is not worth waiting for. */
static const brood_pickle_limits limits = {
    .max_depth = 100, .max_nodes = 20000, .max_bytes = 4 * 1024 * 1024};

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

/* Reads bytes that may be anything, from a block of exactly their size, so that a sanitizer sees
 * every read beyond it. What is accepted must be a whole value. */
static brood_status try_bytes(const unsigned char *bytes, size_t size)
{
    brood_value value;
    brood_status status = brood_pickle_loads(bytes, size, &limits, &value);
    if (status != BROOD_OK) {
        assert_int_equal(brood_last_error()->status, status);
        return status;
    }
    void *data;
    size_t written;
    brood_value again;
    dt_ok(brood_pickle_dumps(&value, &data, &written));
    dt_ok(brood_pickle_loads(data, written, NULL, &again));
    brood_free(data);
    brood_value_clear(&again);
    brood_value_clear(&value);
    return BROOD_OK;
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < corpus.n; i++) {
        const dt_record *record = &corpus.records[i];
        size_t step = dt_is_large(record) ? record->size / 50 + 1 : 1;
        for (size_t size = 0; size < record->size; size += step) {
            unsigned char *bytes = bri_alloc(size);
            memcpy(bytes, record->pickle, size);
            if (try_bytes(bytes, size) == BROOD_OK)
                fail_msg("%s is read after %zu bytes", record->name, size);
            bri_free(bytes);
        }
    }
}

/* Every position, with the bytes that change most: other sizes, other instructions. */
static void test_every_changed_byte_is_refused_or_read(void **state)
{
    (void)state;
    static const unsigned char values[] = {0x00, 0x01, 0x7F, 0xFF, '(',  '0',  '.',  'h',  'R',
                                           'b',  'e',  'u',  't',  0x85, 0x94, 0x93, 0x91, 'q'};
    /* All is done by one thread: nothing that the thread sanitizer, which is slow, could see. */
    const size_t step = bt_has_thread_sanitizer() ? 4 : 1;
    size_t refused = 0;
    size_t tried = 0;
    for (size_t i = 0; i < corpus.n; i++) {
        const dt_record *record = &corpus.records[i];
        if (dt_is_large(record))
            continue;
        unsigned char *bytes = bri_alloc(record->size);
        memcpy(bytes, record->pickle, record->size);
        for (size_t at = 0; at < record->size; at++) {
            unsigned char before = bytes[at];
            for (size_t j = at % step; j < 4; j += step, tried++) {
                /* In turns, so that each value comes to each place of some pickle. */
                bytes[at] = j < 2 ? (unsigned char)(before + (j == 0 ? 1 : -1))
                                  : values[(i + at + j * 5) % sizeof values];
                refused += try_bytes(bytes, record->size) != BROOD_OK;
            }
            bytes[at] = before;
        }
        bri_free(bytes);
    }
    assert_true(refused > tried / 4 && refused < tried);
}

static void test_random_bytes_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 12345;
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[40];
        for (size_t j = 0; j < sizeof bytes; j++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bytes[j] = (unsigned char)(seed >> 56);
        }
        try_bytes(bytes, sizeof bytes);
    }
}

/* ---- small inputs that ask for much ---- */

static void append(bri_buffer *out, const void *bytes, size_t size)
{
    dt_ok(bri_buffer_append(out, bytes, size));
}

static brood_status read_buffer(bri_buffer *out, const brood_pickle_limits *bounds)
{
    brood_value value;
    brood_status status = brood_pickle_loads(out->data, out->length, bounds, &value);
    if (status == BROOD_OK)
        brood_value_clear(&value);
    bri_buffer_fini(out);
    return status;
}

/* Lists of ten references to the list before: 10^n values. */
static bri_buffer make_laughs(int levels, bool in_object)
{
    bri_buffer out = {0};
    append(&out,
           "]q\x00K\x01"
           "a0",
           6);
    for (int i = 1; i <= levels; i++) {
        unsigned char get[2] = {'h', (unsigned char)(i - 1)};
        unsigned char put[3] = {'q', (unsigned char)i, '0'};
        append(&out, "](", 2);
        for (int j = 0; j < 10; j++)
            append(&out, get, 2);
        append(&out, "e", 1);
        append(&out, put, i == levels ? 2 : 3);
    }
    if (in_object)
        append(&out,
               "\x85"
               "0cm\nn\nh",
               8);
    if (in_object)
        append(&out, &(unsigned char){(unsigned char)levels}, 1);
    append(&out, in_object ? "\x85R." : ".", in_object ? 3 : 1);
    return out;
}

static void test_references_count_as_what_they_copy(void **state)
{
    (void)state;
    bri_buffer out = make_laughs(3, false);
    dt_ok(read_buffer(&out, &(brood_pickle_limits){.max_nodes = 2500}));
    out = make_laughs(3, false);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_nodes = 2000}), BROOD_ELIMIT);
    dt_message_has("it makes too many values");
    out = make_laughs(30, false);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_nodes = 100000}), BROOD_ELIMIT);
    out = make_laughs(30, false);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_bytes = 1000000}), BROOD_ELIMIT);
    dt_message_has("it takes too much memory");
    out = make_laughs(30, true); /* in an opaque they stay references */
    dt_ok(read_buffer(&out, &(brood_pickle_limits){.max_nodes = 2000, .max_bytes = 100000}));
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *level;
        size_t size;
    } shapes[] = {{")", "\x85", 1}, {"N", "\x85", 1}, {"N", "]\x86", 2}, {"(", "(", 1}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t levels = 100; levels <= 100000; levels *= 10) {
            bri_buffer out = {0};
            append(&out, shapes[i].begin, 1);
            for (size_t j = 0; j < levels; j++)
                append(&out, shapes[i].level, shapes[i].size);
            append(&out, ".", 1);
            brood_status status = read_buffer(&out, NULL);
            assert_int_equal(status, levels > 500 ? BROOD_ELIMIT : BROOD_OK);
        }
    }
    bri_buffer out = {0};
    append(&out, "NNNNNNN\x85\x85\x85\x85.", 12);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_depth = 3}), BROOD_ELIMIT);
    dt_message_has("it is nested too deep");
    append(&out, "NNNNNNN\x85\x85\x85\x85.", 12);
    dt_ok(read_buffer(&out, &(brood_pickle_limits){.max_depth = 4}));
    append(&out,
           "N\x85q\x00"
           "0h\x00\x85q\x01"
           "0h\x01\x85q\x02"
           "0h\x02\x85.",
           21);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_depth = 3}), BROOD_ELIMIT);
    dt_message_has("it is nested too deep");
    append(&out,
           "N\x85q\x00"
           "0h\x00\x85q\x01"
           "0h\x01\x85q\x02"
           "0h\x02\x85.",
           21);
    dt_ok(read_buffer(&out, &(brood_pickle_limits){.max_depth = 4}));
    /* A chain of references is as deep as it is long. */
    append(&out, "]\x94", 2);
    for (int i = 0; i < 2000; i++) {
        unsigned char get[6] = {'0', 'j', (unsigned char)i, (unsigned char)(i >> 8), 0, 0};
        append(&out, get, 6);
        append(&out, "\x85\x94", 2);
    }
    append(&out, ".", 1);
    dt_fails(read_buffer(&out, NULL), BROOD_ELIMIT);
    for (int kind = 0; kind < 2; kind++) { /* the same through calls */
        append(&out, "]\x94", 2);
        for (int i = 0; i < 2000; i++) {
            unsigned char get[6] = {'j', (unsigned char)i, (unsigned char)(i >> 8), 0, 0};
            append(&out, "0cm\nn\n", 6);
            append(&out, get, 5);
            append(&out, "\x85R\x94", 3);
        }
        append(&out, kind == 0 ? "." : "\x85.", kind == 0 ? 1 : 2);
        dt_fails(read_buffer(&out, NULL), BROOD_ELIMIT);
    }
}

static void test_sizes_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {{"\x8e\x00\x00\x00\x00\x01\x00\x00\x00", 9},
                {"X\xff\xff\xff\x7f", 5},
                {"\x96\xff\xff\xff\xff\xff\xff\xff\xff", 9},
                {"\x8b\xff\xff\xff\x7f", 5},
                {"T\xff\xff\xff\x7f", 5},
                {"B\xff\xff\xff\xff", 5}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bri_memory_fail_at(1, 1); /* nothing is allocated for them */
        brood_value value;
        dt_fails(brood_pickle_loads(rows[i].bytes, rows[i].size, NULL, &value), BROOD_EFORMAT);
        bri_memory_fail_at(0, 0);
    }
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    bri_buffer out = {0};
    for (int i = 0; i < 2000; i++)
        append(&out,
               "C\x64 "
               "12345678901234567890123456789012345678901234567890123456789012345678901234567890123"
               "4567890123456789",
               102);
    append(&out, ".", 1);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_bytes = 100000}), BROOD_ELIMIT);
    for (int i = 0; i < 1000; i++)
        append(&out, "}N", 2);
    append(&out, ".", 1);
    dt_fails(read_buffer(&out, &(brood_pickle_limits){.max_nodes = 1000}), BROOD_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {dt_test(test_every_truncation_is_refused),
                                       dt_test(test_every_changed_byte_is_refused_or_read),
                                       dt_test(test_random_bytes_are_refused),
                                       dt_test(test_references_count_as_what_they_copy),
                                       dt_test(test_nesting_is_bounded),
                                       dt_test(test_sizes_are_not_believed),
                                       dt_test(test_memory_is_bounded)};
    return cmocka_run_group_tests(tests, open_corpus, close_corpus);
}
