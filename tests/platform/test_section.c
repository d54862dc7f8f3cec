/* test_section.c - platform/section.h: shared memory that grows, and says when it cannot. */
#define _GNU_SOURCE
#include "expect.h"

#include "memory_layout.h"

enum { RESERVE = 64 << 20 };

/* Starts a role with the section and its arguments behind `reserved`. */
static void start_role(pt_process *process, const char *role, const brp_section *section,
                       const uint64_t *numbers, int n)
{
    char texts[8][24];
    const char *arguments[10] = {"memory"};
    snprintf(texts[0], sizeof texts[0], "%" PRIu64, section->reserved);
    arguments[1] = texts[0];
    for (int i = 0; i < n; i++) {
        snprintf(texts[i + 1], sizeof texts[0], "%" PRIu64, numbers[i]);
        arguments[i + 2] = texts[i + 1];
    }
    pt_start_with(process, "memory", role, &section->handle, 1,
                  &(brp_spawn_options){.arguments = arguments});
}

static int run_role(const char *role, const brp_section *section, uint64_t a, uint64_t b,
                    uint64_t c)
{
    pt_process process;
    start_role(&process, role, section, (const uint64_t[]){a, b, c}, 3);
    return pt_join(&process);
}

static void test_new_memory_is_zero_and_is_seen_by_all(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    assert_true(section.reserved >= RESERVE);
    pt_ok(brp_section_commit(&section, 0, 1 << 20));
    size_t used = 0;
    for (size_t i = 0; i < 1 << 20; i++)
        used += section.base[i] != 0;
    memset(section.base, 7, 1 << 20);
    int read = run_role("check", &section, 0, 1 << 20, 7);
    int wrote = run_role("fill", &section, 500, 3000000, 9);
    size_t bad = 0;
    for (size_t i = 500; i < 3000500; i++)
        bad += section.base[i] != 9;
    brp_section_close(&section);
    assert_int_equal(used, 0);
    assert_int_equal(read, 0);
    assert_int_equal(wrote, 0);
    assert_int_equal(bad, 0);
}

static void test_a_reserve_is_rounded_to_pages(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, 100000, 1));
    assert_true(section.reserved >= 100000);
    assert_int_equal(section.reserved % 4096, 0);
    pt_ok(brp_section_commit(&section, 0, section.reserved));
    memset(section.base, 1, (size_t)section.reserved);
    brp_section_close(&section);
    brp_section_close(&section);
    assert_int_equal(brp_section_create(&section, 0, 0), BROOD_EINVALID);
    assert_int_equal(brp_section_create(&section, 1 << 20, 2 << 20), BROOD_EINVALID);
}

static void test_16_gib_can_be_reserved_and_used_at_both_ends(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, UINT64_C(16) << 30, 1 << 20));
    uint64_t last = section.reserved - 4096;
    pt_ok(brp_section_commit(&section, 0, 1));
    pt_ok(brp_section_commit(&section, last, 4096));
    section.base[0] = 1;
    section.base[section.reserved - 1] = 2;
    int first = run_role("check", &section, 0, 1, 1);
    int end = run_role("check", &section, section.reserved - 1, 1, 2);
    uint64_t reserved = section.reserved;
    brp_section_close(&section);
    assert_int_equal(first, 0);
    assert_int_equal(end, 0);
    assert_true(reserved <= UINT64_C(16) << 30);
}

static void test_several_processes_grow_it_at_once(void **state)
{
    enum { N = 4 };
    (void)state;
    brp_section section;
    pt_process children[N];
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    for (uint64_t i = 0; i < N; i++)
        start_role(&children[i], "grow", &section, (const uint64_t[]){i, N}, 2);
    int bad = 0;
    for (int i = 0; i < N; i++)
        bad += pt_join(&children[i]) != 0;
    for (size_t i = 0; i < N * 60; i++)
        for (size_t j = 0; j < 40000; j++)
            bad += section.base[i * 40000 + j] != i % N + 1;
    brp_section_close(&section);
    assert_int_equal(bad, 0);
}

static void test_committing_again_keeps_the_content(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    pt_ok(brp_section_commit(&section, 10000, 2 << 20));
    memset(section.base + 10000, 5, 2 << 20);
    pt_ok(brp_section_commit(&section, 0, 4 << 20));
    size_t bad = 0;
    for (size_t i = 0; i < 2 << 20; i++)
        bad += section.base[10000 + i] != 5;
    brp_section_close(&section);
    assert_int_equal(bad, 0);
}

static void test_outside_of_the_reserve_nothing_can_be_committed(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    pt_fails(brp_section_commit(&section, 0, section.reserved + 1), BROOD_ERANGE);
    pt_fails(brp_section_commit(&section, section.reserved, 1), BROOD_ERANGE);
    pt_fails(brp_section_commit(&section, UINT64_MAX, 2), BROOD_ERANGE);
    pt_fails(brp_section_commit(&section, 4096, UINT64_MAX), BROOD_ERANGE);
    pt_ok(brp_section_commit(&section, section.reserved, 0));
    brp_section_close(&section);
}

