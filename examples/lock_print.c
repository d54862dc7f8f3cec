/*
 * lock_print.c - processes print several lines each under one lock, so that none of them is
 * interrupted by another's.
 *
 * Python: a multiprocessing.Lock around several prints.
 */
#include "check.h"

enum { N = 10, LINES = 4 };

/* print_lines(lock, name, connection): its lines belong together. */
static brood_status print_lines(brood_call *call)
{
    const brood_value *lock_value, *out_value;
    brood_lock *lock;
    brood_connection *out;
    int64_t name;
    BROOD_TRY(brood_call_args(call, "viv", &lock_value, &name, &out_value));
    BROOD_TRY(brood_get_lock(lock_value, &lock));
    BROOD_TRY(brood_get_connection(out_value, &out));
    BROOD_TRY(brood_lock_acquire(lock, BROOD_FOREVER));
    for (int line = 0; line < LINES; line++) {
        printf("process %d, line %d\n", (int)name, line);
        fflush(stdout);
        BROOD_TRY(brood_connection_send(out, brood_int(name), BROOD_FOREVER));
    }
    return brood_lock_release(lock);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_lock *lock;
    brood_connection *in, *out;
    brood_process *processes[N];
    BROOD_CHECK(brood_lock_create(&lock));
    BROOD_CHECK(brood_pipe(&in, &out, false));
    for (int i = 0; i < N; i++) {
        BROOD_CHECK(brood_process_create(
            &processes[i], print_lines,
            brood_pack("viv", brood_lock_value(lock), i, brood_connection_value(out)), NULL));
        BROOD_CHECK(brood_process_start(processes[i]));
    }
    brood_connection_close(out);

    /* What the others see: the lines of one process follow each other. */
    for (int i = 0; i < N; i++) {
        int64_t first = -1;
        for (int line = 0; line < LINES; line++) {
            brood_value name;
            BROOD_CHECK(brood_connection_recv(in, &name, BROOD_FOREVER));
            first = line == 0 ? name.as.integer : first;
            EXPECT(name.as.integer == first);
        }
    }
    for (int i = 0; i < N; i++) {
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        brood_process_destroy(processes[i]);
    }
    brood_connection_close(in);
    brood_lock_destroy(lock);
    return 0;
}
