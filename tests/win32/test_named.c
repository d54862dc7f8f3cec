/* What is left of a name when its memory cannot be mapped. The function that maps it is replaced in
 * this program's import table. */
#include "win32_test.h"

#include "platform/named.h"

extern void *(WINAPI *__imp_MapViewOfFile)(HANDLE, DWORD, DWORD, DWORD, SIZE_T);

static void *WINAPI map_nothing(HANDLE section, DWORD access, DWORD high, DWORD low, SIZE_T size)
{
    (void)section;
    (void)access;
    (void)high;
    (void)low;
    (void)size;
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
}

static void test_what_cannot_be_mapped_leaves_no_name(void **state)
{
    (void)state;
    static const brp_named_policy policies[] = {BRP_NAMED_OWNER, BRP_NAMED_HOLDERS,
                                                BRP_NAMED_PERSISTENT};
    char name[BRP_NAMED_MOST + 1];
    DWORD before;
    snprintf(name, sizeof name, "bt-unmapped-%lu", GetCurrentProcessId());
    assert_true(VirtualProtect((void *)&__imp_MapViewOfFile, sizeof __imp_MapViewOfFile,
                               PAGE_READWRITE, &before));
    for (size_t i = 0; i < 3; i++) {
        brp_named named;
        void *(WINAPI * map)(HANDLE, DWORD, DWORD, DWORD, SIZE_T) = __imp_MapViewOfFile;
        __imp_MapViewOfFile = map_nothing;
        brood_status status = brp_named_create(&named, name, 1000, policies[i]);
        __imp_MapViewOfFile = map;
        assert_int_equal(status, BROOD_ENOMEM);
        expect_fails(brp_named_open(&named, name), BROOD_ENOTFOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_mapped_leaves_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
