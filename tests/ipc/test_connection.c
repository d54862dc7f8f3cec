/* brood-test: start-methods */
/* Pipes: values and bytes between threads and processes, limits, time-outs, ends. */
#include "harness.h"

#include "core/thread.h"
#include "ipc/connection.h"

static void test_values_go_both_ways(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send(a, brood_pack("[is{s:n}]", 1, "two", "k"), 1000));
    bt_ok(brood_connection_send(b, brood_int(-7), 1000));
    bt_ok(brood_connection_recv(b, &value, 1000));
    char *text;
    bt_ok(brood_value_repr(&value, &text));
    assert_string_equal(text, "[1, 'two', {'k': None}]");
    brood_free(text);
    brood_value_clear(&value);
    bt_ok(brood_connection_recv(a, &value, 1000));
    assert_int_equal(value.as.integer, -7);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_a_one_way_pipe_goes_one_way(void **state)
{
    (void)state;
    brood_connection *reader, *writer;
    brood_value value;
    bt_ok(brood_pipe(&reader, &writer, false));
    assert_true(brood_connection_is_readable(reader) && !brood_connection_is_writable(reader));
    assert_true(!brood_connection_is_readable(writer) && brood_connection_is_writable(writer));
    bt_fails(brood_connection_send(reader, brood_none(), 1000), BROOD_ESTATE);
    bt_fails(brood_connection_recv(writer, &value, 1000), BROOD_ESTATE);
    bt_fails(brood_connection_poll(writer, 0), BROOD_ESTATE);
    bt_ok(brood_connection_send(writer, brood_bool(true), 1000));
    bt_ok(brood_connection_recv(reader, &value, 1000));
    assert_int_equal(value.kind, BROOD_BOOL);
    brood_connection_close(reader);
    brood_connection_close(writer);
}

