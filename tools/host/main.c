/*
 * brood-host - a program for the children of programs whose main() is not ours: plug-ins, scripts'
 * hosts, GUI programs that must not be started twice.
 *
 *     brood_set_executable("brood-host");
 *
 * A child then is this program: it loads the module (shared library) that the function is in, and
 * runs it. Functions of the parent's own executable cannot be reached that way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

static int print_usage(FILE *stream, int code)
{
    fputs("usage: brood-host [--help | --version]\n"
          "\n"
          "Runs functions of loadable modules in processes of their own, for programs that use\n"
          "brood and name this one: brood_set_executable(\"brood-host\"). It is started by them;\n"
          "there is nothing to do with it by hand.\n",
          stream);
    return code;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv)); /* a child runs its function in here */
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("brood-host %s\n", brood_version());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return print_usage(stdout, 0);
    return print_usage(stderr, 2);
}
