/* test_pickle.c - pickles: what is written, instructions that today's picklers do not use, and
 * refusals. */
#include "support.h"

#include <math.h>

#include "data/pickle.h"

static brood_status read_bytes(const void *data, size_t size, brood_value *value)
{
    return brood_pickle_loads(data, size, NULL, value);
}

/* Reads and clears; the literal may contain NULs. */
#define reads_as(literal, repr) \
    expect_read((literal), sizeof(literal) - 1, (repr), __FILE__, __LINE__)
static void expect_read(const char *data, size_t size, const char *repr, const char *file, int line)
{
    brood_value value;
    dt_expect(read_bytes(data, size, &value), BROOD_OK, repr, file, line);
    dt_expect_shows(value, repr, file, line);
}

#define refuses(literal, status) \
    expect_refusal((literal), sizeof(literal) - 1, (status), __FILE__, __LINE__)
static void expect_refusal(const char *data, size_t size, brood_status status, const char *file,
                           int line)
{
    brood_value value = brood_int(77);
    dt_expect(read_bytes(data, size, &value), status, "brood_pickle_loads", file, line);
    assert_true(value.kind == BROOD_INT && value.as.integer == 77);
}

#define writes(value, literal) \
    expect_written((value), (literal), sizeof(literal) - 1, __FILE__, __LINE__)
static void expect_written(brood_value value, const char *bytes, size_t size, const char *file,
                           int line)
{
    void *data = NULL;
    size_t written = 0;
    dt_expect(brood_pickle_dumps(&value, &data, &written), BROOD_OK, "brood_pickle_dumps", file,
              line);
    if (written != size || memcmp(data, bytes, size) != 0) {
        for (size_t i = 0; i < written; i++)
            print_error("\\x%02x", ((unsigned char *)data)[i]);
        print_error("\n");
        _fail(file, line);
    }
    brood_free(data);
    brood_value_clear(&value);
}

#define FRAME(size) "\x95" size "\0\0\0\0\0\0\0"

static void test_scalars_are_written_as_python_writes_them(void **state)
{
    (void)state;
    writes(brood_none(), "\x80\x04N.");
    writes(brood_bool(true), "\x80\x04\x88.");
    writes(brood_int(5), "\x80\x04K\x05.");
    writes(brood_int(256), "\x80\x04" FRAME("\x04") "M\x00\x01.");
    writes(brood_int(-1), "\x80\x04" FRAME("\x06") "J\xff\xff\xff\xff.");
    writes(brood_int(1LL << 31), "\x80\x04" FRAME("\x08") "\x8a\x05\x00\x00\x00\x80\x00.");
    writes(brood_int(INT64_MIN),
           "\x80\x04" FRAME("\x0b") "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.");
    writes(brood_uint(1ULL << 63),
           "\x80\x04" FRAME("\x0c") "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.");
    writes(brood_float(1.5), "\x80\x04" FRAME("\x0a") "G?\xf8\x00\x00\x00\x00\x00\x00.");
    writes(brood_str("ab"), "\x80\x04" FRAME("\x05") "\x8c\x02"
                                                     "ab.");
    writes(brood_bytes("ab", 2), "\x80\x04" FRAME("\x05") "C\x02"
                                                          "ab.");
}

static void test_containers_are_written(void **state)
{
    (void)state;
    writes(brood_list(), "\x80\x04].");
    writes(brood_pack("[i]", 1), "\x80\x04" FRAME("\x05") "]K\x01"
                                                          "a.");
    writes(brood_pack("[in]", 1), "\x80\x04" FRAME("\x07") "](K\x01Ne.");
    writes(brood_pack("()"), "\x80\x04).");
    writes(brood_pack("(n)"), "\x80\x04N\x85.");
    writes(brood_pack("(nn)"), "\x80\x04" FRAME("\x04") "NN\x86.");
    writes(brood_pack("(nnn)"), "\x80\x04" FRAME("\x05") "NNN\x87.");
    writes(brood_pack("(nnnn)"), "\x80\x04" FRAME("\x07") "(NNNNt.");
    writes(brood_pack("{i:n}", 1), "\x80\x04" FRAME("\x06") "}K\x01Ns.");
    writes(brood_pack("{i:n,n:n}", 1), "\x80\x04" FRAME("\x09") "}(K\x01NNNu.");
    writes(brood_set(), "\x80\x04\x8f.");
    writes(brood_pack("<n>"), "\x80\x04" FRAME("\x05") "\x8f(N\x90.");
    writes(brood_frozenset(), "\x80\x04(\x91.");
    writes(brood_error_value("queue.Empty", NULL), "\x80\x04" FRAME("\x12") "\x8c\x05queue\x8c\x05"
                                                                            "Empty\x93)R.");
    writes(brood_bytearray("", 0), "\x80\x04" FRAME("\x19") "\x8c\x08"
                                                            "builtins\x8c\x09"
                                                            "bytearray\x93)R.");
}

