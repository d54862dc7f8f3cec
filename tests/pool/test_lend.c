/* brood-test: start-methods */
/* Sockets, connections and files as arguments and results of tasks, and what becomes of them. */
#include "pools.h"

#include "ipc/socket_pair.h"
#include "platform/child.h"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

/* (socket): reads four bytes and writes them back in upper case. */
static brood_status echo(brood_call *call)
{
    const brood_value *value;
    intptr_t socket;
    char text[4];
    size_t n;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_socket(value, &socket));
    BROOD_TRY(brp_channel_read_all(channel_of(socket), text, sizeof text, &n, soon()));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(text[i] - 'a' + 'A');
    brp_bytes part = {text, sizeof text};
    BROOD_TRY(brp_channel_write_all(channel_of(socket), &part, 1, &n, soon()));
    return brood_call_return(call, brood_int(brp_pid()));
}

static void echo_some(void)
{
    enum { N = 8 };
    brood_pool *pool = make_pool(2);
    brp_channel clients[N];
    brood_future *futures[N];
    for (int i = 0; i < N; i++) {
        brood_value socket = brood_socket_value(make_pair(&clients[i]));
        bt_ok(brood_pool_apply_async(pool, echo, brood_pack("(v)", socket), NULL, &futures[i]));
    }
    for (int i = 0; i < N; i++) {
        brp_bytes part = {"word", 4};
        size_t n;
        brood_value pid;
        bt_ok(brp_channel_write_all(clients[i], &part, 1, &n, soon()));
        expect_word(clients[i], "WORD");
        bt_ok(brood_future_take(futures[i], &pid, HANG));
        brood_future_destroy(futures[i]);
        expect_end(&clients[i]);
    }
    end_pool(pool);
}

/* The first one starts a thread that stays. */
static int echo_before_the_ledger(void **state)
{
    echo_some();
    return bt_ledger_open(state);
}

static void test_tasks_get_sockets_and_leave_nothing(void **state)
{
    (void)state;
    echo_some();
}

/* (socket): ends its worker at the first attempt, at the second it writes a word. */
static brood_status die_once(brood_call *call)
{
    const brood_value *value;
    intptr_t socket;
    brp_bytes part = {"word", 4};
    size_t n;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_socket(value, &socket));
    if (brood_call_attempt(call) == 1)
        brp_kill_self();
    return brp_channel_write_all(channel_of(socket), &part, 1, &n, soon());
}

static void test_each_attempt_gets_the_socket(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brp_channel client;
    brood_value result, socket = brood_socket_value(make_pair(&client));
    bt_ok(brood_pool_apply(pool, die_once, brood_pack("(v)", socket),
                           &(brood_apply_options){.policy.retries = 1}, &result));
    expect_word(client, "word");
    expect_end(&client);
    end_pool(pool);
}

static brood_future *submit_echo(brood_pool *pool, brp_channel *client)
{
    brood_future *future;
    brood_value socket = brood_socket_value(make_pair(client));
    bt_ok(brood_pool_apply_async(pool, echo, brood_pack("(v)", socket), NULL, &future));
    return future;
}

/* In a slot, and behind more tasks than there are slots. */
static void test_a_cancelled_task_leaves_no_socket_open(void **state)
{
    (void)state;
    enum { MANY = 1100 };
    brood_pool *pool = make_pool(1);
    brp_channel clients[2];
    brood_future *futures[2];
    brood_cancel_answer answer;
    bt_ok(brood_pool_pause(pool));
    futures[0] = submit_echo(pool, &clients[0]);
    for (int i = 0; i < MANY; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, NULL));
    futures[1] = submit_echo(pool, &clients[1]);
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_future_cancel(futures[i], BROOD_CANCEL_QUEUED, &answer));
        assert_int_equal(answer, BROOD_CANCEL_DONE);
        brood_future_destroy(futures[i]);
        expect_end(&clients[i]);
    }
    bt_ok(brood_pool_resume(pool));
    end_pool(pool);
}

static void test_a_terminated_pool_leaves_no_socket_open(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brp_channel clients[3];
    brood_future *future;
    for (int i = 0; i < 3; i++) { /* one of them runs */
        future = submit_echo(pool, &clients[i]);
        brood_future_destroy(future);
    }
    bt_ok(brood_pool_terminate(pool));
    bt_ok(brood_pool_join(pool, HANG));
    for (int i = 0; i < 3; i++)
        expect_end(&clients[i]);
    brood_pool_destroy(pool);
}