static void test_what_was_discarded_can_be_committed_and_used_again(void **state)
{
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    pt_ok(brp_section_commit(&section, 0, 8 << 20));
    memset(section.base, 3, 8 << 20);
    /* Only whole pages inside the range may go. */
    brp_section_discard(&section, (1 << 20) + 1, (4 << 20) - 2);
    brp_section_discard(&section, 1, 100);
    size_t kept = 0;
    for (size_t i = 0; i <= 1 << 20; i++)
        kept += section.base[i] == 3;
    for (size_t i = (5 << 20) - 1; i < 8 << 20; i++)
        kept += section.base[i] == 3;
    pt_ok(brp_section_commit(&section, 1 << 20, 4 << 20));
    memset(section.base + (1 << 20), 4, 4 << 20);
    int seen = run_role("check", &section, 1 << 20, 4 << 20, 4);
    brp_section_close(&section);
    assert_int_equal(kept, (1 << 20) + 1 + (3 << 20) + 1);
    assert_int_equal(seen, 0);
}

static void test_a_kill_in_the_middle_of_a_commit_harms_nothing(void **state)
{
    enum { ROUNDS = 12 };
    (void)state;
    brp_section section;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    for (int i = 0; i < ROUNDS; i++) {
        pt_process child;
        start_role(&child, "commit_for_ever", &section, NULL, 0);
        assert_true(pt_await_byte(child.report, PT_HANG_MS));
        pt_fails(brp_child_wait(&child.child, pt_in(i)), BROOD_ETIMEDOUT);
        pt_ok(brp_child_signal(&child.child, BRP_KILL));
        pt_join(&child);
        pt_ok(brp_section_commit(&section, 0, 4 << 20));
        memset(section.base, i, 4 << 20);
    }
    int seen = run_role("check", &section, 0, 4 << 20, ROUNDS - 1);
    brp_section_close(&section);
    assert_int_equal(seen, 0);
}

static void test_no_name_is_left_and_a_bad_handle_is_refused(void **state)
{
    (void)state;
    brp_section section;
    brp_handle stream[2];
    pt_ok(brp_stream_pair(stream));
    assert_int_not_equal(brp_section_open(&section, stream[0], 1 << 20), BROOD_OK);
    pt_message_has("could not");
    brp_handle_close(&stream[1]);
}

static void test_the_reserve_is_halved_until_it_fits(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "there is no limit of addresses to set");
    if (PT_SANITIZED)
        pt_skip_on("a sanitizer", "it needs more addresses than the limit of this test");
    pt_process child;
    pt_start(&child, "memory", "reserve_under_limit", NULL, 0);
    char *report = pt_report(&child);
    uint64_t reserved = strtoull(report, NULL, 10);
    assert_true(reserved == UINT64_C(512) << 20 || reserved == UINT64_C(256) << 20);
    assert_non_null(strstr(report, "8589934592")); /* the least that was asked for */
    bri_free(report);
}

static void test_a_commit_beyond_a_limit_fails_with_sizes(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "there is no limit of file sizes to set");
    brp_section section;
    pt_process child;
    pt_ok(brp_section_create(&section, RESERVE, RESERVE));
    pt_ok(brp_section_commit(&section, 0, 8 << 20));
    start_role(&child, "commit_under_limit", &section, NULL, 0);
    char *report = pt_report(&child);
    brp_section_close(&section);
    assert_non_null(strstr(report, "4194304")); /* asked for */
    assert_non_null(strstr(report, "1048576")); /* allowed */
    bri_free(report);
}

static void test_more_than_the_machine_has_fails_with_sizes(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "Wine commits whatever it is asked for");
    brp_section section;
    const uint64_t huge = UINT64_C(16) << 40;
    if (brp_section_create(&section, huge, huge) != BROOD_OK)
        pt_skip_on(PT_SYSTEM, "16 TiB of addresses cannot be reserved");
    brood_status status = brp_section_commit(&section, 0, huge);
    brp_section_close(&section);
    assert_int_equal(status, BROOD_ENOMEM);
    pt_message_has("17592186044416");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_new_memory_is_zero_and_is_seen_by_all),
        pt_test(test_a_reserve_is_rounded_to_pages),
        pt_test(test_16_gib_can_be_reserved_and_used_at_both_ends),
        pt_test(test_several_processes_grow_it_at_once),
        pt_test(test_committing_again_keeps_the_content),
        pt_test(test_outside_of_the_reserve_nothing_can_be_committed),
        pt_test(test_what_was_discarded_can_be_committed_and_used_again),
        pt_test(test_a_kill_in_the_middle_of_a_commit_harms_nothing),
        pt_test(test_no_name_is_left_and_a_bad_handle_is_refused),
        pt_test(test_the_reserve_is_halved_until_it_fits),
        pt_test(test_a_commit_beyond_a_limit_fails_with_sizes),
        pt_test(test_more_than_the_machine_has_fails_with_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
