/* manager/type_set.c - a set; Python's SyncManager has none, a program may register it as an auto
 * proxy. */
#include "base/error.h"
#include "manager/sequence.h"

static brood_status take(bri_invocation *call, const brood_value **item)
{
    static const char *const names[] = {"item"};
    return bri_take_arguments(call, names, 1, 1, item);
}

/* A new set of what all arguments give. */
static brood_status collect(bri_invocation *call, brood_value *set)
{
    *set = brood_set();
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < brood_value_length(&call->args) && status == BROOD_OK; i++) {
        brood_value list, item;
        status = bri_list_of(call, brood_item(&call->args, i), &list);
        if (status != BROOD_OK)
            break;
        for (size_t j = 0; j < brood_value_length(&list) && status == BROOD_OK; j++) {
            status = bri_check_key(call, brood_item(&list, j));
            if (status == BROOD_OK)
                status = brood_take_item(&list, j, &item);
            if (status == BROOD_OK)
                status = brood_set_add(set, item);
        }
        brood_value_clear(&list);
    }
    if (status != BROOD_OK)
        brood_value_clear(set);
    return status;
}

static brood_status create_set(bri_invocation *call, void **state)
{
    brood_value set;
    size_t n = brood_value_length(&call->args);
    if (n > 1)
        return bri_raise(call, "TypeError", "set expected at most 1 argument, got %zu", n);
    BROOD_TRY(collect(call, &set));
    return bri_content_create(set, state);
}

/* ---- one item ---- */

static brood_status set_add(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, &item));
    BROOD_TRY(bri_check_key(call, item));
    return bri_in_set_add(call, call->target, bri_move_argument(item));
}

static brood_status set_discard(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, &item));
    BROOD_TRY(bri_check_key(call, item));
    bri_in_take(call, call->target, item, NULL);
    return BROOD_OK;
}

static brood_status set_remove(bri_invocation *call)
{
    const brood_value *item;
    brood_value copy;
    BROOD_TRY(take(call, &item));
    BROOD_TRY(bri_check_key(call, item));
    if (bri_in_take(call, call->target, item, NULL))
        return BROOD_OK;
    BROOD_TRY(brood_value_copy(item, &copy));
    return bri_raise_value(call, brood_error_from("KeyError", brood_pack("(v)", copy)));
}

static brood_status set_contains(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, &item));
    BROOD_TRY(bri_check_key(call, item));
    return bri_return(call, brood_bool(brood_set_has(call->target, item)));
}

static brood_status set_pop(bri_invocation *call)
{
    brood_value item;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    if (!bri_in_take_last(call, call->target, &item, NULL))
        return bri_raise(call, "KeyError", "pop from an empty set");
    return bri_return(call, item);
}

/* ---- whole sets ---- */

static brood_status set_len(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_int((int64_t)brood_value_length(call->target)));
}

static brood_status set_clear(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_in_replace(call, call->target, brood_set());
}

static brood_status set_copy(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return_copy(call, call->target);
}

/* Adds copies of those of `from` that are (or are not) in `filter`. */
static brood_status add_those(brood_value *to, const brood_value *from, const brood_value *filter,
                              bool wanted)
{
    const brood_value *item;
    for (size_t at = 0; brood_set_next(from, &at, &item);) {
        brood_value copy;
        if (filter != NULL && brood_set_has(filter, item) != wanted)
            continue;
        BROOD_TRY(brood_value_copy(item, &copy));
        BROOD_TRY(brood_set_add(to, copy));
    }
    return BROOD_OK;
}

typedef enum operation { UNION, INTERSECTION, DIFFERENCE, SYMMETRIC } operation;

static brood_status combine(bri_invocation *call, operation what, brood_value *made)
{
    const brood_value *own = call->target;
    brood_value other;
    BROOD_TRY(collect(call, &other));
    *made = brood_set();
    brood_status status = BROOD_OK;
    if (what == UNION)
        status = add_those(made, own, NULL, true);
    else
        status = add_those(made, own, &other, what == INTERSECTION);
    if (status == BROOD_OK && what == UNION)
        status = add_those(made, &other, NULL, true);
    if (status == BROOD_OK && what == SYMMETRIC)
        status = add_those(made, &other, own, false);
    brood_value_clear(&other);
    if (status != BROOD_OK)
        brood_value_clear(made);
    return status;
}

static brood_status combined(bri_invocation *call, operation what, bool in_place)
{
    brood_value made;
    BROOD_TRY(combine(call, what, &made));
    return in_place ? bri_in_replace(call, call->target, made) : bri_return(call, made);
}

static brood_status set_union(bri_invocation *call)
{
    return combined(call, UNION, false);
}

static brood_status set_intersection(bri_invocation *call)
{
    return combined(call, INTERSECTION, false);
}

static brood_status set_difference(bri_invocation *call)
{
    return combined(call, DIFFERENCE, false);
}

static brood_status set_symmetric_difference(bri_invocation *call)
{
    return combined(call, SYMMETRIC, false);
}

static brood_status set_update(bri_invocation *call)
{
    return combined(call, UNION, true);
}

static brood_status set_intersection_update(bri_invocation *call)
{
    return combined(call, INTERSECTION, true);
}

static brood_status set_difference_update(bri_invocation *call)
{
    return combined(call, DIFFERENCE, true);
}

/* Whether all of `a` are in `b`. */
static bool is_within(const brood_value *a, const brood_value *b)
{
    const brood_value *item;
    for (size_t at = 0; brood_set_next(a, &at, &item);)
        if (!brood_set_has(b, item))
            return false;
    return true;
}

static brood_status set_issubset(bri_invocation *call)
{
    brood_value other;
    BROOD_TRY(collect(call, &other));
    bool answer = is_within(call->target, &other);
    brood_value_clear(&other);
    return bri_return(call, brood_bool(answer));
}

static brood_status set_issuperset(bri_invocation *call)
{
    brood_value other;
    BROOD_TRY(collect(call, &other));
    bool answer = is_within(&other, call->target);
    brood_value_clear(&other);
    return bri_return(call, brood_bool(answer));
}

static const bri_method methods[] = {
    {.name = "__contains__", .run = set_contains},
    {.name = "__len__", .run = set_len},
    {.name = "add", .run = set_add},
    {.name = "clear", .run = set_clear},
    {.name = "copy", .run = set_copy},
    {.name = "difference", .run = set_difference},
    {.name = "difference_update", .run = set_difference_update},
    {.name = "discard", .run = set_discard},
    {.name = "intersection", .run = set_intersection},
    {.name = "intersection_update", .run = set_intersection_update},
    {.name = "issubset", .run = set_issubset},
    {.name = "issuperset", .run = set_issuperset},
    {.name = "pop", .run = set_pop},
    {.name = "remove", .run = set_remove},
    {.name = "symmetric_difference", .run = set_symmetric_difference},
    {.name = "union", .run = set_union},
    {.name = "update", .run = set_update},
};

const bri_managed_type bri_set_type = {
    .typeid = "set",
    .methods = methods,
    .n_methods = sizeof methods / sizeof *methods,
    .create = create_set,
    .destroy = bri_content_destroy,
    .weigh = bri_content_weigh,
    .value = bri_content_copy,
    .content = bri_content_of,
};
