/* Digests where the library with them cannot be loaded at first. */
#include "harness.h"

#include <sys/resource.h>

#include "platform/hmac.h"

static void test_digests_that_could_not_be_loaded_are_loaded_later(void **state)
{
    (void)state;
    unsigned char digest[BRP_DIGEST_MOST];
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    brood_status status = brp_hmac(BRP_SHA256, "key", 3, "data", 4, digest);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, BROOD_ENOTFOUND);
    bt_ok(brp_hmac(BRP_SHA256, "key", 3, "data", 4, digest));
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_digests_that_could_not_be_loaded_are_loaded_later));
}