static size_t frames_in(const unsigned char *data, size_t size, size_t *largest)
{
    size_t n = 0;
    *largest = 0;
    for (size_t i = 2; i + 9 < size && data[i] == 0x95;) {
        size_t length = 0;
        for (size_t j = 8; j-- > 0;)
            length = length << 8 | data[i + 1 + j];
        n++;
        *largest = length > *largest ? length : *largest;
        i += 9 + length;
        assert_true(i <= size);
    }
    return n;
}

static void test_long_pickles_are_framed(void **state)
{
    (void)state;
    brood_value list = brood_list();
    for (int64_t i = 0; i < 100000; i++)
        dt_ok(brood_append(&list, brood_int(i * i)));
    void *data;
    size_t size;
    size_t largest;
    brood_value back;
    dt_ok(brood_pickle_dumps(&list, &data, &size));
    assert_in_range(frames_in(data, size, &largest), 7, 20);
    assert_in_range(largest, 60000, 70000);
    dt_ok(read_bytes(data, size, &back));
    assert_true(brood_value_equal(&list, &back));
    brood_free(data);
    brood_value_clear(&back);
    brood_value_clear(&list);
}

static void test_large_texts_stand_outside_of_frames(void **state)
{
    (void)state;
    size_t length = 70000;
    char *bytes = bri_calloc(1, length);
    brood_value v = brood_pack("[iyi]", 1, bytes, length, 2);
    void *data;
    size_t size;
    brood_value back;
    dt_ok(brood_pickle_dumps(&v, &data, &size));
    /* PROTO, a frame up to the bytes, the bytes, a frame of the rest. */
    assert_memory_equal(data,
                        "\x80\x04" FRAME("\x04") "](K\x01"
                                                 "B",
                        16);
    assert_memory_equal((char *)data + size - 13,
                        FRAME("\x04") "K\x02"
                                      "e.",
                        13);
    dt_ok(read_bytes(data, size, &back));
    assert_true(brood_value_equal(&v, &back));
    brood_free(data);
    brood_value_clear(&back);
    brood_value_clear(&v);
    bri_free(bytes);
}

/* ---- buffers ---- */

typedef struct sink {
    struct bri_span spans[4];
    size_t n;
    brood_status status;
} sink;

static brood_status take_buffer(void *context, const void *data, size_t size)
{
    sink *s = context;
    if (s->status != BROOD_OK)
        return s->status;
    s->spans[s->n++] = (struct bri_span){data, size};
    return BROOD_OK;
}

static void test_large_bytes_travel_beside_the_pickle(void **state)
{
    (void)state;
    sink s = {.n = 0};
    bri_pickle_options options = {
        .protocol = 5, .buffer_threshold = 4, .add_buffer = take_buffer, .context = &s};
    brood_value v = brood_pack("[yvys]", "abcd", (size_t)4, brood_bytearray("efghi", 5), "jkl",
                               (size_t)3, "mnopq");
    bri_buffer out = {0};
    dt_ok(bri_pickle_write(&v, &options, &out));
    assert_int_equal(s.n, 2);
    assert_memory_equal(s.spans[1].data, "efghi", 5);
    brood_value back;
    options = (bri_pickle_options){.buffers = s.spans, .n_buffers = 2};
    dt_ok(bri_pickle_read(out.data, out.length, &options, &back, NULL));
    dt_shows(back, "[b'abcd', bytearray(b'efghi'), b'jkl', 'mnopq']");
    options.n_buffers = 1;
    dt_fails(bri_pickle_read(out.data, out.length, &options, &back, NULL), BROOD_EFORMAT);
    dt_message_has("it wants more buffers than there are");
    bri_buffer_reset(&out);
    s = (sink){.status = BROOD_EFULL};
    options = (bri_pickle_options){
        .protocol = 5, .buffer_threshold = 4, .add_buffer = take_buffer, .context = &s};
    assert_int_equal(bri_pickle_write(&v, &options, &out), BROOD_EFULL);
    assert_int_equal(out.length, 0);
    options = (bri_pickle_options){.protocol = 3};
    dt_fails(bri_pickle_write(&v, &options, &out), BROOD_EINVALID);
    bri_buffer_fini(&out);
    brood_value_clear(&v);
}

