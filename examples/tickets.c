/*
 * tickets.c - 20 processes sell 10 tickets, whose number is kept in a file: with a lock, with a
 * recursive lock, and, to show why, without any.
 *
 * Python: a Lock or RLock around reading and writing a file.
 */
#include <string.h>

#include "check.h"

enum { SELLERS = 20, TICKETS = 10 };
enum { BARE, WITH_LOCK, WITH_RLOCK };

static brood_status fail_file(brood_call *call, const char *path)
{
    return brood_call_raise(call, "OSError", "could not use \"%s\"", path);
}

/* Takes a ticket, if there is one: reads the number, thinks, and writes it less one. */
static brood_status take_ticket(brood_call *call, const char *path, brood_array *sold)
{
    int left = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &left) != 1)
        left = 0; /* another one just writes it: happens without a lock only */
    if (file != NULL)
        fclose(file);
    if (left <= 0)
        return BROOD_OK;
    brood_sleep(2);
    file = fopen(path, "w");
    if (file == NULL)
        return fail_file(call, path);
    fprintf(file, "%d\n", left - 1);
    fclose(file);
    return brood_array_add(sold, 0, 1, NULL);
}

/* sell(path, sold, lock, rlock, how) */
static brood_status sell(brood_call *call)
{
    const char *path;
    const brood_value *sold_value, *lock_value, *rlock_value;
    brood_array *sold;
    brood_lock *lock;
    brood_rlock *rlock;
    int64_t how;
    BROOD_TRY(brood_call_args(call, "svvvi", &path, &sold_value, &lock_value, &rlock_value, &how));
    BROOD_TRY(brood_get_array(sold_value, &sold));
    BROOD_TRY(brood_get_lock(lock_value, &lock));
    BROOD_TRY(brood_get_rlock(rlock_value, &rlock));
    if (how == WITH_LOCK)
        BROOD_TRY(brood_lock_acquire(lock, BROOD_FOREVER));
    for (int i = 0; how == WITH_RLOCK && i < 2; i++)
        BROOD_TRY(brood_rlock_acquire(rlock, BROOD_FOREVER));
    brood_status status = take_ticket(call, path, sold);
    if (how == WITH_LOCK)
        BROOD_TRY(brood_lock_release(lock));
    for (int i = 0; how == WITH_RLOCK && i < 2; i++)
        BROOD_TRY(brood_rlock_release(rlock));
    return status;
}

static int64_t sell_all(const char *path, int how)
{
    brood_array *sold;
    brood_lock *lock;
    brood_rlock *rlock;
    brood_process *sellers[SELLERS];
    brood_value number;
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    fprintf(file, "%d\n", TICKETS);
    fclose(file);
    BROOD_CHECK(brood_array_create(&sold, "i", 1, NULL));
    BROOD_CHECK(brood_lock_create(&lock));
    BROOD_CHECK(brood_rlock_create(&rlock));
    for (int i = 0; i < SELLERS; i++) {
        BROOD_CHECK(
            brood_process_create(&sellers[i], sell,
                                 brood_pack("svvvi", path, brood_array_value(sold),
                                            brood_lock_value(lock), brood_rlock_value(rlock), how),
                                 NULL));
        BROOD_CHECK(brood_process_start(sellers[i]));
    }
    for (int i = 0; i < SELLERS; i++) {
        BROOD_CHECK(brood_process_join(sellers[i], BROOD_FOREVER));
        brood_process_destroy(sellers[i]);
    }
    BROOD_CHECK(brood_array_get(sold, 0, &number));
    brood_array_destroy(sold);
    brood_lock_destroy(lock);
    brood_rlock_destroy(rlock);
    return number.as.integer;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    char path[64];
    snprintf(path, sizeof path, "tickets-%lld.txt",
             (long long)brood_process_pid(brood_current_process()));
    int64_t with_lock = sell_all(path, WITH_LOCK), with_rlock = sell_all(path, WITH_RLOCK);
    printf("%d tickets: with a lock %d are sold, with an rlock %d, without %d\n", TICKETS,
           (int)with_lock, (int)with_rlock, (int)sell_all(path, BARE));
    EXPECT(with_lock == TICKETS);
    EXPECT(with_rlock == TICKETS);
    return remove(path);
}
