/*
 * check.h - what the examples share: a check that ends the program with a message, and the start
 * method that the command line names.
 *
 *     hello_process [spawn|fork|forkserver]
 */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include <brood/brood.h>

/* Ends the program with exit code 1, and says which condition did not hold. */
#define EXPECT(condition)                                                             \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* Makes the start method that the first argument names the default; none leaves it as it is. */
static inline void use_start_method(int argc, char **argv)
{
    brood_start_method method;
    if (argc < 2)
        return;
    BROOD_CHECK(brood_start_method_parse(argv[1], &method));
    BROOD_CHECK(brood_set_start_method(method));
}

#endif /* EXAMPLES_CHECK_H */
