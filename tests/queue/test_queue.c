/* brood-test: start-methods */
/* The queue: order, sizes, bounds, closing, threads and processes. */
#include "harness.h"
#include "kills.h"

#include "base/memory.h"
#include "core/thread.h"

static void test_values_come_out_in_order(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 1000; i++)
        bt_ok(brood_queue_put(queue, brood_pack("(is)", i, "text"), 0));
    assert_int_equal(brood_queue_size(queue), 1000);
    for (int i = 0; i < 1000; i++) {
        int64_t number;
        const char *text;
        bt_ok(brood_queue_get(queue, &value, 0));
        bt_ok(brood_unpack(&value, "is", &number, &text));
        assert_int_equal(number, i);
        assert_string_equal(text, "text");
        brood_value_clear(&value);
    }
    assert_true(brood_queue_is_empty(queue));
    brood_queue_destroy(queue);
}

static void test_an_empty_queue_says_so(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    assert_int_equal(brood_queue_get(queue, &value, 0), BROOD_EEMPTY);
    assert_int_equal(brood_queue_get_bytes(queue, &data, &size, 0), BROOD_EEMPTY);
    brood_ms begun = brood_now();
    assert_int_equal(brood_queue_get(queue, &value, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    assert_true(brood_queue_is_empty(queue) && !brood_queue_is_full(queue));
    brood_queue_destroy(queue);
}

static unsigned char byte_of(size_t size, size_t i)
{
    return (unsigned char)(size * 31 + i * 7 + (i >> 9));
}

static bool has_bytes(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_of(size, i))
            return false;
    return true;
}

static void test_bytes_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    enum { LARGEST = 3 << 20 };
    static const size_t sizes[] = {0,    1,     7,     8,      9,       63,     64,
                                   1000, 4023,  4024,  4025,   4032,    4095,   4096,
                                   4097, 10000, 65536, 100000, 1 << 20, LARGEST};
    enum { N = sizeof sizes / sizeof sizes[0] };
    brood_queue *queue;
    unsigned char *bytes = malloc(LARGEST);
    bt_ok(brood_queue_create(&queue, NULL));
    /* One after the other, then all at once. */
    for (size_t together = 1; together <= N; together += N - 1)
        for (size_t first = 0; first < N; first += together) {
            for (size_t n = first; n < first + together; n++) {
                for (size_t i = 0; i < sizes[n]; i++)
                    bytes[i] = byte_of(sizes[n], i);
                bt_ok(brood_queue_put_bytes(queue, bytes, sizes[n], 0));
            }
            for (size_t n = first; n < first + together; n++) {
                void *data;
                size_t size;
                bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
                assert_int_equal(size, sizes[n]);
                assert_true(has_bytes(data, size));
                brood_free(data);
            }
        }
    free(bytes);
    brood_queue_destroy(queue);
}

static void test_bytes_and_values_are_told_apart(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    void *data;
    size_t size;
    const void *bytes;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_put(queue, brood_int(5), 0));
    bt_ok(brood_queue_put_bytes(queue, "raw", 3, 0));
    bt_fails(brood_queue_get_bytes(queue, &data, &size, 0), BROOD_ETYPE);
    assert_int_equal(brood_queue_size(queue), 2);
    bt_ok(brood_queue_get(queue, &value, 0));
    assert_int_equal(value.as.integer, 5);
    bt_ok(brood_queue_get(queue, &value, 0));
    bt_ok(brood_get_bytes(&value, &bytes, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "raw", 3);
    brood_value_clear(&value);
    brood_queue_destroy(queue);
}

static void test_bytes_come_into_given_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 5, 4000, 70000};
    static unsigned char bytes[70000], room[70000];
    brood_queue *queue;
    size_t size = 7;
    bt_ok(brood_queue_create(&queue, NULL));
    assert_int_equal(brood_queue_get_bytes_into(queue, room, 1, &size, 0), BROOD_EEMPTY);
    assert_int_equal(size, 7);
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            bytes[j] = byte_of(sizes[i], j);
        bt_ok(brood_queue_put_bytes(queue, bytes, sizes[i], 0));
        if (sizes[i] != 0) {
            bt_fails(brood_queue_get_bytes_into(queue, room, sizes[i] - 1, &size, 0),
                     BROOD_ETOOLONG);
            assert_int_equal(size, sizes[i]);
        }
        bt_ok(brood_queue_get_bytes_into(queue, room, sizes[i], &size, 0));
        assert_int_equal(size, sizes[i]);
        assert_true(has_bytes(room, size));
    }
    bt_ok(brood_queue_put_bytes(queue, NULL, 0, 0));
    bt_ok(brood_queue_get_bytes_into(queue, NULL, 0, &size, 0));
    assert_int_equal(size, 0);
    bt_ok(brood_queue_put(queue, brood_none(), 0));
    bt_fails(brood_queue_get_bytes_into(queue, room, sizeof room, &size, 0), BROOD_ETYPE);
    brood_queue_destroy(queue);
}