/* ---- connections ---- */

/* (connection): answers each message with its square, up to the end. */
static brood_status answer(brood_call *call)
{
    const brood_value *value;
    brood_connection *connection;
    brood_value got;
    int64_t number;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_connection(value, &connection));
    brood_status status;
    while ((status = brood_connection_recv(connection, &got, HANG)) == BROOD_OK) {
        BROOD_TRY(brood_get_int(&got, &number));
        BROOD_TRY(brood_connection_send(connection, brood_int(number * number), HANG));
    }
    return status == BROOD_EEOF ? BROOD_OK : status;
}

static int64_t ask(brood_connection *connection)
{
    brood_value got;
    bt_ok(brood_connection_recv(connection, &got, HANG));
    return int_of(&got);
}

/* The second message was read ahead by this process. */
static void test_tasks_get_connections(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_connection *ours, *theirs;
    brood_future *future;
    brood_value got;
    bt_ok(brood_pipe(&ours, &theirs, true));
    for (int i = 1; i < 4; i++)
        bt_ok(brood_connection_send(ours, brood_int(i), HANG));
    assert_int_equal(ask(theirs), 1);
    bt_ok(brood_pool_apply_async(pool, answer, brood_pack("(v)", brood_connection_value(theirs)),
                                 NULL, &future));
    brood_connection_close(theirs);
    assert_int_equal(ask(ours), 4);
    assert_int_equal(ask(ours), 9);
    bt_ok(brood_connection_send(ours, brood_int(5), HANG));
    assert_int_equal(ask(ours), 25);
    brood_connection_close(ours);
    bt_ok(brood_future_take(future, &got, HANG));
    brood_future_destroy(future);
    end_pool(pool);
}

static void test_a_connections_end_comes_with_its_tasks_end(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_connection *ours, *theirs;
    brood_value got;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_future *future;
    bt_ok(brood_pool_apply_async(pool, answer, brood_pack("(v)", brood_connection_value(theirs)),
                                 NULL, &future));
    brood_connection_close(theirs);
    bt_ok(brood_connection_send(ours, brood_int(3), HANG));
    assert_int_equal(ask(ours), 9);
    bt_ok(brood_pool_terminate(pool));
    bt_fails(brood_future_take(future, &got, HANG), BROOD_ECANCELLED);
    brood_future_destroy(future);
    bt_ok(brood_pool_join(pool, HANG));
    bt_fails(brood_connection_recv(ours, &got, HANG), BROOD_EEOF);
    brood_connection_close(ours);
    brood_pool_destroy(pool);
}

static brood_connection *kept; /* of a worker */

/* (): gives a connection, whose other end the worker keeps. */
static brood_status open_line(brood_call *call)
{
    brood_connection *given;
    BROOD_TRY(brood_pipe(&kept, &given, true));
    BROOD_TRY(brood_connection_send(kept, brood_str("hello"), HANG));
    return brood_call_return(call, brood_connection_hand_over(given));
}

/* Waits for the end of what it has kept. */
static brood_status close_line(brood_call *call)
{
    brood_value got;
    bt_check(call, brood_connection_recv(kept, &got, HANG) == BROOD_EEOF);
    brood_connection_close(kept);
    kept = NULL;
    return BROOD_OK;
}

static void test_results_may_be_connections(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value line, got;
    brood_connection *connection;
    bt_ok(brood_pool_apply(pool, open_line, (brood_value){0}, NULL, &line));
    bt_ok(brood_get_connection(&line, &connection));
    bt_ok(brood_connection_recv(connection, &got, HANG));
    const char *text;
    size_t length;
    bt_ok(brood_get_str(&got, &text, &length));
    assert_string_equal(text, "hello");
    brood_value_clear(&got);
    brood_value_clear(&line); /* the last who has this end: the worker has kept nothing of it */
    bt_ok(brood_pool_apply(pool, close_line, (brood_value){0}, NULL, &got));
    end_pool(pool);
}

/* ---- results that nobody reads ---- */

