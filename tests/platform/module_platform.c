/* module_platform.c - a module that tests of src/platform open at run time. */

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT int pt_module_double(int value);

static int doubled;

int pt_module_double(int value)
{
    doubled = value;
    return doubled * 2;
}