static void test_large_values_travel(void **state)
{
    (void)state;
    enum { N = 200000 };
    brood_queue *queue;
    brood_value list = brood_list(), copy, value;
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < N; i++)
        bt_ok(brood_append(&list, brood_int((int64_t)i * i)));
    bt_ok(brood_value_copy(&list, &copy));
    uint64_t used = bt_arena_used();
    bt_ok(brood_queue_put(queue, list, 0));
    assert_true(bt_arena_used() > used);
    bt_ok(brood_queue_get(queue, &value, 0));
    assert_true(brood_value_equal(&value, &copy));
    brood_value_clear(&value);
    brood_value_clear(&copy);
    brood_queue_destroy(queue);
}

static void test_values_of_any_depth_travel(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_connection *first, *second;
    brood_value deep = brood_list(), copy, value;
    for (int i = 1; i < BROOD_MAX_DEPTH; i++) {
        brood_value outer = brood_list();
        bt_ok(brood_append(&outer, deep));
        deep = outer;
    }
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_value_copy(&deep, &copy));
    bt_ok(brood_queue_put(queue, copy, 0));
    bt_ok(brood_queue_get(queue, &value, 0));
    assert_true(brood_value_equal(&value, &deep));
    bt_ok(brood_pipe(&first, &second, true));
    bt_ok(brood_connection_send(first, value, 0));
    bt_ok(brood_connection_recv(second, &value, 0));
    assert_true(brood_value_equal(&value, &deep));
    brood_value_clear(&value);
    brood_value_clear(&deep);
    brood_connection_close(first);
    brood_connection_close(second);
    brood_queue_destroy(queue);
}

static void test_maxsize_counts_messages(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 3}));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            assert_false(brood_queue_is_full(queue));
            bt_ok(brood_queue_put(queue, brood_int(i), 0));
        }
        assert_true(brood_queue_is_full(queue));
        assert_int_equal(brood_queue_put(queue, brood_int(3), 0), BROOD_EFULL);
        assert_int_equal(brood_queue_put_bytes(queue, "x", 1, 20), BROOD_ETIMEDOUT);
        assert_int_equal(brood_queue_size(queue), 3);
        for (int i = 0; i < 3; i++) {
            bt_ok(brood_queue_get(queue, &value, 0));
            assert_int_equal(value.as.integer, i);
        }
    }
    brood_queue_destroy(queue);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    enum { LIMIT = 100000 };
    static char bytes[LIMIT * 2];
    brood_queue *queue;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.memory_limit = LIMIT}));
    int n = 0;
    while (brood_queue_put_bytes(queue, bytes, 1000, 0) == BROOD_OK)
        n++;
    assert_int_equal(n, LIMIT / 1008);
    assert_int_equal(brood_queue_put_bytes(queue, bytes, 10000, 0), BROOD_EFULL);
    while (n-- > 0) {
        bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
        brood_free(data);
    }
    /* One message alone may be larger. */
    bt_ok(brood_queue_put_bytes(queue, bytes, sizeof bytes, 0));
    assert_int_equal(brood_queue_put_bytes(queue, "x", 1, 0), BROOD_EFULL);
    bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
    assert_int_equal(size, sizeof bytes);
    brood_free(data);
    bt_ok(brood_queue_put_bytes(queue, "x", 1, 0));
    brood_queue_destroy(queue);
}

static void test_a_queue_gives_its_memory_back(void **state)
{
    (void)state;
    static char bytes[9000];
    uint64_t used = bt_arena_used();
    brood_queue *queue;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 3000; i++)
        bt_ok(brood_queue_put_bytes(queue, bytes, (size_t)i * 3, 0));
    for (int i = 0; i < 2000; i++) {
        bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
        brood_free(data);
    }
    brood_queue_destroy(queue);
    assert_true(bt_arena_used() <= used + 64);
}

