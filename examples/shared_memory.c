/*
 * shared_memory.c - a block of memory that another process finds by its name, and a list in such
 * memory.
 *
 * Python: multiprocessing.shared_memory.SharedMemory and ShareableList.
 */
#include <string.h>

#include "check.h"

/* change(name of the block, name of the list) */
static brood_status change(brood_call *call)
{
    const char *block_name, *list_name;
    brood_shared_memory *memory;
    brood_shareable_list *list;
    BROOD_TRY(brood_call_args(call, "ss", &block_name, &list_name));
    BROOD_TRY(brood_shared_memory_open(&memory, block_name));
    EXPECT(strcmp(brood_shared_memory_data(memory), "howdy") == 0);
    strcpy(brood_shared_memory_data(memory), "HOWDY");
    brood_shared_memory_close(memory);

    BROOD_TRY(brood_shareable_list_open(&list, list_name));
    BROOD_TRY(brood_shareable_list_set(list, 0, brood_str("dry ice")));
    BROOD_TRY(brood_shareable_list_set(list, 3, brood_int(27)));
    brood_shareable_list_close(list);
    return BROOD_OK;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_shared_memory *memory, *again;
    brood_shareable_list *list;
    brood_process *child;
    brood_value item;
    int code;
    BROOD_CHECK(brood_shared_memory_create(&memory, NULL, 1000, BROOD_LIFETIME_OWNER));
    strcpy(brood_shared_memory_data(memory), "howdy");
    BROOD_CHECK(brood_shareable_list_create(
        &list, NULL, brood_pack("[sfbi]", "howdy", 273.154, true, 42), BROOD_LIFETIME_OWNER));
    const char *list_name = brood_shared_memory_name(brood_shareable_list_memory(list));

    BROOD_CHECK(brood_process_create(
        &child, change, brood_pack("ss", brood_shared_memory_name(memory), list_name), NULL));
    BROOD_CHECK(brood_process_start(child));
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(child, &code));
    EXPECT(code == 0);
    brood_process_destroy(child);

    EXPECT(strcmp(brood_shared_memory_data(memory), "HOWDY") == 0);
    for (size_t i = 0; i < brood_shareable_list_length(list); i++) {
        BROOD_CHECK(brood_shareable_list_get(list, i, &item));
        BROOD_CHECK(brood_value_print(&item, stdout));
        EXPECT(i != 3 || item.as.integer == 27);
        brood_value_clear(&item);
    }

    /* Unlinked, nobody finds it any more, but who has it keeps it. */
    BROOD_CHECK(brood_shared_memory_unlink(brood_shared_memory_name(memory)));
    EXPECT(brood_shared_memory_open(&again, brood_shared_memory_name(memory)) == BROOD_ENOTFOUND);
    EXPECT(strcmp(brood_shared_memory_data(memory), "HOWDY") == 0);
    brood_shared_memory_close(memory);
    brood_shareable_list_close(list);
    return 0;
}
