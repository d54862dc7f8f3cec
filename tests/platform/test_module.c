/* test_module.c - platform/module.h: functions that are found again in another process. */
#define _GNU_SOURCE
#include "expect.h"

#include "files.h"
#include "platform/module.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

typedef int (*int_function)(int);

static int own_function(int value)
{
    return value * 3;
}

static void *address_of(int_function function)
{
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

static int_function function_at(void *address)
{
    int_function function;
    memcpy(&function, &address, sizeof function);
    return function;
}

/* Opens a module as a program does, and gives its function. */
static void *open_module(const char *path)
{
#ifdef _WIN32
    wchar_t wide[1024];
    MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 1024);
    HMODULE module = LoadLibraryW(wide);
    assert_non_null(module);
    void *address = (void *)(intptr_t)GetProcAddress(module, "pt_module_double");
#else
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    void *address = dlsym(module, "pt_module_double");
#endif
    assert_non_null(address);
    return address;
}

static const char *module_path(void)
{
    return BROOD_TEST_BINDIR "/module_platform" PT_MODULE;
}

static char *format_id(const unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    static char text[2 * BRP_BUILD_ID_SIZE + 1];
    for (size_t i = 0; i < BRP_BUILD_ID_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", build_id[i]);
    return text;
}

/* Lets another process find the function and call it with 41. */
static int call_elsewhere(const char *path, uint64_t offset, const char *build_id)
{
    pt_process child;
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, offset);
    pt_start_arguments(&child, "channel", "call", (const char *[]){path, text, build_id, NULL});
    return pt_join(&child);
}

static bool is_empty_id(const unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    static const unsigned char zeros[BRP_BUILD_ID_SIZE];
    return memcmp(build_id, zeros, sizeof zeros) == 0;
}

static void test_an_own_function_is_found_by_its_offset(void **state)
{
    (void)state;
    brp_module module;
    void *address = NULL;
    pt_ok(brp_module_of_address(address_of(own_function), &module));
    assert_string_equal(module.path, "");
    assert_true(module.offset > 0 && module.offset < module.size);
    assert_false(is_empty_id(module.build_id));
    pt_ok(brp_module_address(module.path, module.offset, module.build_id, &address));
    bri_free(module.path);
    assert_ptr_equal(address, address_of(own_function));
    assert_int_equal(function_at(address)(14), 42);
}

static void test_another_process_of_the_program_finds_the_same_function(void **state)
{
    (void)state;
    pt_process child;
    uint64_t offset = 0;
    char build_id[2 * BRP_BUILD_ID_SIZE + 1] = "";
    pt_start(&child, "channel", "tell", NULL, 0);
    char *report = pt_report(&child);
    int fields = sscanf(report, "%" SCNu64 " %64s", &offset, build_id);
    bri_free(report);
    assert_int_equal(fields, 2);
    assert_int_equal(call_elsewhere("", offset, build_id), 42);
}

static void test_a_module_opened_at_run_time_is_opened_in_another_process_too(void **state)
{
    (void)state;
    brp_module module;
    void *address = NULL, *known = open_module(module_path());
    pt_ok(brp_module_of_address(known, &module));
    bool absolute = PT_IS_WINDOWS ? module.path[1] == ':' : module.path[0] == '/';
    brood_status status = brp_module_address(module.path, module.offset, module.build_id, &address);
    int answer = call_elsewhere(module.path, module.offset, format_id(module.build_id));
    bool named = strstr(module.path, "module_platform") != NULL;
    bri_free(module.path);
    pt_ok(status);
    assert_true(absolute);
    assert_true(named);
    assert_ptr_equal(address, known);
    assert_int_equal(answer, 82);
}

static void test_a_function_of_the_system_library_is_found(void **state)
{
    (void)state;
    brp_module module;
    void *address = NULL, *known;
    int (*function)(const char *) = atoi;
    memcpy(&known, &function, sizeof known);
    pt_ok(brp_module_of_address(known, &module));
    brood_status status = brp_module_address(module.path, module.offset, module.build_id, &address);
    bri_free(module.path);
    pt_ok(status);
    assert_ptr_equal(address, known);
}

