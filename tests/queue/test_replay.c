/* The stress program (tests/stress) does the same again with the same seed. */
#include "harness.h"

enum { WORKERS = 3, ROOM = 4096 };

/* What each worker did in its first turns, as the program prints it; empty for one that did not
 * come to so many. */
static void play(const char *seed, char found[WORKERS][32])
{
    const char *arguments[] = {"--seed", seed,     "--seconds", "2", "--workers",
                               "3",      "--calm", "1",         NULL};
    char output[ROOM];
    assert_int_equal(bt_run_prog(bt_prog("stress"), arguments, output, sizeof output), 0);
    assert_non_null(strstr(output, "0 failures"));
    for (int i = 0; i < WORKERS; i++) {
        char label[32];
        snprintf(label, sizeof label, "worker %d: ", i);
        const char *at = strstr(output, label);
        found[i][0] = '\0';
        if (at != NULL)
            snprintf(found[i], sizeof found[i], "%.16s", at + strlen(label));
    }
}

static void test_a_seed_gives_the_same_again(void **state)
{
    (void)state;
    char first[WORKERS][32], again[WORKERS][32], other[WORKERS][32];
    int n = 0;
    play("5", first);
    play("5", again);
    play("6", other);
    for (int i = 0; i < WORKERS; i++) {
        if (*first[i] == '\0' || *again[i] == '\0')
            continue;
        assert_string_equal(first[i], again[i]);
        assert_string_not_equal(first[i], other[i]);
        n++;
    }
    assert_true(n > 0);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_seed_gives_the_same_again));
}