static void test_a_closed_queue_is_drained(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    bt_ok(brood_queue_put_bytes(queue, "2", 1, 0));
    brood_queue_close(queue);
    brood_queue_close(queue);
    bt_fails(brood_queue_put(queue, brood_int(3), BROOD_FOREVER), BROOD_ECLOSED);
    bt_message_has("closed");
    bt_ok(brood_queue_get(queue, &value, 0));
    bt_ok(brood_queue_get_bytes(queue, &data, &size, BROOD_FOREVER));
    brood_free(data);
    bt_fails(brood_queue_get(queue, &value, BROOD_FOREVER), BROOD_ECLOSED);
    bt_fails(brood_queue_get_bytes(queue, &data, &size, 0), BROOD_ECLOSED);
    brood_queue_destroy(queue);
}

static void test_misuse_is_told(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_connection *a, *b;
    brood_value value = brood_str("moved in also when it fails");
    bt_fails(brood_queue_put(NULL, value, 0), BROOD_EINVALID);
    bt_fails(brood_queue_get(NULL, &value, 0), BROOD_EINVALID);
    bt_fails(brood_queue_put_bytes(NULL, "", 0, 0), BROOD_EINVALID);
    size_t n = 9;
    value = brood_str("so it is with many, and none of them is in the queue");
    bt_fails(brood_queue_put_many(NULL, &value, 1, 0, &n), BROOD_EINVALID);
    assert_int_equal(n, 0);
    n = 9;
    bt_fails(brood_queue_put_bytes_many(NULL, &(brood_span){"", 0}, 1, 0, &n), BROOD_EINVALID);
    assert_int_equal(n, 0);
    assert_int_equal(brood_queue_size(NULL), 0);
    brood_queue_close(NULL);
    brood_queue_destroy(NULL);
    bt_ok(brood_queue_create(&queue, NULL));
    bt_fails(brood_queue_put(queue, (brood_value){0}, 0), BROOD_EINVALID);
    bt_ok(brood_pipe(&a, &b, true));
    bt_fails(brood_queue_put(queue, brood_pack("[sv]", "x", brood_connection_value(a)), 0),
             BROOD_ENOTSUP);
    assert_int_equal(brood_queue_size(queue), 0);
    brood_connection_close(a);
    brood_connection_close(b);
    brood_queue_destroy(queue);
}

static void test_queues_and_locks_travel_in_messages(void **state)
{
    (void)state;
    brood_queue *queue, *inner, *got;
    brood_lock *lock, *got_lock;
    brood_value value;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_create(&inner, NULL));
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_queue_put(queue, brood_pack("vv", brood_queue_value(inner), brood_lock_value(lock)),
                          0));
    bt_ok(brood_queue_get(queue, &value, 0));
    bt_ok(brood_get_queue(brood_item(&value, 0), &got));
    bt_ok(brood_get_lock(brood_item(&value, 1), &got_lock));
    assert_ptr_equal(got, inner);
    assert_ptr_equal(got_lock, lock);
    brood_value_clear(&value);
    /* Nobody keeps what is on its way but the sender. */
    bt_ok(brood_queue_put(queue, brood_queue_value(inner), 0));
    brood_queue_destroy(inner);
    bt_fails(brood_queue_get(queue, &value, 0), BROOD_ECLOSED);
    assert_true(brood_queue_is_empty(queue));
    brood_lock_destroy(lock);
    brood_queue_destroy(queue);
}

static void test_out_of_memory_loses_no_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 3000, 100000};
    static char bytes[100000];
    brood_queue *queue;
    void *data;
    size_t size;
    bt_ok(brood_queue_create(&queue, NULL));
    for (size_t i = 0; i < 3; i++) {
        bt_ok(brood_queue_put_bytes(queue, bytes, sizes[i], 0));
        brood_status status = BROOD_ENOMEM;
        for (int n = 1; status != BROOD_OK; n++) {
            bri_memory_fail_at(n, 0);
            status = brood_queue_get_bytes(queue, &data, &size, 0);
            bri_memory_fail_at(0, 0);
            assert_true(status == BROOD_OK || status == BROOD_ENOMEM);
            assert_int_equal(brood_queue_size(queue), status != BROOD_OK);
        }
        assert_int_equal(size, sizes[i]);
        brood_free(data);
    }
    for (int n = 1, done = 0; !done; n++) {
        bri_memory_fail_at(n, 0);
        done = brood_queue_put(queue, brood_pack("[sss]", "a", "b", "c"), 0) == BROOD_OK;
        bri_memory_fail_at(0, 0);
        assert_int_equal(brood_queue_size(queue), done);
    }
    brood_queue_destroy(queue);
}