static void test_bytes_are_not_pickled(void **state)
{
    (void)state;
    brood_connection *a, *b;
    void *data;
    size_t size;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send_bytes(a, "thank you", 9, 1000));
    bt_ok(brood_connection_send_bytes(a, NULL, 0, 1000));
    bt_ok(brood_connection_recv_bytes(b, 0, &data, &size, 1000));
    assert_int_equal(size, 9);
    assert_memory_equal(data, "thank you", 9);
    brood_free(data);
    bt_ok(brood_connection_recv_bytes(b, 0, &data, &size, 1000));
    assert_int_equal(size, 0);
    brood_free(data);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_a_limit_breaks_the_reading_side_only(void **state)
{
    (void)state;
    brood_connection *a, *b;
    void *data = NULL;
    size_t size;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send_bytes(a, "0123456789", 10, 1000));
    bt_fails(brood_connection_recv_bytes(b, 9, &data, &size, 1000), BROOD_ETOOLONG);
    bt_fails(brood_connection_recv_bytes(b, 0, &data, &size, 1000), BROOD_ETOOLONG);
    assert_null(data);
    bt_ok(brood_connection_send_bytes(b, "still", 5, 1000));
    bt_ok(brood_connection_recv_bytes(a, 5, &data, &size, 1000));
    brood_free(data);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_a_connection_has_a_limit_of_its_own(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value got;
    bt_ok(brood_pipe(&a, &b, true));
    brood_connection_set_limit(b, 20);
    bt_ok(brood_connection_send(a, brood_str("short"), 1000));
    bt_ok(brood_connection_recv(b, &got, 1000));
    brood_value_clear(&got);
    bt_ok(brood_connection_send(a, brood_str("more than twenty bytes"), 1000));
    brood_connection_set_limit(b, 0); /* as in the beginning */
    bt_ok(brood_connection_recv(b, &got, 1000));
    brood_value_clear(&got);
    brood_connection_set_limit(b, 20);
    bt_ok(brood_connection_send(a, brood_str("more than twenty bytes"), 1000));
    bt_fails(brood_connection_recv(b, &got, 1000), BROOD_ETOOLONG);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_a_message_that_does_not_fit_is_kept(void **state)
{
    (void)state;
    brood_connection *a, *b;
    char room[4] = "";
    char large[16];
    size_t size;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send_bytes(a, "0123456789", 10, 1000));
    bt_ok(brood_connection_send_bytes(a, "xy", 2, 1000));
    for (int i = 0; i < 2; i++) {
        bt_fails(brood_connection_recv_bytes_into(b, room, sizeof room, &size, 1000),
                 BROOD_ETOOLONG);
        assert_int_equal(size, 10);
        assert_string_equal(room, "");
    }
    bt_ok(brood_connection_poll(b, 0));
    bt_ok(brood_connection_recv_bytes_into(b, large, sizeof large, &size, 1000));
    assert_int_equal(size, 10);
    assert_memory_equal(large, "0123456789", 10);
    bt_ok(brood_connection_recv_bytes_into(b, room, sizeof room, &size, 1000));
    assert_int_equal(size, 2);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_time_outs_and_polls(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    assert_int_equal(brood_connection_recv(a, &value, 0), BROOD_ETIMEDOUT);
    brood_ms begun = brood_now();
    assert_int_equal(brood_connection_recv(a, &value, 30), BROOD_ETIMEDOUT);
    assert_int_equal(brood_connection_poll(a, 30), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 59);
    bt_ok(brood_connection_send(b, brood_int(1), 1000));
    bt_ok(brood_connection_send(b, brood_int(2), 1000));
    bt_ok(brood_connection_poll(a, 1000));
    bt_ok(brood_connection_recv(a, &value, 1000));
    /* The second one may be inside already: no new bytes will come for it. */
    bt_ok(brood_connection_poll(a, 0));
    bt_ok(brood_connection_recv(a, &value, 0));
    assert_int_equal(value.as.integer, 2);
    assert_int_equal(brood_connection_poll(a, 0), BROOD_ETIMEDOUT);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_the_other_end_closed(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send(b, brood_int(1), 1000));
    brood_connection_close(b);
    bt_ok(brood_connection_recv(a, &value, 1000));
    bt_ok(brood_connection_poll(a, 0));
    for (int i = 0; i < 2; i++)
        assert_int_equal(brood_connection_recv(a, &value, 1000), BROOD_EEOF);
    bt_ok(brood_connection_poll(a, 0));
    brood_status status = BROOD_OK;
    for (int i = 0; i < 100 && status == BROOD_OK; i++)
        status = brood_connection_send(a, brood_int(1), 1000);
    assert_int_equal(status, BROOD_EEOF);
    brood_connection_close(a);
}

static void test_a_send_that_was_cut_off_breaks_the_sending_side(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    brood_connection *a, *b;
    void *data, *big = calloc(1, SIZE);
    size_t size;
    bt_ok(brood_pipe(&a, &b, true));
    assert_int_equal(brood_connection_send_bytes(a, big, SIZE, 30), BROOD_ETIMEDOUT);
    bt_fails(brood_connection_send_bytes(a, "x", 1, 30), BROOD_EBROKEN);
    bt_ok(brood_connection_send_bytes(b, "other way", 9, 1000));
    bt_ok(brood_connection_recv_bytes(a, 0, &data, &size, 1000));
    brood_free(data);
    brood_connection_close(a);
    bt_fails(brood_connection_recv_bytes(b, 0, &data, &size, 1000), BROOD_EBROKEN);
    brood_connection_close(b);
    free(big);
}

static void test_misuse_is_told(void **state)
{
    (void)state;
    brood_connection *a, *b, *got;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    value = brood_connection_value(a);
    brood_connection_close(a);
    bt_ok(brood_get_connection(&value, &got));
    assert_ptr_equal(got, a);
    bt_fails(brood_connection_send(got, brood_none(), 0), BROOD_ECLOSED);
    assert_int_equal(brood_connection_fileno(got), -1);
    brood_value_clear(&value);
    bt_fails(brood_connection_send(NULL, brood_none(), 0), BROOD_EINVALID);
    value = brood_int(1);
    bt_fails(brood_get_connection(&value, &got), BROOD_ETYPE);
    value = brood_connection_value(NULL);
    assert_int_equal(value.kind, BROOD_INVALID);
    brood_connection_close(NULL);
    brood_connection_close(b);
}

static void test_a_connection_cannot_go_through_a_connection(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    bt_fails(brood_connection_send(a, brood_pack("[v]", brood_connection_value(b)), 1000),
             BROOD_ENOTSUP);
    bt_ok(brood_connection_send(a, brood_int(3), 1000));
    bt_ok(brood_connection_recv(b, &value, 1000));
    assert_int_equal(value.as.integer, 3);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_a_malformed_message_costs_itself_only(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_connection_send_bytes(a, "no pickle", 9, 1000));
    bt_ok(brood_connection_send_bytes(a, "", 0, 1000));
    bt_ok(brood_connection_send(a, brood_int(4), 1000));
    bt_fails(brood_connection_recv(b, &value, 1000), BROOD_EFORMAT);
    bt_fails(brood_connection_recv(b, &value, 1000), BROOD_EFORMAT);
    bt_ok(brood_connection_recv(b, &value, 1000));
    assert_int_equal(value.as.integer, 4);
    brood_connection_close(a);
    brood_connection_close(b);
}

/* ---- together ---- */

typedef struct end {
    brood_connection *connection;
    int n;
    brood_status status;
} end;

static void send_numbers(void *context)
{
    end *self = context;
    for (int i = 0; i < self->n && self->status == BROOD_OK; i++)
        self->status =
            brood_connection_send(self->connection, brood_pack("(is)", i, "text"), 20000);
}

static void receive_numbers(void *context)
{
    end *self = context;
    for (int i = 0; i < self->n && self->status == BROOD_OK; i++) {
        brood_value value;
        int64_t number = -1;
        self->status = brood_connection_recv(self->connection, &value, 20000);
        if (self->status == BROOD_OK)
            self->status = brood_unpack(&value, "is", &number, NULL);
        if (self->status == BROOD_OK && number != i)
            self->status = BROOD_ESTATE;
        brood_value_clear(&value);
    }
}

static void test_one_thread_reads_while_another_writes(void **state)
{
    (void)state;
    enum { N = 3000 };
    brood_connection *a, *b;
    bt_ok(brood_pipe(&a, &b, true));
    end ends[4] = {{a, N, BROOD_OK}, {a, N, BROOD_OK}, {b, N, BROOD_OK}, {b, N, BROOD_OK}};
    bri_thread *threads[4];
    for (int i = 0; i < 4; i++)
        bt_ok(bri_thread_start(&threads[i], i % 2 == 0 ? send_numbers : receive_numbers, &ends[i]));
    for (int i = 0; i < 4; i++) {
        bri_thread_join(threads[i]);
        assert_int_equal(ends[i].status, BROOD_OK);
    }
    brood_connection_close(a);
    brood_connection_close(b);
}

static brood_status echo(brood_call *call)
{
    const brood_value *value;
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_connection(value, &connection));
    for (;;) {
        brood_value message;
        brood_status status = brood_connection_recv(connection, &message, 20000);
        if (status == BROOD_EEOF)
            return BROOD_OK;
        BROOD_TRY(status);
        BROOD_TRY(brood_connection_send(connection, message, 20000));
    }
}

