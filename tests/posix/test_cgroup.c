/* test_cgroup.c - posix/cgroup.h on trees of files as kernels and containers show them. */
#include "platform/expect.h"

#include "platform/files.h"

#if defined(__linux__)
#include "posix/cgroup.h"

/* Puts a text into a file below the root; makes the directories. */
static void put(const char *root, const char *path, const char *text)
{
    char *whole = pt_join_path(root, path);
    for (char *at = whole + strlen(root) + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (!pt_is_directory(whole))
            pt_make_plain_directory(whole);
        *at = '/';
    }
    pt_write_file(whole, text, strlen(text));
    bri_free(whole);
}

#define MOUNT_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static char *make_root(void)
{
    char *root = pt_make_directory("cgroup");
    put(root, "proc/meminfo",
        "MemTotal: 8000000 kB\nMemAvailable:  4000000 kB\nSwapFree: 1000 kB\n");
    return root;
}

static void drop_root(char *root)
{
    pt_remove_tree(root);
    bri_free(root);
}

static void test_without_control_groups_there_is_no_limit(void **state)
{
    (void)state;
    char *root = make_root();
    int cpus = brp_cgroup_cpus(root);
    uint64_t memory = brp_memory_left(root, UINT64_MAX);
    uint64_t unknown = brp_memory_left(BROOD_TEST_BINDIR "/no such root", UINT64_MAX);
    drop_root(root);
    assert_int_equal(cpus, 0);
    assert_true(memory == UINT64_C(4001000) * 1024);
    assert_true(unknown == UINT64_MAX);
}

static void test_the_tightest_quota_on_the_way_up_counts_in_v2(void **state)
{
    (void)state;
    char *root = make_root();
    put(root, "proc/self/cgroup", "0::/a/b/c\n");
    put(root, "proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" MOUNT_V2);
    put(root, "sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    int without = brp_cgroup_cpus(root);
    put(root, "sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    int above = brp_cgroup_cpus(root);
    put(root, "sys/fs/cgroup/a/b/cpu.max", "20000 100000\n");
    int between = brp_cgroup_cpus(root);
    drop_root(root);
    assert_int_equal(without, 0);
    assert_int_equal(above, 3);
    assert_int_equal(between, 1);
}

static void test_a_quota_is_rounded_up_in_v1(void **state)
{
    (void)state;
    char *root = make_root();
    put(root, "proc/self/cgroup", "4:memory:/m\n2:cpu,cpuacct:/x\n1:name=systemd:/\n");
    put(root, "proc/self/mountinfo",
        "25 23 0:22 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
        "29 23 0:25 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    int without = brp_cgroup_cpus(root);
    put(root, "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "150001\n");
    int with = brp_cgroup_cpus(root);
    drop_root(root);
    assert_int_equal(without, 0);
    assert_int_equal(with, 2);
}

static void test_a_container_sees_its_own_group_at_the_mount_point(void **state)
{
    (void)state;
    char *root = make_root();
    put(root, "proc/self/cgroup", "2:cpu:/docker/abc\n");
    put(root, "proc/self/mountinfo",
        "29 23 0:25 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    put(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
    put(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    int cpus = brp_cgroup_cpus(root);
    drop_root(root);
    assert_int_equal(cpus, 4);
}

static void test_memory_of_files_counts_as_free(void **state)
{
    (void)state;
    char *root = make_root();
    put(root, "proc/self/cgroup", "0::/a\n");
    put(root, "proc/self/mountinfo", MOUNT_V2);
    put(root, "sys/fs/cgroup/a/memory.max", "1000000000\n");
    put(root, "sys/fs/cgroup/a/memory.current", "900000000\n");
    put(root, "sys/fs/cgroup/a/memory.stat",
        "anon 500000000\ninactive_anon 77\nactive_anon 78\ninactive_file 300000000\n"
        "active_file 50000000\n");
    uint64_t left = brp_memory_left(root, UINT64_MAX);
    uint64_t enough = brp_memory_left(root, 100000000);
    put(root, "sys/fs/cgroup/a/memory.current", "2000000000\n");
    uint64_t none = brp_memory_left(root, UINT64_MAX);
    put(root, "sys/fs/cgroup/a/memory.max", "max\n");
    uint64_t unlimited = brp_memory_left(root, UINT64_MAX);
    drop_root(root);
    assert_true(left == 450000000);
    assert_true(enough == 100000000);
    assert_true(none == 0);
    assert_true(unlimited == UINT64_C(4001000) * 1024);
}

static void test_nonsense_is_no_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "x", ":", "::", "0::", "0::/a", "0::/a\n1:cpu"};
    static const char *const mounts[] = {"", " - ", "a b c d e - cgroup2",
                                         "1 2 3 / /m o - cgroup x",
                                         "1 2 3 / /m o - cgroup x cpu\n\n - - -\n"};
    char *root = make_root();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < sizeof mounts / sizeof mounts[0]; j++) {
            put(root, "proc/self/cgroup", texts[i]);
            put(root, "proc/self/mountinfo", mounts[j]);
            assert_int_equal(brp_cgroup_cpus(root), 0);
            assert_true(brp_memory_left(root, UINT64_MAX) == UINT64_C(4001000) * 1024);
        }
    }
    drop_root(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_without_control_groups_there_is_no_limit),
        pt_test(test_the_tightest_quota_on_the_way_up_counts_in_v2),
        pt_test(test_a_quota_is_rounded_up_in_v1),
        pt_test(test_a_container_sees_its_own_group_at_the_mount_point),
        pt_test(test_memory_of_files_counts_as_free),
        pt_test(test_nonsense_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void test_control_groups(void **state)
{
    (void)state;
    pt_skip_on(PT_SYSTEM, "Linux alone has control groups");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_control_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
