/*
 * values_arrays.c - shared values and arrays of every type code, and of structs: a child changes
 * them, the parent sees it.
 *
 * Python: multiprocessing.Value and Array.
 */
#include <string.h>

#include "check.h"

static const char *const codes[] = {"c", "u", "b", "B", "h", "H", "i",
                                    "I", "l", "L", "q", "Q", "f", "d"};
enum { N_CODES = sizeof codes / sizeof *codes };

typedef struct point {
    double x, y;
} point;

/* What an item of that type becomes; 0: before, 1: after. */
static brood_value sample(const char *code, int which)
{
    switch (code[0]) {
    case 'c':
        return brood_bytes(which == 0 ? "a" : "b", 1);
    case 'u':
        return brood_str(which == 0 ? "\xc3\xa4" : "\xe2\x82\xac");
    case 'f':
    case 'd':
        return brood_float(which == 0 ? 666.5 : 888.5);
    case 'b':
    case 'B':
        return brood_int(which == 0 ? 66 : 88);
    default:
        return brood_int(which == 0 ? 666 : 888);
    }
}

static bool holds(brood_array *array, size_t position, int which)
{
    brood_value item, wanted = sample(brood_array_type(array), which);
    BROOD_CHECK(brood_array_get(array, position, &item));
    bool equal = brood_value_equal(&item, &wanted);
    brood_value_clear(&item);
    brood_value_clear(&wanted);
    return equal;
}

/* change(array): all its items. */
static brood_status change(brood_call *call)
{
    const brood_value *value;
    brood_array *array;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_array(value, &array));
    if (strcmp(brood_array_type(array), "") == 0) {
        point *points = brood_array_data(array);
        BROOD_TRY(brood_array_acquire(array, BROOD_FOREVER));
        for (size_t i = 0; i < brood_array_length(array); i++)
            points[i].y = points[i].x * points[i].x;
        return brood_array_release(array);
    }
    for (size_t i = 0; i < brood_array_length(array); i++) {
        EXPECT(holds(array, i, 0));
        BROOD_TRY(brood_array_set(array, i, sample(brood_array_type(array), 1)));
    }
    return BROOD_OK;
}

static void change_in_child(brood_array *array)
{
    brood_process *child;
    int code;
    BROOD_CHECK(
        brood_process_create(&child, change, brood_pack("(v)", brood_array_value(array)), NULL));
    BROOD_CHECK(brood_process_start(child));
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(child, &code));
    EXPECT(code == 0);
    brood_process_destroy(child);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_array *array;
    for (int i = 0; i < N_CODES; i++) {
        size_t n = i % 2 == 0 ? 1 : 5; /* a value, or an array */
        BROOD_CHECK(brood_array_create(&array, codes[i], n, NULL));
        for (size_t j = 0; j < n; j++)
            BROOD_CHECK(brood_array_set(array, j, sample(codes[i], 0)));
        change_in_child(array);
        for (size_t j = 0; j < n; j++)
            EXPECT(holds(array, j, 1));
        printf("\"%s\": changed\n", codes[i]);
        brood_array_destroy(array);
    }
    BROOD_CHECK(brood_array_create_of(&array, sizeof(point), 3, NULL));
    point *points = brood_array_data(array);
    for (int i = 0; i < 3; i++)
        points[i].x = i;
    change_in_child(array);
    for (int i = 0; i < 3; i++)
        EXPECT(points[i].y == i * i);
    puts("structs: changed");
    brood_array_destroy(array);
    return 0;
}