static void test_a_child_gets_a_connection(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    brood_value value, sent;
    bt_ok(brood_pipe(&ours, &theirs, true));
    /* What was read already goes along. */
    bt_ok(brood_connection_send(ours, brood_str("one"), 1000));
    bt_ok(brood_connection_send(ours, brood_str("two"), 1000));
    bt_ok(brood_connection_send(ours, brood_str("three"), 1000));
    bt_ok(brood_connection_recv(theirs, &value, 1000));
    brood_value_clear(&value);
    brood_process *process = bt_process(echo, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    static const char *const left[] = {"two", "three"};
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_connection_recv(ours, &value, 20000));
        sent = brood_str(left[i]);
        assert_true(brood_value_equal(&value, &sent));
        brood_value_clear(&value);
        brood_value_clear(&sent);
    }
    for (int i = 0; i < 200; i++) {
        bt_ok(brood_connection_send(ours, brood_pack("[i]", i), 20000));
        bt_ok(brood_connection_recv(ours, &value, 20000));
        sent = brood_pack("[i]", i);
        assert_true(brood_value_equal(&value, &sent));
        brood_value_clear(&value);
        brood_value_clear(&sent);
    }
    if (bt_method_is(BROOD_START_FORK)) {
        bt_ok(brood_process_kill(process)); /* it has inherited our end too and sees no end */
        assert_int_equal(bt_join(process), -9);
        brood_connection_close(ours);
        return;
    }
    brood_connection_close(ours);
    assert_int_equal(bt_join(process), 0);
}

