/* The proof of the key as messages: with itself, with both kinds of Python, and with liars. */
#include "harness.h"

#include "ipc/auth.h"
#include "platform/hmac.h"

static const bri_auth_key KEY = {"the key", 7, false};
static const bri_auth_key OTHER = {"another", 7, false};
static const bri_auth_key STRICT = {"the key", 7, true};
static const bri_auth_key EMPTY = {"", 0, false};
static const bri_auth_key NONE = {NULL, 0, false};

static bri_auth begin(const bri_auth_key *key, bool is_listener)
{
    bri_auth auth;
    bt_ok(bri_auth_begin(&auth, key, is_listener));
    return auth;
}

/* Carries what `from` has to say to the other; whether there was anything. */
static bool carry(bri_auth *from, bri_auth *to, brood_status *status)
{
    unsigned char message[BRI_AUTH_OUT];
    size_t size = from->out_size;
    if (size == 0)
        return false;
    memcpy(message, from->out, size);
    from->out_size = 0;
    *status = bri_auth_take(to, message, size);
    return true;
}

/* Lets the two talk until nothing is left to say; the first failure of each. */
static void talk(bri_auth *listener, bri_auth *client, brood_status *of_listener,
                 brood_status *of_client)
{
    brood_status status = BROOD_OK;
    *of_listener = *of_client = BROOD_OK;
    for (bool more = true; more;) {
        more = carry(listener, client, &status);
        if (more && *of_client == BROOD_OK)
            *of_client = status;
        if (carry(client, listener, &status)) {
            more = true;
            if (*of_listener == BROOD_OK)
                *of_listener = status;
        }
    }
}

static void test_both_prove_the_same_key(void **state)
{
    (void)state;
    const bri_auth_key *const pairs[][2] = {
        {&KEY, &KEY}, {&STRICT, &STRICT}, {&STRICT, &KEY}, {&KEY, &STRICT}, {&EMPTY, &EMPTY}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        bri_auth listener = begin(pairs[i][0], true), client = begin(pairs[i][1], false);
        brood_status of_listener, of_client;
        talk(&listener, &client, &of_listener, &of_client);
        bt_ok(of_listener);
        bt_ok(of_client);
        assert_int_equal(listener.step, BRI_AUTH_DONE);
        assert_int_equal(client.step, BRI_AUTH_DONE);
    }
}

static void test_no_key_needs_no_proof(void **state)
{
    (void)state;
    bri_auth listener = begin(&NONE, true), client = begin(&NONE, false);
    assert_int_equal(listener.step, BRI_AUTH_DONE);
    assert_int_equal(client.step, BRI_AUTH_DONE);
    assert_int_equal(listener.out_size, 0);
}

static void test_another_key_fails_on_both_sides(void **state)
{
    (void)state;
    const bri_auth_key *const pairs[][2] = {{&KEY, &OTHER}, {&KEY, &EMPTY}, {&EMPTY, &KEY}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        bri_auth listener = begin(pairs[i][0], true), client = begin(pairs[i][1], false);
        brood_status of_listener, of_client;
        talk(&listener, &client, &of_listener, &of_client);
        assert_int_equal(of_listener, BROOD_EAUTH);
        assert_int_equal(of_client, BROOD_EAUTH);
        assert_int_equal(listener.step, BRI_AUTH_FAILED);
        assert_int_equal(client.step, BRI_AUTH_FAILED);
        bt_message_has("rejected our digest");
    }
}

static void test_challenges_never_repeat(void **state)
{
    (void)state;
    bri_auth one = begin(&KEY, true), other = begin(&KEY, true);
    assert_int_equal(one.out_size, 11 + 8 + 40);
    assert_memory_equal(one.out, "#CHALLENGE#{sha256}", 19);
    assert_memory_not_equal(one.out, other.out, one.out_size);
}

/* ---- Python ---- */

static const char CHALLENGE_OLD[] = "#CHALLENGE#01234567890123456789";

static void test_an_old_challenge_is_answered_with_bare_md5(void **state)
{
    (void)state;
    unsigned char wanted[BRP_DIGEST_MOST];
    bri_auth client = begin(&KEY, false);
    bt_ok(bri_auth_take(&client, CHALLENGE_OLD, 31));
    bt_ok(brp_hmac(BRP_MD5, "the key", 7, "01234567890123456789", 20, wanted));
    assert_int_equal(client.out_size, 16);
    assert_memory_equal(client.out, wanted, 16);
    client = begin(&STRICT, false);
    bt_fails(bri_auth_take(&client, CHALLENGE_OLD, 31), BROOD_EAUTH);
    bt_message_has("MD5, which is refused");
    assert_int_equal(client.out_size, 0);
}

