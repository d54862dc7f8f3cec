/* win32/security.c - see the header. */
#include "win32/security.h"

#include <stdio.h>

/* after windows.h */
#include <sddl.h>

DWORD bri_w32_user_of(HANDLE process, char **sid)
{
    union {
        TOKEN_USER user;
        char room[SECURITY_MAX_SID_SIZE + sizeof(TOKEN_USER)];
    } answer;
    HANDLE token;
    DWORD size, error = ERROR_SUCCESS;
    if (!OpenProcessToken(process, TOKEN_QUERY, &token))
        return GetLastError();
    if (!GetTokenInformation(token, TokenUser, &answer, sizeof answer, &size) ||
        !ConvertSidToStringSidA(answer.user.User.Sid, sid))
        error = GetLastError();
    CloseHandle(token);
    return error;
}

/* Protected from what would be inherited; everything is allowed to the user, nothing to others. */
static DWORD make_descriptor(PSECURITY_DESCRIPTOR *descriptor)
{
    char text[256], *sid = NULL;
    DWORD error = bri_w32_user_of(GetCurrentProcess(), &sid);
    if (error != ERROR_SUCCESS)
        return error;
    snprintf(text, sizeof text, "D:P(A;;GA;;;%s)", sid);
    LocalFree(sid);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1, descriptor,
                                                              NULL))
        return GetLastError();
    return ERROR_SUCCESS;
}

SECURITY_ATTRIBUTES *bri_w32_own_user_only(void)
{
    static SRWLOCK lock = SRWLOCK_INIT;
    static SECURITY_ATTRIBUTES own = {.nLength = sizeof own};
    DWORD error = ERROR_SUCCESS;
    AcquireSRWLockExclusive(&lock);
    if (own.lpSecurityDescriptor == NULL)
        error = make_descriptor(&own.lpSecurityDescriptor);
    ReleaseSRWLockExclusive(&lock);
    if (error == ERROR_SUCCESS)
        return &own;
    brp_fail((long)error, "could not learn this process's user");
    SetLastError(error);
    return NULL;
}
