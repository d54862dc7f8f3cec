/*
 * A program whose file is replaced by another one while it runs:
 *
 *     prog_replaced SELF OTHER
 *
 * copies itself to SELF.copy and starts that; the copy moves its own file away, puts OTHER into its
 * place, and starts a child. Linux runs the file that the parent runs, wherever it is now;
 * elsewhere the child is of another build, and the start says so. Ends with 0 when that is what
 * happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

#include "platform/child.h"
#include "platform/spawn.h"

static brood_status exit_with_17(brood_call *call)
{
    (void)call;
    brood_exit(17);
    return BROOD_OK;
}

#ifdef _WIN32
#define KEEPS_ITS_EXECUTABLE 0
static void make_executable(const char *path)
{
    (void)path;
}
#else
#include <sys/stat.h>
#define KEEPS_ITS_EXECUTABLE 1
static void make_executable(const char *path)
{
    chmod(path, 0700);
}
#endif

static int copy_file(const char *from, const char *to)
{
    char buffer[65536];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL)
        return 0;
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        if (fwrite(buffer, 1, n, out) != n)
            return 0;
    fclose(in);
    if (fclose(out) != 0)
        return 0;
    make_executable(to);
    return 1;
}

static int fail(const char *what)
{
    printf("%s: %s\n", what, brood_last_error()->message);
    return 1;
}

/* In the copy. */
static int start_after_replacement(const char *self, const char *other)
{
    brood_process *process;
    char moved[1024];
    int code = -1;
    snprintf(moved, sizeof moved, "%s.moved", self);
    if (rename(self, moved) != 0 || !copy_file(other, self))
        return fail("could not replace the file");
    BROOD_CHECK(brood_process_create(&process, exit_with_17, (brood_value){0}, NULL));
    brood_status status = brood_process_start(process);
    if (KEEPS_ITS_EXECUTABLE) {
        if (status != BROOD_OK)
            return fail("the child did not start");
        BROOD_CHECK(brood_process_join(process, 20000));
        BROOD_CHECK(brood_process_exitcode(process, &code));
        if (code != 17)
            return fail("the child was another");
    } else {
        if (status != BROOD_EVERSION)
            return fail("the other build was not noticed");
        if (strstr(brood_last_error()->message, "of another build") == NULL)
            return fail("another message");
    }
    brood_process_destroy(process);
    return 0;
}

static int run_copy(const char *self, const char *other)
{
    char copy[1024], moved[1100];
    snprintf(copy, sizeof copy, "%s.copy", self);
    snprintf(moved, sizeof moved, "%s.moved", copy);
#ifdef _WIN32
    snprintf(copy, sizeof copy, "%s.copy.exe", self);
    snprintf(moved, sizeof moved, "%s.moved", copy);
#endif
    if (!copy_file(self, copy))
        return fail("could not copy myself");
    const char *arguments[] = {copy, "replace", copy, other, NULL};
    brp_child child;
    brp_child_init(&child);
    brp_spawn_options options = {.path = copy, .arguments = arguments};
    brood_status status = brp_spawn(&child, &options);
    if (status == BROOD_OK)
        status = brp_child_let_go(&child);
    if (status == BROOD_OK)
        status = brp_child_wait(&child, BRI_NEVER);
    int code = status == BROOD_OK ? child.code : fail("could not run the copy");
    brp_child_close(&child);
    remove(copy);
    remove(moved);
    return code;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc == 4 && strcmp(argv[1], "replace") == 0)
        return start_after_replacement(argv[2], argv[3]);
    if (argc != 3)
        return 2;
    return run_copy(argv[1], argv[2]);
}
