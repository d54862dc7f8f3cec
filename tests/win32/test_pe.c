/* test_pe.c - build ids of images: stable, telling, and safe on any bytes. */
#include "win32_test.h"

#include "platform/module.h"
#include "win32/pe.h"
#include "win32/utf16.h"

static unsigned char *own_bytes; /* this program's file */
static size_t own_size;

typedef struct bytes {
    const unsigned char *data;
    size_t size;
} bytes;

static bool read_bytes(void *context, uint64_t offset, void *to, size_t size)
{
    const bytes *from = context;
    if (offset > from->size || size > from->size - offset)
        return false;
    memcpy(to, from->data + offset, size);
    return true;
}

static brood_status read_id(const unsigned char *data, size_t size,
                            unsigned char id[BRP_BUILD_ID_SIZE])
{
    bytes from = {data, size};
    bri_w32_pe_source source = {.read = read_bytes, .context = &from};
    bri_w32_pe pe;
    BROOD_TRY(bri_w32_pe_read(&source, "bytes", &pe));
    memcpy(id, pe.build_id, BRP_BUILD_ID_SIZE);
    return BROOD_OK;
}

static int load_own(void **state)
{
    (void)state;
    char *path;
    if (brp_module_own_path(&path) != BROOD_OK)
        return -1;
    wchar_t *wide = bri_w32_path(path);
    bri_free(path);
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    bri_free(wide);
    LARGE_INTEGER size;
    DWORD got;
    if (file == INVALID_HANDLE_VALUE || !GetFileSizeEx(file, &size))
        return -1;
    own_size = (size_t)size.QuadPart;
    own_bytes = bri_alloc(own_size);
    bool done = ReadFile(file, own_bytes, (DWORD)own_size, &got, NULL) && got == own_size;
    CloseHandle(file);
    return done ? 0 : -1;
}

static int free_own(void **state)
{
    (void)state;
    bri_free(own_bytes);
    return 0;
}

static void test_file_and_image_have_the_same_id(void **state)
{
    (void)state;
    unsigned char loaded[BRP_BUILD_ID_SIZE], file[BRP_BUILD_ID_SIZE], parsed[BRP_BUILD_ID_SIZE];
    char *path;
    expect_ok(brp_module_own_build_id(loaded));
    expect_ok(brp_module_own_path(&path));
    expect_ok(brp_module_file_build_id(path, file));
    bri_free(path);
    assert_memory_equal(loaded, file, sizeof file);
    expect_ok(read_id(own_bytes, own_size, parsed));
    assert_memory_equal(loaded, parsed, sizeof parsed);
}

/* A linker changes the checksum in the headers with any byte of the file. */
static void test_another_checksum_is_another_build(void **state)
{
    (void)state;
    unsigned char id[BRP_BUILD_ID_SIZE], other[BRP_BUILD_ID_SIZE];
    IMAGE_DOS_HEADER dos;
    memcpy(&dos, own_bytes, sizeof dos);
    size_t at = (size_t)dos.e_lfanew + offsetof(IMAGE_NT_HEADERS64, OptionalHeader.CheckSum);
    expect_ok(read_id(own_bytes, own_size, id));
    uint32_t checksum;
    memcpy(&checksum, own_bytes + at, sizeof checksum);
    assert_int_not_equal(checksum, 0);
    own_bytes[at] ^= 1;
    expect_ok(read_id(own_bytes, own_size, other));
    own_bytes[at] ^= 1;
    assert_memory_not_equal(id, other, sizeof id);
}

static void test_cut_files_are_refused_or_known(void **state)
{
    (void)state;
    unsigned char whole[BRP_BUILD_ID_SIZE], cut[BRP_BUILD_ID_SIZE];
    expect_ok(read_id(own_bytes, own_size, whole));
    size_t n_refused = 0;
    for (size_t size = 0; size < 4096; size++) {
        /* An exact copy, so that a checker of memory would notice a read behind its end. */
        unsigned char *copy = bri_alloc(size);
        memcpy(copy, own_bytes, size);
        brood_status status = read_id(copy, size, cut);
        if (status != BROOD_OK) {
            assert_int_equal(status, BROOD_EFORMAT);
            n_refused++;
        }
        bri_free(copy);
    }
    assert_true(n_refused > 200);
}

static void test_changed_headers_do_no_harm(void **state)
{
    (void)state;
    unsigned char id[BRP_BUILD_ID_SIZE];
    static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    for (size_t at = 0; at < 1536; at++) {
        unsigned char kept = own_bytes[at];
        for (size_t i = 0; i < sizeof values; i++) {
            own_bytes[at] = values[i];
            brood_status status = read_id(own_bytes, own_size, id);
            assert_true(status == BROOD_OK || status == BROOD_EFORMAT);
        }
        own_bytes[at] = kept;
    }
}

static void test_random_bytes_do_no_harm(void **state)
{
    (void)state;
    unsigned char id[BRP_BUILD_ID_SIZE], some[512];
    uint32_t random = 12345;
    for (int round = 0; round < 20000; round++) {
        memcpy(some, own_bytes, sizeof some);
        for (int i = 0; i < 8; i++) {
            random = random * 1664525u + 1013904223u;
            some[random >> 23] = (unsigned char)(random >> 8);
        }
        brood_status status = read_id(some, sizeof some, id);
        assert_true(status == BROOD_OK || status == BROOD_EFORMAT);
    }
}

static void test_what_is_no_image_is_refused(void **state)
{
    (void)state;
    unsigned char id[BRP_BUILD_ID_SIZE];
    expect_fails(brp_module_file_build_id("C:\\windows\\win.ini", id), BROOD_EFORMAT);
    expect_message("win.ini");
    expect_fails(brp_module_file_build_id("C:\\no such file.exe", id), BROOD_ENOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_and_image_have_the_same_id),
        cmocka_unit_test(test_another_checksum_is_another_build),
        cmocka_unit_test(test_cut_files_are_refused_or_known),
        cmocka_unit_test(test_changed_headers_do_no_harm),
        cmocka_unit_test(test_random_bytes_do_no_harm),
        cmocka_unit_test(test_what_is_no_image_is_refused),
    };
    return cmocka_run_group_tests(tests, load_own, free_own);
}
