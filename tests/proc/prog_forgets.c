/* A program whose main() never calls brood_init(): what becomes of it when it is made a child, and
 * that it cannot start a generation of its own. */
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

int main(void)
{
    brood_process *process;
    if (brood_process_create(&process, do_nothing, (brood_value){0}, NULL) != BROOD_ENOINIT)
        return 99;
    if (strstr(brood_last_error()->message, "main() has not called brood_init() first") == NULL)
        return 98;
    if (brood_wait_futures(NULL, 0, BROOD_WAIT_ALL, 0, NULL) != BROOD_ENOINIT ||
        brood_process_set_authkey(brood_current_process(), "key", 3) != BROOD_ENOINIT)
        return 97;
    const char *how = getenv("BROOD_TEST_FORGETS");
    if (how != NULL && strcmp(how, "sleep") == 0)
        for (;;)
            brood_sleep(60000);
    return 3;
}