static void test_named_digests_are_answered_by_name(void **state)
{
    (void)state;
    unsigned char wanted[BRP_DIGEST_MOST];
    bri_auth client = begin(&KEY, false);
    bt_ok(bri_auth_take(&client, "#CHALLENGE#{md5}0123456789abcdef", 32));
    bt_ok(brp_hmac(BRP_MD5, "the key", 7, "{md5}0123456789abcdef", 21, wanted));
    assert_int_equal(client.out_size, 5 + 16);
    assert_memory_equal(client.out, "{md5}", 5);
    assert_memory_equal(client.out + 5, wanted, 16);
    client = begin(&STRICT, false);
    bt_fails(bri_auth_take(&client, "#CHALLENGE#{md5}0123456789abcdef", 32), BROOD_EAUTH);
}

/* What a listener says to an answer made in one of Python's ways. */
static brood_status answer(const bri_auth_key *key, brp_digest digest, const char *prefix,
                           bri_auth *listener)
{
    unsigned char message[64], made[BRP_DIGEST_MOST];
    size_t length = strlen(prefix), size = digest == BRP_MD5 ? 16 : 32;
    *listener = begin(key, true);
    bt_ok(brp_hmac(digest, "the key", 7, listener->challenge, sizeof listener->challenge, made));
    memcpy(message, prefix, length);
    memcpy(message + length, made, size);
    return bri_auth_take(listener, message, length + size);
}

static void test_every_right_answer_is_welcome(void **state)
{
    (void)state;
    bri_auth listener;
    bt_ok(answer(&KEY, BRP_MD5, "", &listener)); /* Python before 3.12 */
    assert_memory_equal(listener.out, "#WELCOME#", listener.out_size);
    bt_ok(answer(&KEY, BRP_MD5, "{md5}", &listener));
    bt_ok(answer(&KEY, BRP_SHA256, "{sha256}", &listener));
    bt_ok(answer(&STRICT, BRP_SHA256, "{sha256}", &listener));
    bt_fails(answer(&STRICT, BRP_MD5, "", &listener), BROOD_EAUTH);
    assert_memory_equal(listener.out, "#FAILURE#", listener.out_size);
    bt_fails(answer(&STRICT, BRP_MD5, "{md5}", &listener), BROOD_EAUTH);
    bt_fails(answer(&KEY, BRP_SHA256, "", &listener), BROOD_EAUTH);
    bt_fails(answer(&KEY, BRP_SHA256, "{md5}", &listener), BROOD_EAUTH);
    bt_fails(answer(&KEY, BRP_MD5, "{sha256}", &listener), BROOD_EAUTH);
}

/* ---- liars ---- */

static void test_what_is_no_challenge_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        size_t size;
    } cases[] = {
        {"", 0},
        {"#CHALLENGE#", 11},
        {"#CHALLENGE#0123456789012345678", 30}, /* 19 bytes */
        {"#CHALLENGE#012345678901234567890", 32},
        {"#CHALLENGE#{sha999}0123456789012345678901234567890123456789", 59},
        {"#WELCOME#", 9},
        {"#CHALLENG##01234567890123456789", 31},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bri_auth client = begin(&KEY, false);
        bt_fails(bri_auth_take(&client, cases[i].message, cases[i].size), BROOD_EAUTH);
        assert_int_equal(client.step, BRI_AUTH_FAILED);
        assert_int_equal(client.out_size, 0);
        bt_fails(bri_auth_take(&client, CHALLENGE_OLD, 31), BROOD_EAUTH); /* it is over */
    }
}

static void test_every_changed_bit_of_an_answer_is_refused(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * 40; bit++) {
        bri_auth listener = begin(&KEY, true), client = begin(&KEY, false);
        bt_ok(bri_auth_take(&client, listener.out, listener.out_size));
        client.out[bit / 8] = (unsigned char)(client.out[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(bri_auth_take(&listener, client.out, client.out_size), BROOD_EAUTH);
        assert_memory_equal(listener.out, "#FAILURE#", listener.out_size);
    }
}

static void test_an_echo_proves_nothing(void **state)
{
    (void)state;
    bri_auth listener = begin(&KEY, true);
    bt_fails(bri_auth_take(&listener, listener.challenge, sizeof listener.challenge), BROOD_EAUTH);
    /* A client whose listener welcomes whatever it says still wants to see the key. */
    bri_auth client = begin(&KEY, false);
    bt_ok(bri_auth_take(&client, CHALLENGE_OLD, 31));
    bt_ok(bri_auth_take(&client, "#WELCOME#", 9));
    assert_int_equal(client.step, BRI_AUTH_RESPONSE_DUE);
    bt_fails(bri_auth_take(&client, "#WELCOME#", 9), BROOD_EAUTH);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_both_prove_the_same_key), bt_test(test_no_key_needs_no_proof),
        bt_test(test_another_key_fails_on_both_sides), bt_test(test_challenges_never_repeat),
        bt_test(test_an_old_challenge_is_answered_with_bare_md5),
        bt_test(test_named_digests_are_answered_by_name),
        bt_test(test_every_right_answer_is_welcome), bt_test(test_what_is_no_challenge_is_refused),
        bt_test(test_every_changed_bit_of_an_answer_is_refused),
        bt_test(test_an_echo_proves_nothing));
}