static void test_several_pickles_may_follow_one_another(void **state)
{
    (void)state;
    static const char two[] = "\x80\x04K\x01.\x80\x04K\x02.";
    size_t used = 0;
    brood_value v;
    dt_ok(bri_pickle_read(two, sizeof two - 1, NULL, &v, &used));
    assert_int_equal(used, 5);
    dt_shows(v, "1");
    dt_ok(bri_pickle_read(two + used, sizeof two - 1 - used, NULL, &v, &used));
    dt_shows(v, "2");
    refuses("\x80\x04K\x01.\x80\x04K\x02.", BROOD_EFORMAT);
    dt_message("could not read a pickle: something follows its end, at byte 4");
}

/* ---- reading by hand ---- */

static void test_old_text_forms_are_read(void **state)
{
    (void)state;
    reads_as("I00\n.", "False");
    reads_as("I01\n.", "True");
    reads_as("I1\n.", "1");
    reads_as("I-5\n.", "-5");
    reads_as("I99999999999999999999\n.", "99999999999999999999");
    reads_as("L12L\n.", "12");
    reads_as("L-99999999999999999999L\n.", "-99999999999999999999");
    reads_as("F1.5\n.", "1.5");
    reads_as("F-inf\n.", "-inf");
    reads_as("S'it\\'s \\x41\\n\\\\\\101\\q'\n.", "\"it's A\\n\\\\A\\\\q\"");
    reads_as("S\"\"\n.", "''");
    reads_as("Vcaf\xe9 \\u20ac\\U0001f600\\\\u0041\\x\n.",
             "'caf\xc3\xa9 \xe2\x82\xac\xf0\x9f\x98\x80\\\\\\\\u0041\\\\x'");
    reads_as("V\\ud800\n.", "'\\ud800'");
    reads_as("T\x02\x00\x00\x00"
             "ab.",
             "'ab'");
    reads_as("U\x02"
             "ab.",
             "'ab'");
    reads_as("(lp0\nI1\naI2\na.", "[1, 2]");
    reads_as("(I1\nI2\nl.", "[1, 2]");
    reads_as("(dp0\nI1\nI2\ns.", "{1: 2}");
    reads_as("(I1\nI2\nd.", "{1: 2}");
    reads_as("(I1\nI2\nt.", "(1, 2)");
}

static void test_stack_instructions_work(void **state)
{
    (void)state;
    reads_as("K\x01K\x02"
             "0.",
             "1");
    reads_as("K\x01(K\x02K\x03"
             "1.",
             "1");
    reads_as("K\x01(0.", "1"); /* POP takes a mark that has nothing above it */
    reads_as("K\x01"
             "2\x86.",
             "(1, 1)");
    reads_as("]2K\x05\x86\x86.", "([], ([], 5))");
    reads_as("K\x01K\x02.", "2"); /* what else is on the stack is dropped */
    refuses("0.", BROOD_EFORMAT);
    refuses("1.", BROOD_EFORMAT);
    refuses("2.", BROOD_EFORMAT);
    refuses("(.", BROOD_EFORMAT);
    refuses(".", BROOD_EFORMAT);
    refuses("K\x01(\x85.", BROOD_EFORMAT); /* nothing below a mark is an operand */
    refuses("]((K\x01"
            "e1.",
            BROOD_EFORMAT);
}

