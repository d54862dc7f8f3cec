/*
 * process_state.c - an object with a run() method: its state goes to the child as arguments, and
 * what the child does to it stays in the child.
 *
 * Python:
 *     class Account(Process):
 *         def __init__(self, owner, balance): ...
 *         def run(self): self.balance += 100
 */
#include <string.h>

#include "check.h"

typedef struct account {
    char owner[32];
    double rate;
    int64_t balance;
} account;

static brood_value account_pack(const account *self)
{
    return brood_pack("(sfl)", self->owner, self->rate, self->balance);
}

static brood_status account_run(brood_call *call)
{
    account self;
    const char *owner;
    BROOD_TRY(brood_call_args(call, "sfi", &owner, &self.rate, &self.balance));
    snprintf(self.owner, sizeof self.owner, "%s", owner);

    EXPECT(strcmp(self.owner, "Zo\xc3\xab") == 0);
    EXPECT(self.rate == 0.5);
    EXPECT(self.balance == 1000);
    self.balance += (int64_t)((double)self.balance * self.rate);
    printf("in the child:  %lld\n", (long long)self.balance);
    EXPECT(self.balance == 1500);
    return BROOD_OK;
}

/* What Process.start() is in Python. */
static brood_process *account_start(const account *self)
{
    brood_process *process;
    BROOD_CHECK(brood_process_create(&process, account_run, account_pack(self), NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    account zoe = {.owner = "Zo\xc3\xab", .rate = 0.5, .balance = 1000};
    brood_process *process = account_start(&zoe);
    int code;
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    EXPECT(code == 0);
    brood_process_destroy(process);

    printf("in the parent: %lld\n", (long long)zoe.balance);
    EXPECT(zoe.balance == 1000);
    return 0;
}
