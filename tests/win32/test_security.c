/* Only the own user may open what brood gives a name, or what is found by enumerating pipes. */
#include "win32_test.h"

#include <aclapi.h>
#include <sddl.h>

#include "platform/local.h"
#include "platform/named.h"
#include "platform/stream.h"
#include "win32/security.h"

static const char NAME[] = "test-of-security";

/* The access list has one entry, which lets in this user. */
static void expect_own_user_only(HANDLE object)
{
    PACL list = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    ACCESS_ALLOWED_ACE *entry;
    char *sid = NULL, *own = NULL;
    assert_int_equal(GetSecurityInfo(object, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL,
                                     NULL, &list, NULL, &descriptor),
                     ERROR_SUCCESS);
    assert_non_null(list);
    assert_int_equal(list->AceCount, 1);
    assert_true(GetAce(list, 0, (void **)&entry));
    assert_int_equal(entry->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
    assert_true(ConvertSidToStringSidA(&entry->SidStart, &sid));
    assert_int_equal(bri_w32_user_of(GetCurrentProcess(), &own), ERROR_SUCCESS);
    assert_string_equal(sid, own);
    LocalFree(own);
    LocalFree(sid);
    LocalFree(descriptor);
}

static void test_named_memory_is_the_own_users(void **state)
{
    (void)state;
    brp_named named;
    const brp_named_policy policies[] = {BRP_NAMED_OWNER, BRP_NAMED_HOLDERS, BRP_NAMED_PERSISTENT};
    for (size_t i = 0; i < 3; i++) {
        expect_ok(brp_named_create(&named, NAME, 4096, policies[i]));
        expect_own_user_only(bri_w32_handle(named.section.handle));
        if (brp_handle_is_set(named.marker))
            expect_own_user_only(bri_w32_handle(named.marker));
        if (policies[i] == BRP_NAMED_PERSISTENT)
            expect_ok(brp_named_unlink(NAME));
        brp_named_close(&named);
    }
}

static void test_an_unlinked_file_goes_with_the_next_one_that_is_made(void **state)
{
    (void)state;
    brp_named named;
    wchar_t folder[MAX_PATH + 1], path[MAX_PATH + 64];
    assert_in_range(GetTempPathW(MAX_PATH + 1, folder), 1, MAX_PATH);
    expect_ok(brp_named_create(&named, NAME, 4096, BRP_NAMED_PERSISTENT));
    swprintf(path, MAX_PATH + 64, L"%lsbrood-shm\\left.0123.gone", folder);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    assert_ptr_not_equal(file, INVALID_HANDLE_VALUE);
    CloseHandle(file);
    expect_ok(brp_named_unlink(NAME));
    brp_named_close(&named);
    expect_ok(brp_named_create(&named, NAME, 4096, BRP_NAMED_PERSISTENT));
    assert_int_equal(GetFileAttributesW(path), INVALID_FILE_ATTRIBUTES);
    expect_ok(brp_named_unlink(NAME));
    brp_named_close(&named);
}

static void test_pipes_are_the_own_users(void **state)
{
    (void)state;
    brp_handle ends[2];
    brp_server *server;
    brp_channel client;
    expect_ok(brp_stream_pair(ends));
    expect_own_user_only(bri_w32_handle(ends[0]));
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
    expect_ok(brp_local_listen(&server, NULL, 8));
    expect_ok(brp_local_connect(&client, brp_server_address(server), soon()));
    expect_own_user_only(bri_w32_handle(client.handle));
    brp_channel_close(&client);
    brp_server_close(server);
}

/* ---- a listener's first thread ends ---- */

static DWORD WINAPI listen_and_end(void *server)
{
    expect_ok(brp_local_listen(server, NULL, 8));
    return 0;
}

static void test_a_listener_outlives_the_thread_that_made_it(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        brp_server *server;
        brp_channel client, accepted;
        HANDLE thread = CreateThread(NULL, 0, listen_and_end, &server, 0, NULL);
        assert_non_null(thread);
        assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
        CloseHandle(thread);
        if (late)
            expect_fails(brp_server_accept(server, &accepted), BROOD_ETIMEDOUT);
        expect_ok(brp_local_connect(&client, brp_server_address(server), soon()));
        brp_watch watch = brp_server_watch(server);
        expect_ok(brp_wait_any(&watch, 1, soon(), NULL));
        expect_ok(brp_server_accept(server, &accepted));
        brp_bytes bytes = {"hello", 5};
        size_t n, left;
        char got[8];
        expect_ok(brp_channel_write_all(client, &bytes, 1, &n, soon()));
        expect_ok(brp_channel_read(accepted, got, sizeof got, &n, &left, soon()));
        assert_int_equal(n, 5);
        brp_channel_close(&accepted);
        brp_channel_close(&client);
        brp_server_close(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_memory_is_the_own_users),
        cmocka_unit_test(test_an_unlinked_file_goes_with_the_next_one_that_is_made),
        cmocka_unit_test(test_pipes_are_the_own_users),
        cmocka_unit_test(test_a_listener_outlives_the_thread_that_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