/* ---- threads ---- */

typedef struct worker {
    brood_queue *queue;
    bri_thread *thread;
    int id;
    int n;
    int64_t sum;
    brood_status status;
} worker;

enum { MOST_EACH = 100000 };

static void produce(void *context)
{
    worker *self = context;
    for (int i = 0; i < self->n && self->status == BROOD_OK; i++) {
        int64_t number = self->id * MOST_EACH + i;
        char large[5000] = "";
        memcpy(large, &number, sizeof number);
        size_t size = i % 300 == 0 ? sizeof large : (size_t)(8 + i % 50);
        self->status = i % 3 == 0 ? brood_queue_put_bytes(self->queue, large, size, 20000)
                                  : brood_queue_put(self->queue, brood_int(number), 20000);
    }
}

static int64_t number_in(const brood_value *value)
{
    int64_t number = -1;
    const void *bytes;
    size_t size;
    if (value->kind == BROOD_BYTES && brood_get_bytes(value, &bytes, &size) == BROOD_OK)
        memcpy(&number, bytes, sizeof number);
    else
        brood_get_int(value, &number);
    return number;
}

/* Each producer's messages come in its order. */
static void consume(void *context)
{
    worker *self = context;
    int64_t last[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    for (;;) {
        brood_value value;
        self->status = brood_queue_get(self->queue, &value, 20000);
        if (self->status != BROOD_OK)
            return;
        int64_t number = number_in(&value), id = number / MOST_EACH % 8;
        brood_value_clear(&value);
        if (number < 0 || number % MOST_EACH <= last[id]) {
            self->status = BROOD_EFORMAT;
            return;
        }
        last[id] = number % MOST_EACH;
        self->sum += number;
        self->n++;
    }
}

static int64_t sum_of_all(int producers, int each)
{
    int64_t sum = 0;
    for (int i = 0; i < producers; i++)
        for (int j = 0; j < each; j++)
            sum += i * MOST_EACH + j;
    return sum;
}

static void run_workers(brood_queue *queue, int producers, int consumers, int each)
{
    worker workers[16] = {{0}};
    int all = producers + consumers, got = 0;
    int64_t sum = 0;
    for (int i = 0; i < all; i++) {
        workers[i].queue = queue;
        workers[i].id = i;
        workers[i].n = i < producers ? each : 0;
        bt_ok(bri_thread_start(&workers[i].thread, i < producers ? produce : consume, &workers[i]));
    }
    for (int i = 0; i < all; i++) {
        if (i == producers)
            brood_queue_close(queue);
        bri_thread_join(workers[i].thread);
        assert_int_equal(workers[i].status, i < producers ? BROOD_OK : BROOD_ECLOSED);
        got += i < producers ? 0 : workers[i].n;
        sum += workers[i].sum;
    }
    assert_int_equal(got, producers * each);
    assert_int_equal(sum, sum_of_all(producers, each));
}

static void test_threads_share_a_queue(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 10};
    for (int i = 0; i < 3; i++) {
        brood_queue *queue;
        bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = sizes[i]}));
        run_workers(queue, 3, 3, 1000);
        brood_queue_destroy(queue);
    }
}

static void test_producers_wait_for_memory(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.memory_limit = 6000}));
    run_workers(queue, 4, 2, 1000);
    brood_queue_destroy(queue);
}

static void put_one(void *context)
{
    worker *self = context;
    self->status = brood_queue_put(self->queue, brood_int(1), 20000);
}

static void get_one(void *context)
{
    worker *self = context;
    brood_value value;
    self->status = brood_queue_get(self->queue, &value, 20000);
}

