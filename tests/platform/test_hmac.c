/* test_hmac.c - platform/hmac.h: the vectors of RFC 2202 and RFC 4231, odd sizes, comparison. */
#include "expect.h"

#include "platform/hmac.h"

static void expect_hmac(brp_digest digest, const void *key, size_t key_size, const void *data,
                        size_t size, const char *wanted)
{
    unsigned char out[BRP_DIGEST_MOST];
    char text[2 * BRP_DIGEST_MOST + 1] = "";
    size_t length = digest == BRP_MD5 ? BRP_MD5_SIZE : BRP_SHA256_SIZE;
    pt_ok(brp_hmac(digest, key, key_size, data, size, out));
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(text, wanted);
}

static void test_the_vectors_of_rfc_2202_for_md5(void **state)
{
    (void)state;
    char key[80], data[50];
    memset(key, 0x0b, sizeof key);
    expect_hmac(BRP_MD5, key, 16, "Hi There", 8, "9294727a3638bb1c13f48ef8158bfc9d");
    expect_hmac(BRP_MD5, "Jefe", 4, "what do ya want for nothing?", 28,
                "750c783e6ab0b503eaa86e310a5db738");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    expect_hmac(BRP_MD5, key, 16, data, 50, "56be34521d144c88dbb8c733f0e8b3f6");
    expect_hmac(BRP_MD5, key, 80, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

static void test_the_vectors_of_rfc_4231_for_sha256(void **state)
{
    (void)state;
    char key[131], data[50];
    memset(key, 0x0b, sizeof key);
    expect_hmac(BRP_SHA256, key, 20, "Hi There", 8,
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_hmac(BRP_SHA256, "Jefe", 4, "what do ya want for nothing?", 28,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    expect_hmac(BRP_SHA256, key, 20, data, 50,
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    expect_hmac(BRP_SHA256, key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_key_and_data_may_be_empty(void **state)
{
    (void)state;
    expect_hmac(BRP_MD5, NULL, 0, NULL, 0, "74e6f7298a9c2d168935f58c001bad88");
    expect_hmac(BRP_SHA256, NULL, 0, NULL, 0,
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    expect_hmac(BRP_SHA256, "Jefe", 4, NULL, 0,
                "923598ca6d64af2a5dba79dcd021a8a0fe5c5f557519adaaf0ad532d4506dd30");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_the_vectors_of_rfc_2202_for_md5),
        pt_test(test_the_vectors_of_rfc_4231_for_sha256),
        pt_test(test_key_and_data_may_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
