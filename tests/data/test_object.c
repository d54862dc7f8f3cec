/* test_object.c - values that hold something living, and how they travel. */
#include "support.h"

#include "base/error.h"
#include "data/object.h"
#include "data/pickle.h"

/* A thing with a number, counted. */
typedef struct thing {
    int references;
    int64_t number;
} thing;

static thing things[8];
static bool retaining_fails;

static brood_status retain_thing(void *object)
{
    if (retaining_fails)
        return bri_fail(BROOD_ECLOSED, "could not retain a thing: it is closed");
    ((thing *)object)->references++;
    return BROOD_OK;
}

static void release_thing(void *object)
{
    ((thing *)object)->references--;
}

static brood_status reduce_thing(void *object, bri_transfer *transfer, brood_value *arguments)
{
    assert_non_null(transfer);
    *arguments = brood_pack("(l)", ((thing *)object)->number);
    return arguments->kind == BROOD_TUPLE ? BROOD_OK : brood_last_error()->status;
}

static brood_status rebuild_thing(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    int64_t number = 0;
    assert_non_null(transfer);
    BROOD_TRY(brood_unpack_items(arguments, "i*", &number));
    if (number < 0 || number >= 8)
        return bri_fail(BROOD_ERANGE, "could not rebuild a thing");
    things[number].references++;
    *object = &things[number];
    return BROOD_OK;
}

static const bri_object_class thing_class = {"Thing",      retain_thing,  release_thing,
                                             reduce_thing, rebuild_thing, NULL};
static const bri_object_class other_class = {"Other",      retain_thing,  release_thing,
                                             reduce_thing, rebuild_thing, NULL};

static const bri_object_class *find_class(const char *name)
{
    return strcmp(name, "Thing") == 0 ? &thing_class : NULL;
}

static int transfer_mark;

static bri_pickle_options travelling(void)
{
    return (bri_pickle_options){.transfer = (bri_transfer *)(void *)&transfer_mark,
                                .find_class = find_class};
}

static void reset(void)
{
    for (int i = 0; i < 8; i++)
        things[i] = (thing){.number = i};
    retaining_fails = false;
}

static void test_an_object_is_retained_and_released(void **state)
{
    (void)state;
    reset();
    brood_value v = bri_object_value(&thing_class, &things[3]);
    assert_int_equal(things[3].references, 1);
    brood_value copy;
    dt_ok(brood_value_copy(&v, &copy));
    assert_true(brood_value_equal(&v, &copy));
    brood_value_clear(&v);
    assert_int_equal(things[3].references, 1);
    void *object = NULL;
    dt_ok(bri_object_get(&copy, &thing_class, &object));
    assert_ptr_equal(object, &things[3]);
    assert_string_equal(brood_object_name(&copy), "Thing");
    dt_repr_is(&copy, "<brood Thing>");
    dt_fails(bri_object_get(&copy, &other_class, &object), BROOD_ETYPE);
    dt_message("could not read a Other: the value is of kind \"Thing\"");
    brood_value_clear(&copy);
    assert_int_equal(things[3].references, 0);
    dt_fails(bri_object_get(&copy, &thing_class, &object), BROOD_EINVALID);
    copy = brood_int(1);
    dt_fails(bri_object_get(&copy, &thing_class, &object), BROOD_ETYPE);
    assert_string_equal(brood_object_name(&copy), "");
}

static void test_a_failed_retain_leaves_nothing(void **state)
{
    (void)state;
    reset();
    retaining_fails = true;
    dt_invalid(bri_object_value(&thing_class, &things[1]), BROOD_ECLOSED);
    retaining_fails = false;
    bri_memory_fail_at(1, 1);
    dt_invalid(bri_object_value(&thing_class, &things[1]), BROOD_ENOMEM);
    bri_memory_fail_at(0, 0);
    assert_int_equal(things[1].references, 0);
}

static void test_an_object_is_a_key(void **state)
{
    (void)state;
    reset();
    brood_value set = brood_set();
    dt_ok(brood_set_add(&set, bri_object_value(&thing_class, &things[1])));
    dt_ok(brood_set_add(&set, bri_object_value(&thing_class, &things[1])));
    dt_ok(brood_set_add(&set, bri_object_value(&thing_class, &things[2])));
    assert_int_equal(brood_value_length(&set), 2);
    brood_value_clear(&set);
    assert_int_equal(things[1].references + things[2].references, 0);
}

static void test_objects_travel_with_a_transfer(void **state)
{
    (void)state;
    reset();
    bri_pickle_options options = travelling();
    brood_value v = brood_pack("[v{s:v}]", bri_object_value(&thing_class, &things[4]), "k",
                               bri_object_value(&thing_class, &things[5]));
    bri_buffer out = {0};
    brood_value back;
    dt_ok(bri_pickle_write(&v, &options, &out));
    dt_ok(bri_pickle_read(out.data, out.length, &options, &back, NULL));
    assert_true(brood_value_equal(&v, &back));
    assert_int_equal(things[4].references, 2);
    brood_value_clear(&back);
    brood_value_clear(&v);
    assert_int_equal(things[4].references + things[5].references, 0);
    /* Nowhere else. */
    dt_fails(brood_pickle_loads(out.data, out.length, NULL, &back), BROOD_ENOTSUP);
    dt_message("could not read a pickle: there is no place for a brood Thing here");
    bri_buffer_reset(&out);
    v = bri_object_value(&thing_class, &things[4]);
    dt_fails(bri_pickle_write(&v, NULL, &out), BROOD_ENOTSUP);
    assert_int_equal(out.length, 0);
    brood_value_clear(&v);
    bri_buffer_fini(&out);
}

static void read_text(const char *pickle, brood_status expected)
{
    bri_pickle_options options = travelling();
    brood_value v;
    brood_status status = bri_pickle_read(pickle, strlen(pickle), &options, &v, NULL);
    assert_string_equal(brood_status_name(status), brood_status_name(expected));
    if (status == BROOD_OK)
        brood_value_clear(&v);
}

static void test_a_class_checks_its_arguments(void **state)
{
    (void)state;
    reset();
    read_text("cbrood\nThing\n(I4\ntR.", BROOD_OK);
    read_text("cbrood\nThing\n(I4\nlR.", BROOD_EFORMAT);
    read_text("cbrood\nThing\n(I40\ntR.", BROOD_ERANGE);
    read_text("cbrood\nThing\n(S'x'\ntR.", BROOD_ETYPE);
    read_text("cbrood\nNothing\n(I4\ntR.", BROOD_ENOTSUP);
    read_text("cbrood\nThing\n.", BROOD_ENOTSUP);                         /* not called */
    read_text("cbrood\nThing\n(I4\ntR}b.", BROOD_EFORMAT);                /* given a state */
    read_text("cmine\nThing\n(cbrood\nThing\n(I4\ntRtR.", BROOD_ENOTSUP); /* in a foreign object */
    read_text("cmine\nThing\n(cbrood\nThing\ntR.", BROOD_ENOTSUP);
    read_text("(cbrood\nThing\np0\n(I4\ntRp1\ng1\ng0\n(I5\ntRl.",
              BROOD_OK); /* twice the same, and another */
    /* Its arguments may hold references and opaques. */
    read_text("cbrood\nThing\n(I4\n(lp0\ng0\ncmine\nType\ntR.", BROOD_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(things[i].references, 0);
}

dt_main(dt_test(test_an_object_is_retained_and_released),
        dt_test(test_a_failed_retain_leaves_nothing), dt_test(test_an_object_is_a_key),
        dt_test(test_objects_travel_with_a_transfer), dt_test(test_a_class_checks_its_arguments))