static void test_the_memo_works(void **state)
{
    (void)state;
    reads_as("](\x8c\x01"
             "aq\x05h\x05h\x05"
             "e.",
             "['a', 'a', 'a']");
    reads_as("](\x8c\x01"
             "ar\x05\x00\x00\x00j\x05\x00\x00\x00"
             "e.",
             "['a', 'a']");
    reads_as("](\x8c\x01"
             "a\x94h\x00"
             "e.",
             "['a', 'a']");
    reads_as("](K\x01q\x00K\x02q\x00h\x00"
             "e.",
             "[1, 2, 2]");
    reads_as("(]q\x01K\x05"
             "ah\x01h\x01t.",
             "([5], [5], [5])");
    reads_as("(}q\x01K\x05Nsh\x01h\x01t.", "({5: None}, {5: None}, {5: None})");
    reads_as("(K\x01\x85q\x01h\x01}h\x01K\x02st.", "((1,), (1,), {(1,): 2})");
    refuses("h\x00.", BROOD_EFORMAT);
    dt_message("could not read a pickle: it refers to a memo slot that is empty, at byte 0");
    refuses("K\x01q\x05h\x04.", BROOD_EFORMAT);
    refuses("g-1\n.", BROOD_EFORMAT);
    refuses("gx\n.", BROOD_EFORMAT);
    refuses("g\n.", BROOD_EFORMAT);
    refuses("K\x01p99999999999999999999999\n.", BROOD_EFORMAT);
    refuses("K\x01r\xff\xff\xff\x7f.", BROOD_ELIMIT);
    dt_message_has("it uses a memo slot that is too high");
    refuses("q\x00.", BROOD_EFORMAT);
    refuses("\x94.", BROOD_EFORMAT);
}

static void test_what_memo_references_see_is_the_container_itself(void **state)
{
    (void)state;
    /* Filled after it was referred to, as Python has it. */
    reads_as("]q\x00h\x00\x85q\x01"
             "0K\x05"
             "ah\x01\x86.",
             "([5], ([5],))");
}

static void test_circles_are_refused(void **state)
{
    (void)state;
    refuses("]q\x00h\x00"
            "a.",
            BROOD_EFORMAT);
    dt_message_has("a container contains itself");
    refuses("}q\x00K\x01h\x00s.", BROOD_EFORMAT);
    refuses("]q\x00(]h\x00"
            "a\x85"
            "e.",
            BROOD_EFORMAT);
    refuses("]q\x00h\x00\x85q\x01"
            "0h\x00h\x01"
            "a.",
            BROOD_EFORMAT); /* filled through a reference */
}

static void test_sets_are_read(void **state)
{
    (void)state;
    reads_as("\x8f(K\x01K\x02K\x01\x90.", "{1, 2}");
    reads_as("\x8f(K\x01\x90(K\x02\x90.", "{1, 2}");
    reads_as("(K\x01K\x02\x91.", "frozenset({1, 2})");
    reads_as("c__builtin__\nset\n((lp1\nI1\natR.", "{1}");
    reads_as("cbuiltins\nfrozenset\n(I1\nI2\ntp1\n\x85R.", "frozenset({1, 2})");
    reads_as("cbuiltins\nset\n)R.", "set()");
    reads_as("cbuiltins\nset\n]q\x00(K\x01\x85q\x01h\x01"
             "e\x85Rh\x00\x86.",
             "({(1,)}, [(1,), (1,)])");
    reads_as("cbuiltins\nlist\n]q\x00(K\x01K\x02"
             "e\x85R.",
             "[1, 2]");
    refuses("\x8f(]\x90.", BROOD_ETYPE);
    dt_message("could not read a pickle: could not use a list as a key: it is not hashable");
    refuses("(}\x91.", BROOD_ETYPE);
    refuses("}]Ns.", BROOD_ETYPE);
    refuses("}]\x85Ns.", BROOD_ETYPE);
    refuses("}(Nu.", BROOD_EFORMAT);
    refuses("](Nu.", BROOD_EFORMAT);
    refuses("](NNu.", BROOD_EFORMAT);
    refuses("N(NNu.", BROOD_EFORMAT);
    refuses(")Na.", BROOD_EFORMAT);
}