enum { ROUNDS = 5, RESULTS = 200 };

static brood_connection *lines[ROUNDS * RESULTS]; /* of a worker: other ends of its results */
static int n_lines;

/* (told, awaited): gives a connection; with queues it waits before. */
static brood_status give_line(brood_call *call)
{
    const brood_value *told, *awaited;
    brood_connection *given;
    brood_queue *queue;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "vv", &told, &awaited));
    if (brood_value_kind(told) != BROOD_NONE) {
        BROOD_TRY(brood_get_queue(told, &queue));
        BROOD_TRY(brood_queue_put(queue, brood_int(1), HANG));
        BROOD_TRY(brood_get_queue(awaited, &queue));
        BROOD_TRY(brood_queue_get(queue, &got, HANG));
    }
    bt_check(call, n_lines < ROUNDS * RESULTS);
    BROOD_TRY(brood_pipe(&lines[n_lines++], &given, true));
    return brood_call_return(call, brood_connection_hand_over(given));
}

/* Gives how many lines were made, and of how many the given end is still open somewhere. */
static brood_status count_lines(brood_call *call)
{
    int64_t n_open = 0;
    for (int i = 0; i < n_lines; i++) {
        brood_value got;
        n_open += brood_connection_recv(lines[i], &got, 0) == BROOD_ETIMEDOUT;
    }
    return brood_call_return(call, brood_pack("(ll)", (int64_t)n_lines, n_open));
}

static brood_status close_lines(brood_call *call)
{
    (void)call;
    while (n_lines > 0)
        brood_connection_close(lines[--n_lines]);
    return BROOD_OK;
}

/* One task of many results, the last of which comes when the map has been given up. */
static void give_up_a_map(brood_pool *pool)
{
    brood_queue *told, *awaited;
    brood_value items = brood_list(), results;
    bt_ok(brood_queue_create(&told, NULL));
    bt_ok(brood_queue_create(&awaited, NULL));
    for (int i = 1; i < RESULTS; i++)
        bt_ok(brood_append(&items, brood_pack("(vv)", brood_none(), brood_none())));
    bt_ok(brood_append(&items,
                       brood_pack("(vv)", brood_queue_value(told), brood_queue_value(awaited))));
    brood_map_options options = {.chunksize = RESULTS, .timeout = 300};
    bt_fails(brood_pool_starmap(pool, give_line, items, &options, &results), BROOD_ETIMEDOUT);
    bt_ok(brood_queue_put(awaited, brood_int(1), HANG));
    brood_queue_destroy(told);
    brood_queue_destroy(awaited);
}

/* No more of the results' handles are open than before, after a thousand of them. */
static void test_results_that_nobody_reads_leave_nothing_open(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value counts, none;
    int64_t n, n_open;
    for (int round = 0; round < ROUNDS; round++) {
        give_up_a_map(pool);
        brood_ms end = brood_now() + HANG;
        do { /* the pool may not have seen yet that the task has ended */
            bt_ok(brood_pool_apply(pool, count_lines, (brood_value){0}, NULL, &counts));
            bt_ok(brood_unpack(&counts, "(ll)", &n, &n_open));
            brood_value_clear(&counts);
        } while (n_open > 0 && brood_now() < end);
        assert_int_equal(n_open, 0);
    }
    bt_ok(brood_pool_apply(pool, close_lines, (brood_value){0}, NULL, &none));
    end_pool(pool);
}

/* (socket, told, awaited): gives the socket back, late. */
static brood_status give_back_late(brood_call *call)
{
    const brood_value *socket, *told, *awaited;
    brood_queue *queue;
    brood_value copy, got;
    BROOD_TRY(brood_call_args(call, "vvv", &socket, &told, &awaited));
    BROOD_TRY(brood_get_queue(told, &queue));
    BROOD_TRY(brood_queue_put(queue, brood_int(1), HANG));
    BROOD_TRY(brood_get_queue(awaited, &queue));
    BROOD_TRY(brood_queue_get(queue, &got, HANG));
    BROOD_TRY(brood_value_copy(socket, &copy));
    return brood_call_return(call, copy);
}

