/*
 * barrier.c - parties meet in rounds; then one of them breaks the barrier, and all are told.
 *
 * Python: multiprocessing.Barrier.
 */
#include "check.h"

enum { PARTIES = 4, ROUNDS = 5 };

/* meet(barrier, indices): every round each index is given to one of the parties. */
static brood_status meet(brood_call *call)
{
    const brood_value *barrier_value, *indices_value;
    brood_barrier *barrier;
    brood_array *indices;
    uint32_t index;
    BROOD_TRY(brood_call_args(call, "vv", &barrier_value, &indices_value));
    BROOD_TRY(brood_get_barrier(barrier_value, &barrier));
    BROOD_TRY(brood_get_array(indices_value, &indices));
    for (int round = 0; round < ROUNDS; round++) {
        BROOD_TRY(brood_barrier_wait(barrier, BROOD_FOREVER, &index));
        BROOD_TRY(brood_array_add(indices, (size_t)round, INT64_C(1) << (8 * index), NULL));
    }
    if (index == 0) { /* one of them has had enough */
        while (brood_barrier_n_waiting(barrier) < PARTIES - 1)
            brood_sleep(1);
        return brood_barrier_abort(barrier);
    }
    EXPECT(brood_barrier_wait(barrier, BROOD_FOREVER, NULL) == BROOD_EBROKEN);
    return BROOD_OK;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_barrier *barrier;
    brood_array *indices;
    brood_process *parties[PARTIES];
    BROOD_CHECK(brood_barrier_create(&barrier, PARTIES, NULL));
    BROOD_CHECK(brood_array_create(&indices, "q", ROUNDS, NULL));
    for (int i = 0; i < PARTIES; i++) {
        BROOD_CHECK(brood_process_create(
            &parties[i], meet,
            brood_pack("vv", brood_barrier_value(barrier), brood_array_value(indices)), NULL));
        BROOD_CHECK(brood_process_start(parties[i]));
    }
    for (int i = 0; i < PARTIES; i++) {
        int code;
        BROOD_CHECK(brood_process_join(parties[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(parties[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(parties[i]);
    }
    const int64_t *seen = brood_array_data(indices);
    for (int round = 0; round < ROUNDS; round++)
        EXPECT(seen[round] == 0x01010101);
    EXPECT(brood_barrier_is_broken(barrier));
    BROOD_CHECK(brood_barrier_reset(barrier));
    EXPECT(!brood_barrier_is_broken(barrier));
    printf("%d parties met %d times\n", (int)brood_barrier_parties(barrier), ROUNDS);
    brood_array_destroy(indices);
    brood_barrier_destroy(barrier);
    return 0;
}