static void test_bytes_in_the_guise_of_str_are_read(void **state)
{
    (void)state;
    reads_as("c_codecs\nencode\n(V\xe9\xff\nVlatin1\ntR.", "b'\\xe9\\xff'");
    reads_as("c__builtin__\nbytes\n)R.", "b''");
    reads_as("c__builtin__\nbytearray\n(V\xe9\nVlatin-1\ntR.", "bytearray(b'\\xe9')");
    reads_as("cbuiltins\nbytearray\n(C\x01xtR.", "bytearray(b'x')");
    reads_as("cbuiltins\nbytearray\n)R.", "bytearray(b'')");
    reads_as("\x80\x05\x96\x02\x00\x00\x00\x00\x00\x00\x00xy.", "bytearray(b'xy')");
    refuses("c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR.", BROOD_EFORMAT);
    reads_as("c_codecs\nencode\n(Vx\nVutf-8\ntR.", "<opaque _codecs.encode>");
}

static void test_exceptions_become_errors(void **state)
{
    (void)state;
    reads_as("cexceptions\nValueError\n(S'x'\nI5\ntR.", "ValueError('x', 5)");
    reads_as("c_queue\nEmpty\n)R.", "Empty()");
    reads_as("cm\nMyError\n]q\x00K\x01"
             "a\x85Rh\x00\x86.",
             "(MyError([1]), [1])");
    brood_value v;
    static const char with_state[] = "cbuiltins\nKeyError\n(K\x01tR}(S'a'\nK\x02ub.";
    dt_ok(read_bytes(with_state, sizeof with_state - 1, &v));
    assert_string_equal(brood_error_kind(&v), "KeyError");
    dt_repr_is(brood_error_attributes(&v), "{'a': 2}");
    brood_value_clear(&v);
    reads_as("cbuiltins\nKeyError\n(K\x01tRK\x02"
             "b.",
             "<opaque builtins.KeyError>"); /* an odd state */
    reads_as("cbuiltins\nKeyError\n.", "<opaque builtins.KeyError>");
    refuses("cbuiltins\nKeyError\n]q\x00(h\x00"
            "e\x85R.",
            BROOD_EFORMAT); /* its list contains itself */
}

static void test_what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    refuses("Pabc\n.", BROOD_ENOTSUP);
    dt_message(
        "could not read a pickle: it has a persistent id, which only its writer knows, at byte 0");
    refuses("NQ.", BROOD_ENOTSUP);
    refuses("\x82\x01.", BROOD_ENOTSUP);
    refuses("\x83\x01\x00.", BROOD_ENOTSUP);
    refuses("\x84\x01\x00\x00\x00.", BROOD_ENOTSUP);
    refuses("\x80\x06N.", BROOD_EVERSION);
    refuses("\xff.", BROOD_EFORMAT);
    refuses("", BROOD_EFORMAT);
}

