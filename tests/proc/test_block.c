/* The start block as bytes: what is written is read again, and whatever is cut or changed is
 * refused. */
#include "harness.h"

#include "platform/clock.h"
#include "platform/module.h"
#include "platform/stream.h"
#include "proc/block.h"

static const unsigned char token[BRI_TOKEN_SIZE] = "0123456789abcde";

static bri_start_block example(void)
{
    return (bri_start_block){.function = brood_pack("(s)", "f"),
                             .arguments = brood_pack("(is)", 7, "seven"),
                             .keywords = brood_pack("{s:i}", "key", 9),
                             .name = "Process-1",
                             .identity = "1",
                             .flags = BRI_BLOCK_DAEMON,
                             .authkey = "key",
                             .authkey_size = 3,
                             .log_level = BROOD_LOG_INFO,
                             .method = BROOD_START_SPAWN,
                             .default_method = BROOD_START_SPAWN,
                             .depth = 2,
                             .max_depth = 8,
                             .start_timeout = 10000,
                             .executable = "/a/b",
                             .parent_pid = 4711,
                             .parent_name = "MainProcess",
                             .parent_identity = "",
                             .directory = "/c"};
}

static void write_example(bri_buffer *out)
{
    bri_start_tree tree = {.lifeline = 0, .arena = -1, .owner = 17, .reserved = UINT64_C(1) << 34};
    unsigned char build_id[BRP_BUILD_ID_SIZE];
    bri_start_block block = example();
    bt_ok(brp_module_own_build_id(build_id));
    bt_ok(bri_block_write(&block, &tree, token, build_id, NULL, out));
    /* The values are still the writer's. */
    assert_int_equal(brood_value_length(&block.arguments), 2);
    bri_block_clear(&block);
}

/* Reads what a parent that wrote these bytes and went away has left. */
static brood_status receive(const void *data, size_t size, bri_start_tree *tree,
                            bri_buffer *payload)
{
    brp_handle ends[2];
    size_t written;
    brp_bytes part = {data, size};
    bt_ok(brp_stream_pair(ends));
    if (size != 0)
        bt_ok(brp_stream_write_all(ends[0], &part, 1, &written, BRI_NEVER));
    brp_handle_close(&ends[0]);
    brood_status status = bri_block_receive(
        ends[1], token, bri_deadline_after(brp_clock_now(), 20000), tree, payload);
    brp_handle_close(&ends[1]);
    return status;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    bri_buffer whole = {0}, payload = {0};
    bri_start_tree tree;
    bri_start_block block;
    int64_t seven;
    const char *text;
    write_example(&whole);
    bt_ok(receive(whole.data, whole.length, &tree, &payload));
    assert_int_equal(tree.lifeline, 0);
    assert_int_equal(tree.arena, -1);
    assert_int_equal(tree.owner, 17);
    assert_true(tree.reserved == UINT64_C(1) << 34);
    bt_ok(bri_block_read(&payload, NULL, &block));
    bt_ok(brood_unpack(&block.arguments, "(is)", &seven, &text));
    assert_int_equal(seven, 7);
    assert_string_equal(text, "seven");
    assert_int_equal(brood_value_length(&block.keywords), 1);
    assert_string_equal(block.name, "Process-1");
    assert_string_equal(block.identity, "1");
    assert_int_equal(block.flags, BRI_BLOCK_DAEMON);
    assert_int_equal(block.authkey_size, 3);
    assert_memory_equal(block.authkey, "key", 3);
    assert_int_equal(block.log_level, BROOD_LOG_INFO);
    assert_int_equal(block.method, BROOD_START_SPAWN);
    assert_int_equal(block.depth, 2);
    assert_int_equal(block.max_depth, 8);
    assert_int_equal(block.start_timeout, 10000);
    assert_string_equal(block.executable, "/a/b");
    assert_int_equal(block.parent_pid, 4711);
    assert_string_equal(block.parent_name, "MainProcess");
    assert_string_equal(block.parent_identity, "");
    assert_string_equal(block.directory, "/c");
    bri_block_clear(&block);
    bri_buffer_fini(&payload);
    bri_buffer_fini(&whole);
}

