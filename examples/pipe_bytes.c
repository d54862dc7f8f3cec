/*
 * pipe_bytes.c - messages of plain bytes: parts of a larger piece of memory, a limit on what is
 * taken, memory that is too small, and asking whether something is there.
 *
 * Python: send_bytes(buffer, offset, size), recv_bytes(maxlength), recv_bytes_into(), poll(),
 * fileno()
 */
#include <string.h>

#include "check.h"

/* Sends parts of one text: the beginning, the middle, nothing at all, and all of it twice. */
static brood_status send_parts(brood_call *call)
{
    static const char text[] = "0123456789";
    const brood_value *argument;
    brood_connection *pipe;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &pipe));
    BROOD_TRY(brood_connection_send_bytes(pipe, text, 4, BROOD_FOREVER));
    BROOD_TRY(brood_connection_send_bytes(pipe, text + 4, 3, BROOD_FOREVER)); /* an offset */
    BROOD_TRY(brood_connection_send_bytes(pipe, text, 0, BROOD_FOREVER));
    BROOD_TRY(brood_connection_send_bytes(pipe, text, 10, BROOD_FOREVER));
    return brood_connection_send_bytes(pipe, text, 10, BROOD_FOREVER);
}

static void expect_bytes(brood_connection *pipe, const char *wanted)
{
    void *data;
    size_t size;
    BROOD_CHECK(brood_connection_recv_bytes(pipe, 0, &data, &size, BROOD_FOREVER));
    EXPECT(size == strlen(wanted) && memcmp(data, wanted, size) == 0);
    printf("received %zu bytes\n", size);
    brood_free(data);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_connection *ours, *theirs;
    BROOD_CHECK(brood_pipe(&ours, &theirs, false));
    EXPECT(brood_connection_fileno(ours) != -1);
    EXPECT(brood_connection_poll(ours, 0) == BROOD_ETIMEDOUT);

    brood_process *sender;
    BROOD_CHECK(brood_process_create(&sender, send_parts,
                                     brood_pack("(v)", brood_connection_value(theirs)), NULL));
    BROOD_CHECK(brood_process_start(sender));
    brood_connection_close(theirs);

    BROOD_CHECK(brood_connection_poll(ours, BROOD_FOREVER));
    expect_bytes(ours, "0123");
    expect_bytes(ours, "456");
    expect_bytes(ours, "");

    /* Too little room: the size is told, the message waits for more. */
    char small[4], large[32];
    size_t size;
    EXPECT(brood_connection_recv_bytes_into(ours, small, sizeof small, &size, BROOD_FOREVER) ==
           BROOD_ETOOLONG);
    printf("a message of %zu bytes does not fit into %zu\n", size, sizeof small);
    EXPECT(size == 10);
    BROOD_CHECK(brood_connection_recv_bytes_into(ours, large, sizeof large, &size, BROOD_FOREVER));
    EXPECT(size == 10 && memcmp(large, "0123456789", 10) == 0);

    /* Longer than we are ready to take: an error, and nothing more can be read from here. */
    void *data;
    EXPECT(brood_connection_recv_bytes(ours, 9, &data, &size, BROOD_FOREVER) == BROOD_ETOOLONG);
    EXPECT(brood_connection_recv_bytes(ours, 0, &data, &size, BROOD_FOREVER) == BROOD_ETOOLONG);

    int code;
    BROOD_CHECK(brood_process_join(sender, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(sender, &code));
    EXPECT(code == 0);
    brood_process_destroy(sender);
    brood_connection_close(ours);
    return 0;
}