static void test_what_is_no_code_belongs_to_no_module(void **state)
{
    (void)state;
    static int data;
    int local = 0;
    brp_module module = {.path = NULL};
    void *heap = bri_alloc(10);
    brood_status of_heap = brp_module_of_address(heap, &module);
    bri_free(heap);
    assert_int_equal(of_heap, BROOD_ENOTFOUND);
    pt_fails(brp_module_of_address(&local, &module), BROOD_ENOTFOUND);
    pt_fails(brp_module_of_address(&data, &module), BROOD_ENOTFOUND);
    pt_fails(brp_module_of_address(NULL, &module), BROOD_ENOTFOUND);
    pt_fails(brp_module_of_address((void *)(intptr_t)-1, &module), BROOD_ENOTFOUND);
    pt_message_has("could not find");
    assert_null(module.path);
}

static void test_another_build_is_refused_before_it_is_opened(void **state)
{
    (void)state;
    brp_module module;
    void *address = NULL;
    pt_ok(brp_module_of_address(address_of(own_function), &module));
    module.build_id[3] ^= 1;
    brood_status own = brp_module_address(module.path, module.offset, module.build_id, &address);
    bri_free(module.path);
    assert_int_equal(own, BROOD_EVERSION);
    unsigned char other[BRP_BUILD_ID_SIZE] = {1};
    char *directory = pt_make_directory("build");
    char *copy = pt_join_path(directory, "copy" PT_MODULE);
    pt_copy_program(module_path(), copy);
    brood_status elsewhere = brp_module_address(copy, 4096, other, &address);
    pt_message_has("copy");
    pt_remove_tree(directory); /* on Windows it could not be removed, were it loaded */
    bri_free(copy);
    bri_free(directory);
    assert_int_equal(elsewhere, BROOD_EVERSION);
    assert_null(address);
}

static void test_offsets_outside_of_the_code_are_refused(void **state)
{
    (void)state;
    brp_module module;
    void *address = NULL;
    pt_ok(brp_module_of_address(address_of(own_function), &module));
    const uint64_t offsets[] = {module.size, module.size + 4096, UINT64_MAX, UINT64_C(1) << 63};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(brp_module_address(module.path, offsets[i], module.build_id, &address),
                         BROOD_ERANGE);
    bri_free(module.path);
    assert_null(address);
}

static void test_a_module_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    unsigned char build_id[BRP_BUILD_ID_SIZE] = {0};
    void *address = NULL;
    const char *path = BROOD_TEST_BINDIR "/no_such_module" PT_MODULE;
    pt_fails(brp_module_address(path, 4096, build_id, &address), BROOD_ENOTFOUND);
    pt_message_has("no_such_module");
    pt_fails(brp_module_file_build_id(path, build_id), BROOD_ENOTFOUND);
    pt_message_has("no_such_module");
}

/* ---- files ---- */

static void test_the_file_of_a_program_has_the_build_id_that_it_has_when_it_runs(void **state)
{
    (void)state;
    unsigned char own[BRP_BUILD_ID_SIZE], on_disk[BRP_BUILD_ID_SIZE];
    char *path = NULL;
    brp_module module;
    pt_ok(brp_module_own_path(&path));
    bool named = strstr(path, "test_platform_module") != NULL;
    pt_ok(brp_module_own_build_id(own));
    pt_ok(brp_module_file_build_id(path, on_disk));
    bri_free(path);
    pt_ok(brp_module_of_address(address_of(own_function), &module));
    bri_free(module.path);
    assert_true(named);
    assert_memory_equal(own, on_disk, BRP_BUILD_ID_SIZE);
    assert_memory_equal(own, module.build_id, BRP_BUILD_ID_SIZE);
    pt_ok(brp_module_file_build_id(module_path(), on_disk));
    assert_true(memcmp(own, on_disk, BRP_BUILD_ID_SIZE) != 0);
    pt_ok(brp_module_of_address(open_module(module_path()), &module));
    bri_free(module.path);
    assert_memory_equal(module.build_id, on_disk, BRP_BUILD_ID_SIZE);
}