static void test_every_truncation_is_told(void **state)
{
    (void)state;
    bri_buffer whole = {0};
    write_example(&whole);
    for (size_t size = 0; size < whole.length; size++) {
        bri_buffer payload = {0};
        bri_start_tree tree;
        char wanted[80];
        snprintf(wanted, sizeof wanted, "it ends after %zu of %zu bytes", size,
                 size < BRI_BLOCK_HEADER ? (size_t)BRI_BLOCK_HEADER : whole.length);
        bt_fails(receive(whole.data, size, &tree, &payload), BROOD_EFORMAT);
        bt_message_has(wanted);
        bri_buffer_fini(&payload);
    }
    bri_buffer_fini(&whole);
}

static void test_every_truncated_payload_is_refused(void **state)
{
    (void)state;
    bri_buffer whole = {0};
    write_example(&whole);
    size_t size = whole.length - BRI_BLOCK_HEADER;
    for (size_t n = 0; n < size; n++) {
        bri_buffer payload = {0};
        bri_start_block block;
        bt_ok(bri_buffer_append(&payload, whole.data + BRI_BLOCK_HEADER, n));
        bt_fails(bri_block_read(&payload, NULL, &block), BROOD_EFORMAT);
        bri_buffer_fini(&payload);
    }
    bri_buffer_fini(&whole);
}

/* Whatever a byte is changed to, the payload is read or refused, and nothing leaks. */
static void test_every_changed_byte_is_read_or_refused(void **state)
{
    (void)state;
    static const unsigned char changes[] = {1, 0x20, 0x80, 0xFF};
    bri_buffer whole = {0};
    write_example(&whole);
    size_t refused = 0;
    for (size_t at = BRI_BLOCK_HEADER; at < whole.length; at++)
        for (size_t i = 0; i < sizeof changes; i++) {
            bri_buffer payload = {0};
            bri_start_block block;
            whole.data[at] ^= changes[i];
            bt_ok(bri_buffer_append(&payload, whole.data + BRI_BLOCK_HEADER,
                                    whole.length - BRI_BLOCK_HEADER));
            if (bri_block_read(&payload, NULL, &block) == BROOD_OK)
                bri_block_clear(&block);
            else
                refused++;
            whole.data[at] ^= changes[i];
            bri_buffer_fini(&payload);
        }
    assert_true(refused > 0);
    bri_buffer_fini(&whole);
}

static void expect_header(size_t at, unsigned char change, brood_status wanted, const char *message)
{
    bri_buffer whole = {0}, payload = {0};
    bri_start_tree tree;
    write_example(&whole);
    whole.data[at] ^= change;
    bt_fails(receive(whole.data, whole.length, &tree, &payload), wanted);
    bt_message_has(message);
    assert_int_equal(payload.length, 0);
    bri_buffer_fini(&payload);
    bri_buffer_fini(&whole);
}

static void test_the_header_is_checked_before_anything_is_read(void **state)
{
    (void)state;
    expect_header(0, 1, BROOD_EFORMAT, "this is none");
    expect_header(8, 2, BROOD_EVERSION,
                  "the parent's brood writes version 3 of it, this program's reads version 1");
    expect_header(15, 0x80, BROOD_EFORMAT, "bytes; 1073741824 is the most");
    expect_header(16, 1, BROOD_EAUTH, "its token is another one");
    expect_header(31, 1, BROOD_EAUTH, "its token is another one");
    expect_header(32, 1, BROOD_EVERSION, "the executable is of another build");
}

static void test_a_payload_of_other_items_is_refused(void **state)
{
    (void)state;
    static const char *const pickles[] = {"N.", ").", "]."};
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        bri_buffer payload = {0};
        bri_start_block block;
        bt_ok(bri_buffer_append(&payload, pickles[i], 2));
        bt_fails(bri_block_read(&payload, NULL, &block), BROOD_EFORMAT);
        bri_buffer_fini(&payload);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_what_is_written_is_read),
                   bt_test(test_every_truncation_is_told),
                   bt_test(test_every_truncated_payload_is_refused),
                   bt_test(test_every_changed_byte_is_read_or_refused),
                   bt_test(test_the_header_is_checked_before_anything_is_read),
                   bt_test(test_a_payload_of_other_items_is_refused));
}
