/* manager/types.c - see the header. */
#include "manager/types.h"

#include <string.h>

#include <brood/manager.h>

#include "base/error.h"
#include "base/memory.h"
#include "manager/sequence.h"
#include "proc/call.h"

/* A program's type in the server's form. */
typedef struct own_type {
    bri_managed_type type;
    bri_method methods[]; /* each with its brood_method as `extra` */
} own_type;

static const bri_managed_type *registered[BRI_MOST_TYPES + 1];
static bri_shared_object shared[BRI_MOST_TYPES];

const bri_managed_type *const *bri_registered_types(void)
{
    return registered;
}

const bri_shared_object *bri_shared_at(size_t index)
{
    return index < BRI_MOST_TYPES && shared[index].name != NULL ? &shared[index] : NULL;
}

/* ---- the program's functions as methods ---- */

/* What came of a call, as a call's result. */
static brood_status take_outcome(bri_invocation *call, bri_outcome *outcome)
{
    brood_status status = outcome->failed ? bri_raise_value(call, brood_value_take(&outcome->error))
                                          : bri_return(call, brood_value_take(&outcome->result));
    bri_outcome_clear(outcome);
    return status;
}

static brood_status run_own(bri_invocation *call)
{
    const brood_method *method = call->method->extra;
    bri_outcome outcome;
    if ((method->flags & BROOD_METHOD_SLOW) != 0)
        return bri_run_slow(call);
    brood_value kwds = brood_value_take(&call->kwds);
    bri_call_run_on(method->run, call->state, brood_value_take(&call->args),
                    kwds.kind == BROOD_DICT ? kwds : brood_dict(), &outcome);
    return take_outcome(call, &outcome);
}

static brood_status create_own(bri_invocation *call, void **state)
{
    const brood_manager_type *type = call->type->extra;
    bri_outcome outcome;
    brood_value kwds = brood_value_take(&call->kwds);
    bri_call_make(type->create, brood_value_take(&call->args),
                  kwds.kind == BROOD_DICT ? kwds : brood_dict(), &outcome, state);
    return take_outcome(call, &outcome);
}

void *brood_call_object(brood_call *call)
{
    return call == NULL ? NULL : bri_call_object(call);
}

/* ---- registering ---- */

static brood_status check_type(const brood_manager_type *type)
{
    bool good = type != NULL && type->type_id != NULL && type->type_id[0] != '\0' &&
                type->create != NULL && (type->n_methods == 0 || type->methods != NULL);
    for (size_t i = 0; good && i < type->n_methods; i++)
        good = type->methods[i].name != NULL && type->methods[i].run != NULL &&
               type->methods[i].name[0] != '#';
    return good ? BROOD_OK
                : bri_fail(BROOD_EINVALID, "could not register a type: its name, its constructor "
                                           "or a method is missing");
}

brood_status brood_manager_register(const brood_manager_type *type)
{
    size_t n = 0;
    BROOD_TRY(check_type(type));
    for (; registered[n] != NULL; n++) {
        if (registered[n]->extra == type)
            return BROOD_OK;
        if (strcmp(registered[n]->typeid, type->type_id) == 0)
            return bri_fail(BROOD_EEXIST, "could not register the type \"%s\": there is one",
                            type->type_id);
    }
    if (n == BRI_MOST_TYPES)
        return bri_fail(BROOD_ELIMIT, "could not register the type \"%s\": %d is the most",
                        type->type_id, BRI_MOST_TYPES);
    own_type *made = bri_calloc(1, sizeof *made + type->n_methods * sizeof(bri_method));
    if (made == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < type->n_methods; i++)
        made->methods[i] =
            (bri_method){.name = type->methods[i].name, .run = run_own, .extra = &type->methods[i]};
    made->type = (bri_managed_type){.typeid = type->type_id,
                                    .methods = made->methods,
                                    .n_methods = type->n_methods,
                                    .create = create_own,
                                    .destroy = type->destroy,
                                    .extra = type};
    registered[n] = &made->type;
    return BROOD_OK;
}

static brood_status add_shared(const char *name, const char *typeid, brood_value *args)
{
    size_t n = 0;
    if (name == NULL || name[0] == '\0' || typeid == NULL)
        return bri_fail(BROOD_EINVALID, "could not share an object: it has no name or type");
    BROOD_TRY(bri_value_check(args));
    if (args->kind == BROOD_INVALID)
        *args = brood_tuple(0);
    if (args->kind != BROOD_TUPLE)
        return bri_fail(BROOD_ETYPE,
                        "could not share the object \"%s\": its arguments are no "
                        "tuple",
                        name);
    for (; n < BRI_MOST_TYPES && shared[n].name != NULL; n++)
        if (strcmp(shared[n].name, name) == 0)
            return bri_fail(BROOD_EEXIST, "could not share the object \"%s\": there is one", name);
    if (n == BRI_MOST_TYPES)
        return bri_fail(BROOD_ELIMIT, "could not share the object \"%s\": %d is the most", name,
                        BRI_MOST_TYPES);
    char *name_copy = bri_strdup(name), *type_copy = bri_strdup(typeid);
    if (name_copy == NULL || type_copy == NULL) {
        bri_free(name_copy);
        bri_free(type_copy);
        return BROOD_ENOMEM;
    }
    shared[n] = (bri_shared_object){name_copy, type_copy, brood_value_take(args)};
    return BROOD_OK;
}

brood_status brood_manager_share(const char *name, const char *typeid, brood_value args)
{
    brood_status status = add_shared(name, typeid, &args);
    brood_value_clear(&args);
    return status;
}