static void test_a_killed_peer_is_the_end(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    brood_value value;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *process = bt_process(echo, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    bt_ok(brood_connection_send(ours, brood_none(), 20000));
    bt_ok(brood_connection_recv(ours, &value, 20000));
    bt_ok(brood_process_kill(process));
    brood_ms begun = brood_now();
    assert_int_equal(brood_connection_recv(ours, &value, 20000), BROOD_EEOF);
    assert_true(brood_now() - begun < 1000);
    assert_int_equal(bt_join(process), -9);
    brood_connection_close(ours);
}

static void test_locks_and_queues_go_through_a_connection(void **state)
{
    (void)state;
    brood_connection *a, *b;
    brood_queue *queue, *got_queue;
    brood_lock *lock, *got_lock;
    brood_value value;
    bt_ok(brood_pipe(&a, &b, true));
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_connection_send(
        a, brood_pack("vv", brood_queue_value(queue), brood_lock_value(lock)), 1000));
    bt_ok(brood_connection_recv(b, &value, 1000));
    bt_ok(brood_get_queue(brood_item(&value, 0), &got_queue));
    bt_ok(brood_get_lock(brood_item(&value, 1), &got_lock));
    assert_ptr_equal(got_queue, queue);
    assert_ptr_equal(got_lock, lock);
    brood_value_clear(&value);
    /* What has ended meanwhile is an error of the receiver. */
    bt_ok(brood_connection_send(a, brood_lock_value(lock), 1000));
    brood_lock_destroy(lock);
    bt_fails(brood_connection_recv(b, &value, 1000), BROOD_ECLOSED);
    brood_queue_destroy(queue);
    brood_connection_close(a);
    brood_connection_close(b);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_values_go_both_ways), bt_test(test_a_one_way_pipe_goes_one_way),
        bt_test(test_bytes_are_not_pickled), bt_test(test_a_limit_breaks_the_reading_side_only),
        bt_test(test_a_connection_has_a_limit_of_its_own),
        bt_test(test_a_message_that_does_not_fit_is_kept), bt_test(test_time_outs_and_polls),
        bt_test(test_the_other_end_closed),
        bt_test(test_a_send_that_was_cut_off_breaks_the_sending_side), bt_test(test_misuse_is_told),
        bt_test(test_a_connection_cannot_go_through_a_connection),
        bt_test(test_a_malformed_message_costs_itself_only),
        bt_test(test_one_thread_reads_while_another_writes),
        bt_test(test_a_child_gets_a_connection), bt_test(test_a_killed_peer_is_the_end),
        bt_test(test_locks_and_queues_go_through_a_connection));
}
