/*
 * A message of more than 2 GiB, with the long header, through a pipe of brood's; tests/interop has
 * one from Python. The sender's bytes are never written to, so they cost no memory; the receiver's
 * do.
 */
#include "harness.h"

#include "core/thread.h"

#if SIZE_MAX > UINT32_MAX
static const size_t SIZE = ((size_t)2 << 30) + 4096 + 3;
#else
static const size_t SIZE = 0;
#endif

enum { ENOUGH_MIB = 6 << 10, PATIENCE = 50000 };

/* What the system says could be taken now; 0 where it does not say so in this way. */
static long free_mib(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtol(line + 13, NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib / 1024;
}

typedef struct sender {
    brood_connection *connection;
    const void *data;
    brood_status status;
} sender;

static void send_giant(void *context)
{
    sender *s = context;
    s->status = brood_connection_send_bytes(s->connection, s->data, SIZE, PATIENCE);
    if (s->status == BROOD_OK)
        s->status = brood_connection_send(s->connection, brood_str("and more"), PATIENCE);
}

static void test_more_than_2_gib_arrive(void **state)
{
    (void)state;
    brood_connection *first, *second;
    bri_thread *thread;
    void *got;
    size_t size;
    brood_value value;
    if (SIZE == 0 || bt_is_windows() || bt_has_address_sanitizer() || bt_has_thread_sanitizer())
        bt_skip("it takes 2 GiB of memory, so it runs natively and without sanitizers only");
    if (free_mib() < ENOUGH_MIB)
        bt_skip("less than 6 GiB of memory are free");
    void *data = calloc(1, SIZE);
    assert_non_null(data);
    bt_ok(brood_pipe(&first, &second, false));
    sender s = {second, data, BROOD_OK};
    bt_ok(bri_thread_start(&thread, send_giant, &s));
    bt_ok(brood_connection_recv_bytes(first, SIZE, &got, &size, PATIENCE));
    assert_true(size == SIZE);
    assert_int_equal(((unsigned char *)got)[SIZE - 1], 0);
    brood_free(got);
    bt_ok(brood_connection_recv(first, &value, PATIENCE));
    brood_value_clear(&value);
    bri_thread_join(thread);
    bt_ok(s.status);
    free(data);
    brood_connection_close(first);
    brood_connection_close(second);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_more_than_2_gib_arrive));
}