static void test_closing_wakes_all_who_wait(void **state)
{
    (void)state;
    enum { N = 3 };
    brood_queue *full, *empty;
    worker workers[2 * N] = {{0}};
    bt_ok(brood_queue_create(&empty, NULL));
    bt_ok(brood_queue_create(&full, &(brood_queue_options){.maxsize = 1}));
    bt_ok(brood_queue_put(full, brood_none(), 0));
    for (int i = 0; i < 2 * N; i++) {
        workers[i].queue = i < N ? full : empty;
        bt_ok(bri_thread_start(&workers[i].thread, i < N ? put_one : get_one, &workers[i]));
    }
    brood_sleep(30); /* so that some of them sleep; all must end in any case */
    brood_ms begun = brood_now();
    brood_queue_close(full);
    brood_queue_close(empty);
    for (int i = 0; i < 2 * N; i++) {
        bri_thread_join(workers[i].thread);
        assert_int_equal(workers[i].status, BROOD_ECLOSED);
    }
    assert_true(brood_now() - begun < 5000);
    brood_queue_destroy(full);
    brood_queue_destroy(empty);
}

/* ---- processes ---- */

static brood_status produce_numbers(brood_call *call)
{
    const brood_value *value;
    worker self = {.status = BROOD_OK};
    int64_t id, n;
    BROOD_TRY(brood_call_args(call, "vii", &value, &id, &n));
    BROOD_TRY(brood_get_queue(value, &self.queue));
    self.id = (int)id;
    self.n = (int)n;
    produce(&self);
    return self.status;
}

static brood_status consume_numbers(brood_call *call)
{
    const brood_value *value, *result;
    brood_queue *results;
    worker self = {.status = BROOD_OK};
    BROOD_TRY(brood_call_args(call, "vv", &value, &result));
    BROOD_TRY(brood_get_queue(value, &self.queue));
    BROOD_TRY(brood_get_queue(result, &results));
    consume(&self);
    bt_check(call, self.status == BROOD_ECLOSED);
    return brood_queue_put(results, brood_pack("il", self.n, self.sum), 20000);
}

static void test_processes_share_a_queue(void **state)
{
    (void)state;
    enum { P = 3, C = 3, EACH = 2000 };
    brood_queue *queue, *results;
    brood_process *processes[P + C];
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 20}));
    bt_ok(brood_queue_create(&results, NULL));
    for (int i = 0; i < C; i++)
        processes[P + i] = bt_process(consume_numbers, brood_pack("vv", brood_queue_value(queue),
                                                                  brood_queue_value(results)));
    for (int i = 0; i < P; i++)
        processes[i] =
            bt_process(produce_numbers, brood_pack("vii", brood_queue_value(queue), i, EACH));
    int64_t n = 0, sum = 0;
    for (int i = 0; i < P + C; i++) {
        if (i == P)
            brood_queue_close(queue);
        assert_int_equal(bt_join(processes[i]), 0);
    }
    for (int i = 0; i < C; i++) {
        brood_value value;
        int64_t more, part;
        bt_ok(brood_queue_get(results, &value, 0));
        bt_ok(brood_unpack(&value, "ii", &more, &part));
        n += more;
        sum += part;
        brood_value_clear(&value);
    }
    assert_int_equal(n, P * EACH);
    assert_int_equal(sum, sum_of_all(P, EACH));
    brood_queue_destroy(queue);
    brood_queue_destroy(results);
}

static void test_messages_outlive_their_sender(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    bt_ok(brood_queue_create(&queue, NULL));
    assert_int_equal(
        bt_join(bt_process(produce_numbers, brood_pack("vii", brood_queue_value(queue), 0, 700))),
        0);
    for (int i = 0; i < 700; i++) {
        bt_ok(brood_queue_get(queue, &value, 0));
        assert_int_equal(number_in(&value), i);
        brood_value_clear(&value);
    }
    assert_int_equal(brood_queue_get(queue, &value, 0), BROOD_EEMPTY);
    brood_queue_destroy(queue);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_values_come_out_in_order), bt_test(test_an_empty_queue_says_so),
        bt_test(test_bytes_of_all_sizes_arrive_whole),
        bt_test(test_bytes_and_values_are_told_apart), bt_test(test_bytes_come_into_given_memory),
        bt_test(test_large_values_travel), bt_test(test_values_of_any_depth_travel),
        bt_test(test_maxsize_counts_messages), bt_test(test_memory_is_bounded),
        bt_test(test_a_queue_gives_its_memory_back), bt_test(test_a_closed_queue_is_drained),
        bt_test(test_misuse_is_told), bt_test(test_queues_and_locks_travel_in_messages),
        bt_test(test_out_of_memory_loses_no_bytes), bt_test(test_threads_share_a_queue),
        bt_test(test_producers_wait_for_memory), bt_test(test_closing_wakes_all_who_wait),
        bt_test(test_processes_share_a_queue), bt_test(test_messages_outlive_their_sender));
}