static void test_malformed_operands_are_refused(void **state)
{
    (void)state;
    refuses("Ix\n.", BROOD_EFORMAT);
    refuses("Fx\n.", BROOD_EFORMAT);
    refuses("I1", BROOD_EFORMAT);
    refuses("Sx\n.", BROOD_EFORMAT);
    refuses("S'x\n.", BROOD_EFORMAT);
    refuses("S'\n.", BROOD_EFORMAT);
    refuses("S'\\x4'\n.", BROOD_EFORMAT);
    refuses("S'\\xff'\n.", BROOD_EFORMAT);
    refuses("S'\xff'\n.", BROOD_EFORMAT);
    refuses("S'\\'\n.", BROOD_EFORMAT);
    refuses("V\\u12\n.", BROOD_EFORMAT);
    refuses("V\\U00110000\n.", BROOD_EFORMAT);
    refuses("V\\Uffffffff\n.", BROOD_EFORMAT);
    refuses("\x8c\x01\xff.", BROOD_EFORMAT);
    refuses("X\xff\xff\xff\x7f"
            "ab.",
            BROOD_EFORMAT);
    refuses("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "ab.",
            BROOD_EFORMAT);
    refuses("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"
            "ab.",
            BROOD_EFORMAT);
    refuses("T\xff\xff\xff\xff"
            "ab.",
            BROOD_EFORMAT);
    refuses("\x8b\xff\xff\xff\xff"
            "ab.",
            BROOD_EFORMAT);
    refuses("\x95\x40\x00\x00\x00\x00\x00\x00\x00N.", BROOD_EFORMAT);
    refuses("NNR.", BROOD_EFORMAT);
    refuses("cm\nn\nNR.", BROOD_EFORMAT);
    refuses("cm\nn\nN\x81.", BROOD_EFORMAT);
    refuses("N)\x81.", BROOD_EFORMAT);
    refuses("cm\nn\n)N\x92.", BROOD_EFORMAT);
    refuses("(No.", BROOD_EFORMAT);
    refuses("(o.", BROOD_EFORMAT);
    refuses("im\nn\n.", BROOD_EFORMAT);
    refuses("N}b.", BROOD_EFORMAT);
    refuses("c\n\n.", BROOD_EFORMAT);
    refuses("NN\x93.", BROOD_EFORMAT);
    refuses("\x8c\x00\x8c\x01x\x93.", BROOD_EFORMAT);
    refuses("\x8c\x02"
            "a\0\x8c\x01x\x93.",
            BROOD_EFORMAT);
    refuses("c\xff\nx\n.", BROOD_EFORMAT);
    refuses("\x97.", BROOD_EFORMAT);
    refuses("N\x98.", BROOD_EFORMAT);
}

/* ---- opaques ---- */

/* What an opaque is written as: the fragment between the frame's header and STOP. */
#define reads_as_fragment(literal, fragment)                                                    \
    expect_fragment((literal), sizeof(literal) - 1, (fragment), sizeof(fragment) - 1, __FILE__, \
                    __LINE__)
static void expect_fragment(const char *data, size_t size, const char *fragment,
                            size_t fragment_size, const char *file, int line)
{
    brood_value v;
    dt_expect(read_bytes(data, size, &v), BROOD_OK, "brood_pickle_loads", file, line);
    void *written;
    size_t written_size;
    dt_expect(brood_pickle_dumps(&v, &written, &written_size), BROOD_OK, "dumps", file, line);
    if (v.kind != BROOD_OPAQUE || written_size != fragment_size + 12 ||
        memcmp((char *)written + 11, fragment, fragment_size) != 0) {
        for (size_t i = 0; i < written_size; i++)
            print_error("\\x%02x", ((unsigned char *)written)[i]);
        print_error("\n");
        _fail(file, line);
    }
    brood_value again;
    dt_expect(read_bytes(written, written_size, &again), BROOD_OK, "again", file, line);
    assert_true(brood_value_equal(&v, &again));
    brood_value_clear(&v);
    brood_value_clear(&again);
    brood_free(written);
}

#define GLOBAL_MN "\x8c\x01m\x8c\x01n\x93"

