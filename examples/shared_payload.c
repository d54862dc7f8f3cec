/*
 * shared_payload.c - large data through a pool without copying it: only references travel.
 *
 * Python: multiprocessing.Pool with multiprocessing.shared_memory, where names have to be passed
 * and unlinked by hand.
 */
#include "check.h"

enum { PIECES = 8, NUMBERS = 50000 };

/* smooth(array): a new array with the means of neighbours. */
static brood_status smooth(brood_call *call)
{
    const brood_value *value;
    brood_array *from, *to;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_array(value, &from));
    size_t n = brood_array_length(from);
    BROOD_TRY(brood_array_create(&to, "d", n, &(brood_array_options){.unlocked = true}));
    const double *x = brood_array_data(from);
    double *mean = brood_array_data(to);
    for (size_t i = 0; i < n; i++)
        mean[i] = (x[i == 0 ? 0 : i - 1] + x[i] + x[i + 1 == n ? i : i + 1]) / 3;
    brood_value result = brood_array_value(to);
    brood_array_destroy(to); /* the result has it now, and then whoever gets that */
    return brood_call_return(call, result);
}

static brood_value make_piece(int number)
{
    brood_array *piece;
    BROOD_CHECK(brood_array_create(&piece, "d", NUMBERS, &(brood_array_options){.unlocked = true}));
    double *x = brood_array_data(piece);
    for (int i = 0; i < NUMBERS; i++)
        x[i] = number + (i % 3) * 3;
    brood_value value = brood_array_value(piece);
    brood_array_destroy(piece);
    return value;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_pool *pool;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    brood_value pieces = brood_list(), results;
    for (int i = 0; i < PIECES; i++)
        BROOD_CHECK(brood_append(&pieces, make_piece(i)));
    BROOD_CHECK(brood_pool_map(pool, smooth, pieces, NULL, &results));
    for (int i = 0; i < PIECES; i++) {
        brood_array *means;
        BROOD_CHECK(brood_get_array(brood_item(&results, (size_t)i), &means));
        const double *mean = brood_array_data(means);
        printf("piece %d: %.1f %.1f %.1f\n", i, mean[1], mean[2], mean[NUMBERS - 2]);
        EXPECT(mean[1] == i + 3.0 && mean[2] == i + 3.0);
    }
    brood_value_clear(&results);
    brood_pool_destroy(pool);
    return 0;
}