static void test_a_module_without_a_build_id_gets_one(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "every program has a time stamp and sizes there");
    char *directory = pt_make_directory("noid");
    char *path = pt_join_path(directory, "noid" PT_MODULE);
    size_t size;
    unsigned char *bytes = pt_read_file(module_path(), &size);
    size_t hidden = 0;
    for (size_t i = 0; i + 16 < size && i < 8192; i++) {
        static const unsigned char note[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
        if (memcmp(bytes + i, note, sizeof note) == 0) {
            bytes[i + 14] = 'X';
            hidden++;
        }
    }
    pt_write_file(path, bytes, size);
    bri_free(bytes);
    unsigned char on_disk[BRP_BUILD_ID_SIZE], with_id[BRP_BUILD_ID_SIZE];
    brp_module module = {.path = NULL};
    void *address = NULL, *known = open_module(path);
    pt_ok(brp_module_file_build_id(path, on_disk));
    pt_ok(brp_module_file_build_id(module_path(), with_id));
    pt_ok(brp_module_of_address(known, &module));
    pt_ok(brp_module_address(module.path, module.offset, on_disk, &address));
    int answer = call_elsewhere(module.path, module.offset, format_id(on_disk));
    bri_free(module.path);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
    assert_true(hidden <= 1); /* a linker that makes none is as well */
    assert_false(is_empty_id(on_disk));
    assert_true(memcmp(on_disk, with_id, BRP_BUILD_ID_SIZE) != 0);
    assert_memory_equal(on_disk, module.build_id, BRP_BUILD_ID_SIZE);
    assert_ptr_equal(address, known);
    assert_int_equal(answer, 82);
}

static void test_what_is_no_program_has_no_build_id(void **state)
{
    (void)state;
    unsigned char build_id[BRP_BUILD_ID_SIZE] = {9};
    assert_int_not_equal(brp_module_file_build_id(BROOD_TEST_BINDIR, build_id), BROOD_OK);
    char *directory = pt_make_directory("text");
    char *path = pt_join_path(directory, "text");
    pt_write_file(path, "", 0);
    brood_status of_empty = brp_module_file_build_id(path, build_id);
    pt_write_file(path, "no program at all, but long enough for a header: ...................", 64);
    brood_status of_text = brp_module_file_build_id(path, build_id);
    pt_message_has(path);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
    assert_int_equal(of_empty, BROOD_EFORMAT);
    assert_int_equal(of_text, BROOD_EFORMAT);
    assert_int_equal(build_id[0], 9);
}

static void test_cut_and_damaged_programs_are_read_without_harm(void **state)
{
    (void)state;
    char *directory = pt_make_directory("damaged");
    char *path = pt_join_path(directory, "damaged");
    size_t size;
    unsigned char *bytes = pt_read_file(module_path(), &size);
    unsigned char build_id[BRP_BUILD_ID_SIZE];
    int refused = 0;
    for (size_t length = 0; length < 1200 && length < size; length += 7) {
        pt_write_file(path, bytes, length);
        refused += brp_module_file_build_id(path, build_id) != BROOD_OK;
    }
    /* Each byte of the headers in turn, as the largest and the smallest and by one bit. */
    const unsigned char changes[] = {0xFF, 0x80, 0x01};
    size_t header = size < 4096 ? size : 4096;
    for (size_t i = 0; i < 900 && i < header; i++) {
        unsigned char old = bytes[i];
        bytes[i] ^= changes[i % 3];
        pt_write_file(path, bytes, header);
        refused += brp_module_file_build_id(path, build_id) != BROOD_OK;
        bytes[i] = old;
    }
    bri_free(bytes);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
    assert_true(refused > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_an_own_function_is_found_by_its_offset),
        pt_test(test_another_process_of_the_program_finds_the_same_function),
        pt_test(test_a_module_opened_at_run_time_is_opened_in_another_process_too),
        pt_test(test_a_function_of_the_system_library_is_found),
        pt_test(test_what_is_no_code_belongs_to_no_module),
        pt_test(test_another_build_is_refused_before_it_is_opened),
        pt_test(test_offsets_outside_of_the_code_are_refused),
        pt_test(test_a_module_that_is_not_there_is_not_found),
        pt_test(test_the_file_of_a_program_has_the_build_id_that_it_has_when_it_runs),
        pt_test(test_a_module_without_a_build_id_gets_one),
        pt_test(test_what_is_no_program_has_no_build_id),
        pt_test(test_cut_and_damaged_programs_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
