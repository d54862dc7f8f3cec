/* Works with little address space (ulimit -v): what does not fit is an error with sizes, and the
 * rest goes on. Prints what the errors say. */
#include <stdio.h>
#include <stdlib.h>

#include <brood/brood.h>

enum { PIECE = 20 << 20 };

#define EXPECT(condition)                                           \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            exit(1);                                                \
        }                                                           \
    } while (0)

static brood_status fill_child(brood_call *call)
{
    const brood_value *value;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_queue(value, &queue));
    return brood_queue_put(queue, brood_int(5), 0);
}

static void fill_queue(brood_queue *queue)
{
    void *bytes = calloc(1, PIECE), *data;
    size_t size;
    int n = 0;
    brood_status status = BROOD_OK;
    EXPECT(bytes != NULL);
    while (n < 1000 && (status = brood_queue_put_bytes(queue, bytes, PIECE, 0)) == BROOD_OK)
        n++;
    EXPECT(status == BROOD_ENOMEM && n > 0);
    printf("%s\n", brood_last_error()->message);
    EXPECT(brood_queue_size(queue) == (size_t)n);
    free(bytes);
    for (int i = 0; i < n; i++) {
        EXPECT(brood_queue_get_bytes(queue, &data, &size, 0) == BROOD_OK && size == PIECE);
        brood_free(data);
    }
}

int main(int argc, char **argv)
{
    brood_queue *queue;
    brood_array *array;
    brood_process *child;
    brood_value value;
    BROOD_CHECK(brood_init(&argc, &argv));
    BROOD_CHECK(brood_queue_create(&queue, &(brood_queue_options){.memory_limit = SIZE_MAX}));
    EXPECT(brood_array_create(&array, "d", (size_t)1 << 30, NULL) == BROOD_ENOMEM);
    printf("%s\n", brood_last_error()->message);
    BROOD_CHECK(brood_array_create(&array, "d", 100000, NULL));
    fill_queue(queue);
    /* A child has the same limit. */
    BROOD_CHECK(brood_process_create(&child, fill_child,
                                     brood_pack("(v)", brood_queue_value(queue)), NULL));
    BROOD_CHECK(brood_process_start(child));
    BROOD_CHECK(brood_queue_get(queue, &value, 10000));
    BROOD_CHECK(brood_process_join(child, 10000));
    brood_process_destroy(child);
    brood_array_destroy(array);
    brood_queue_destroy(queue);
    return 0;
}
