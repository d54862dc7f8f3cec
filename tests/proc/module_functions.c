/* A loadable module with functions for children. It knows nothing of brood but the form of a
 * function: what it does shows in the exit code. */
#include <stdlib.h>

#include <brood/function.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT brood_status module_exit_with_33(brood_call *call);
EXPORT brood_status module_fail(brood_call *call);

brood_status module_exit_with_33(brood_call *call)
{
    (void)call;
    exit(33);
}

brood_status module_fail(brood_call *call)
{
    (void)call;
    return BROOD_ERANGE;
}
