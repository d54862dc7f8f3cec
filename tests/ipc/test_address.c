/* Addresses as text: TCP, local, and what is none. */
#include "harness.h"

#include "ipc/address.h"

static void test_text_tells_the_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bri_address_kind kind;
        const char *host;
        int port;
    } cases[] = {
        {"127.0.0.1:80", BRI_ADDRESS_TCP, "127.0.0.1", 80},
        {"localhost:0", BRI_ADDRESS_TCP, "localhost", 0},
        {":65535", BRI_ADDRESS_TCP, "", 65535},
        {"[::1]:8000", BRI_ADDRESS_TCP, "::1", 8000},
        {"a:00080", BRI_ADDRESS_TCP, "a", 80},
        {"/tmp/socket", BRI_ADDRESS_LOCAL, "", 0},
        {"/tmp/a:80", BRI_ADDRESS_LOCAL, "", 0},
        {"./a:80", BRI_ADDRESS_LOCAL, "", 0},
        {"./a:b", BRI_ADDRESS_LOCAL, "", 0},
        {"socket", BRI_ADDRESS_LOCAL, "", 0},
        {"@name:80", BRI_ADDRESS_LOCAL, "", 0},
        {"\\\\.\\pipe\\name", BRI_ADDRESS_LOCAL, "", 0},
        {"\\\\.\\pipe\\name:80", BRI_ADDRESS_LOCAL, "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bri_address address;
        bt_ok(bri_address_parse(cases[i].text, &address));
        assert_int_equal(address.kind, cases[i].kind);
        assert_string_equal(address.host, cases[i].host);
        assert_int_equal(address.port, cases[i].port);
    }
}

static void test_what_is_no_address_is_refused(void **state)
{
    (void)state;
    char long_host[400];
    memset(long_host, 'a', sizeof long_host);
    snprintf(long_host + 380, 20, ":80");
    const char *const cases[] = {
        NULL,  "",   "a:65536", "a:99999999999999999999", "::1:80" /* which? */, long_host,
        "a:b", "a:", "a:80x",   "localhost:http"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bri_address address = {.port = 7};
        bt_fails(bri_address_parse(cases[i], &address), BROOD_EINVALID);
        assert_int_equal(address.port, 7);
    }
}

static void test_formatting_gives_what_was_parsed(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:80", "[::1]:8000", "localhost:1", ":5"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bri_address address;
        char text[300];
        bt_ok(bri_address_parse(texts[i], &address));
        bri_address_format(&address, text, sizeof text);
        assert_string_equal(text, texts[i]);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_text_tells_the_kind),
                   bt_test(test_what_is_no_address_is_refused),
                   bt_test(test_formatting_gives_what_was_parsed));
}