static void test_opaques_stand_for_themselves(void **state)
{
    (void)state;
    reads_as_fragment("cm\nn\n.", GLOBAL_MN);
    reads_as_fragment("cm\nn\n)\x81}\x8c\x01"
                      "aK\x05sb.",
                      GLOBAL_MN ")\x81}(\x8c\x01"
                                "aK\x05ub");
    reads_as_fragment("cm\nn\n(K\x01tR(K\x02K\x03"
                      "e.",
                      GLOBAL_MN "K\x01\x85R(K\x02K\x03"
                                "e");
    reads_as_fragment("cm\nn\n)RK\x01K\x02s.", GLOBAL_MN ")R(K\x01K\x02u");
    reads_as_fragment("cm\nn\n)R(K\x01\x90.", GLOBAL_MN ")R(K\x01\x90");
    reads_as_fragment("cm\nn\n)}\x8c\x01kNs\x92.", GLOBAL_MN ")}(\x8c\x01kNu\x92");
    reads_as_fragment("(cm\nn\nK\x01o.", "(" GLOBAL_MN "K\x01o");
    reads_as_fragment("(K\x01im\nn\n.", "(" GLOBAL_MN "K\x01o");
    /* What it refers to outside comes along, numbered from 0. */
    reads_as_fragment("]q\x07K\x05"
                      "a0cm\nn\n(h\x07h\x07tR.",
                      GLOBAL_MN "]q\x00(K\x05"
                                "eh\x00\x86R");
    reads_as_fragment("\x8c\x04"
                      "longq\x07"
                      "0cm\nn\n(h\x07h\x07tR.",
                      GLOBAL_MN "\x8c\x04longq\x00h\x00\x86R");
    /* Equal texts are the same, but bytearrays are what they are. */
    reads_as_fragment("cm\nn\n(\x8c\x04long\x8c\x04longC\x04longtR.",
                      GLOBAL_MN "\x8c\x04longq\x00h\x00"
                                "C\x04long\x87R");
    /* What is not wanted again is not put into the memo. */
    reads_as_fragment("cm\nn\n(]q\x01]q\x02]q\x03h\x02tR.", GLOBAL_MN "(]]q\x00]h\x00tR");
    /* A circle through its own state. */
    reads_as_fragment("cm\nn\n)\x81q\x03}\x8c\x02meh\x03sb.",
                      GLOBAL_MN ")\x81q\x00}(\x8c\x02meh\x00ub");
    /* And through its own arguments, as CPython writes it: made by way of the list, then dropped
     * and got. */
    reads_as_fragment("cm\nn\n]q\x00(cm\nn\nh\x00\x85Rq\x01"
                      "e0h\x01.",
                      GLOBAL_MN "]q\x00(" GLOBAL_MN "h\x00\x85Rq\x01"
                                "e\x85"
                                "00h\x01");
    /* The same with a state, which it is given once. */
    reads_as_fragment("cm\nn\n]q\x00(cm\nn\nh\x00\x85Rq\x01}be0h\x01.",
                      GLOBAL_MN "]q\x00(" GLOBAL_MN "h\x00\x85Rq\x01}be\x85"
                                "00h\x01");
    /* And with one that reaches it by way of the memo. */
    reads_as_fragment("cm\nn\n)\x81q\x01h\x01}b.", GLOBAL_MN ")\x81}b");
}

static void test_equal_opaques_are_equal_keys(void **state)
{
    (void)state;
    reads_as("}(cm\nn\nK\x01\x85RK\x01"
             "cm\nn\nK\x01\x85RK\x02"
             "cm\nn\nK\x02\x85RK\x03u.",
             "{<opaque m.n>: 2, <opaque m.n>: 3}");
    reads_as("\x8f(cm\nn\ncm\nn\n\x90.", "{<opaque m.n>}");
    reads_as("(K\x01"
             "cm\nn\n\x91.",
             "frozenset({1, <opaque m.n>})");
    reads_as("}(K\x01K\x02"
             "cm\nn\n\x85K\x03K\x04K\x05u.",
             "{1: 2, (<opaque m.n>,): 3, 4: 5}");
}

static void test_one_object_in_two_places_is_two_values(void **state)
{
    (void)state;
    reads_as("(cm\nn\n)\x81q\x00h\x00h\x00t.", "(<opaque m.n>, <opaque m.n>, <opaque m.n>)");
}

dt_main(dt_test(test_scalars_are_written_as_python_writes_them),
        dt_test(test_containers_are_written), dt_test(test_long_pickles_are_framed),
        dt_test(test_large_texts_stand_outside_of_frames),
        dt_test(test_large_bytes_travel_beside_the_pickle),
        dt_test(test_several_pickles_may_follow_one_another), dt_test(test_old_text_forms_are_read),
        dt_test(test_stack_instructions_work), dt_test(test_the_memo_works),
        dt_test(test_what_memo_references_see_is_the_container_itself),
        dt_test(test_circles_are_refused), dt_test(test_sets_are_read),
        dt_test(test_bytes_in_the_guise_of_str_are_read), dt_test(test_exceptions_become_errors),
        dt_test(test_what_cannot_be_kept_is_refused), dt_test(test_malformed_operands_are_refused),
        dt_test(test_opaques_stand_for_themselves), dt_test(test_equal_opaques_are_equal_keys),
        dt_test(test_one_object_in_two_places_is_two_values))
