/*
 * prog_shareable_list.c - makes, reads and writes lists in named memory; the other end is
 * test_shareable_list.py.
 *
 *     prog_shareable_list make|read|write NAME
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

static void make(const char *name)
{
    brood_shareable_list *list;
    BROOD_CHECK(brood_shareable_list_create(
        &list, name, brood_pack("[ifbsyn]", 1, 2.5, false, "brood", "abc", (size_t)3),
        BROOD_LIFETIME_PERSISTENT));
    brood_shareable_list_close(list);
}

static void show(brood_shareable_list *list)
{
    for (size_t i = 0; i < brood_shareable_list_length(list); i++) {
        brood_value item;
        BROOD_CHECK(brood_shareable_list_get(list, i, &item));
        BROOD_CHECK(brood_value_print(&item, stdout));
        brood_value_clear(&item);
    }
}

static void change(brood_shareable_list *list)
{
    BROOD_CHECK(brood_shareable_list_set(list, 0, brood_str("brood")));
    BROOD_CHECK(brood_shareable_list_set(list, 3, brood_none()));
    BROOD_CHECK(brood_shareable_list_set(list, 4, brood_bytes("BROOD", 5)));
    BROOD_CHECK(brood_shareable_list_set(list, 5, brood_int(12)));
}

int main(int argc, char **argv)
{
    brood_shareable_list *list;
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "make") == 0) {
        make(argv[2]);
        return 0;
    }
    BROOD_CHECK(brood_shareable_list_open(&list, argv[2]));
    if (strcmp(argv[1], "read") == 0)
        show(list);
    else
        change(list);
    brood_shareable_list_close(list);
    return 0;
}
