/* A GUI program: on Windows it has no console and gives brood_init no arguments. */
/* brood-test: gui */
#include <stdlib.h>

#include <brood/brood.h>

static brood_status exit_with(brood_call *call)
{
    int64_t code;
    BROOD_TRY(brood_call_args(call, "i", &code));
    brood_exit((int)code);
    return BROOD_OK;
}

int main(void)
{
    brood_process *process;
    int code = 0;
    if (brood_init(NULL, NULL) != BROOD_OK)
        return 1;
    if (brood_process_create(&process, exit_with, brood_pack("(i)", 21), NULL) != BROOD_OK)
        return 2;
    if (brood_process_start(process) != BROOD_OK)
        return 3;
    if (brood_process_join(process, 20000) != BROOD_OK)
        return 4;
    if (brood_process_exitcode(process, &code) != BROOD_OK || code != 21)
        return 5;
    brood_process_destroy(process);
    return 0;
}