/* Nobody gives the worker another task: it is woken to let the socket go. */
static void test_an_idle_worker_lets_an_unread_result_go(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_queue *told, *awaited;
    brp_channel client;
    brood_value results;
    brood_map_options options = {.timeout = 300};
    bt_ok(brood_queue_create(&told, NULL));
    bt_ok(brood_queue_create(&awaited, NULL));
    /* From its first task that is not waited for on, a thread of the pool's sees to ends. */
    bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 3), NULL, &results));
    brood_value socket = brood_socket_value(make_pair(&client));
    brood_value items =
        brood_pack("[(vvv)]", socket, brood_queue_value(told), brood_queue_value(awaited));
    bt_fails(brood_pool_starmap(pool, give_back_late, items, &options, &results), BROOD_ETIMEDOUT);
    bt_ok(brood_queue_put(awaited, brood_int(1), HANG));
    expect_end(&client);
    end_pool(pool);
    brood_queue_destroy(told);
    brood_queue_destroy(awaited);
}

/* ---- files ---- */

/* Another handle to the same thing. */
static intptr_t copy_of(intptr_t handle)
{
    brp_handle copy = BRP_NO_HANDLE;
    (void)brp_handle_duplicate((brp_handle){handle}, &copy);
    return copy.value;
}

static intptr_t handle_of(FILE *file)
{
#ifdef _WIN32
    return copy_of(_get_osfhandle(_fileno(file)));
#else
    return copy_of(fileno(file));
#endif
}

static FILE *file_of(intptr_t handle)
{
#ifdef _WIN32
    return _fdopen(_open_osfhandle(handle, _O_RDWR), "r+b");
#else
    return fdopen((int)handle, "r+b");
#endif
}

/* (file, text): appends at the place where the file is, and gives the file back. */
static brood_status write_text(brood_call *call)
{
    const brood_value *value;
    const char *text;
    intptr_t handle;
    brood_value copy;
    BROOD_TRY(brood_call_args(call, "vs", &value, &text));
    BROOD_TRY(brood_value_copy(value, &copy));
    BROOD_TRY(brood_call_return(call, copy)); /* before the handle is another's */
    BROOD_TRY(brood_get_handle(value, &handle));
    FILE *file = file_of(copy_of(handle));
    bt_check(call, file != NULL);
    bt_check(call, fputs(text, file) >= 0);
    bt_check(call, fclose(file) == 0);
    return BROOD_OK;
}

static void test_tasks_get_files_and_give_them_back(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    FILE *file = tmpfile();
    char text[32] = "";
    intptr_t handle;
    assert_non_null(file);
    brood_value value = brood_handle_value(handle_of(file)), args, got;
    for (int i = 0; i < 3; i++) {
        args = brood_pack("(vs)", value, i == 0 ? "one " : i == 1 ? "two " : "three");
        bt_ok(brood_pool_apply(pool, write_text, args, NULL, &value));
    }
    bt_ok(brood_take_handle(&value, &handle));
    brood_value_clear(&value);
    FILE *back = file_of(handle);
    assert_non_null(back);
    rewind(back);
    assert_int_equal(fread(text, 1, sizeof text - 1, back), strlen("one two three"));
    assert_string_equal(text, "one two three");
    fclose(back);
    fclose(file);
    value = brood_socket_value(-1);
    assert_int_equal(brood_value_kind(&value), BROOD_INVALID);
    value = brood_handle_value(-1);
    assert_int_equal(brood_value_kind(&value), BROOD_INVALID);
    got = brood_int(3);
    bt_fails(brood_get_handle(&got, &handle), BROOD_ETYPE);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv,
                   cmocka_unit_test_setup_teardown(test_tasks_get_sockets_and_leave_nothing,
                                                   echo_before_the_ledger, bt_ledger_close),

                   bt_test(test_each_attempt_gets_the_socket),
                   bt_test(test_a_cancelled_task_leaves_no_socket_open),
                   bt_test(test_a_terminated_pool_leaves_no_socket_open),
                   bt_test(test_tasks_get_connections),
                   bt_test(test_a_connections_end_comes_with_its_tasks_end),
                   bt_test(test_results_may_be_connections),
                   bt_test(test_results_that_nobody_reads_leave_nothing_open),
                   bt_test(test_an_idle_worker_lets_an_unread_result_go),
                   bt_test(test_tasks_get_files_and_give_them_back));
}
