/* win32/section.c - a section backed by the paging file: reserved as a whole, committed range by
 * range. */
#include "platform/section.h"

#include <inttypes.h>

#include "win32/win32.h"

static uint64_t page_size(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

/* Makes and maps `size` bytes; 0, or the error. */
static DWORD try_reserve(brp_section *section, uint64_t size)
{
    HANDLE made = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE,
                                     (DWORD)(size >> 32), (DWORD)size, NULL);
    if (made == NULL)
        return GetLastError();
    void *base = MapViewOfFile(made, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (base == NULL) {
        DWORD error = GetLastError();
        CloseHandle(made);
        return error;
    }
    *section = (brp_section){.handle = bri_w32_value(made), .base = base, .reserved = size};
    return 0;
}

brood_status brp_section_create(brp_section *section, uint64_t reserve, uint64_t least)
{
    uint64_t page = page_size();
    uint64_t size =
        reserve > UINT64_MAX - page ? reserve / page * page : (reserve + page - 1) / page * page;
    if (reserve == 0 || least > reserve)
        return bri_fail(BROOD_EINVALID,
                        "could not reserve %" PRIu64 " to %" PRIu64 " bytes for shared memory",
                        least, reserve);
    if (least == 0)
        least = 1;
    DWORD error = ERROR_INVALID_PARAMETER; /* for sizes below a page */
    while (size >= least && size >= page) {
        error = try_reserve(section, size);
        if (error == 0)
            return BROOD_OK;
        size = size / 2 / page * page;
    }
    return brp_fail((long)error,
                    "could not reserve %" PRIu64 " to %" PRIu64
                    " bytes of addresses for shared memory",
                    least, reserve);
}

brood_status brp_section_open(brp_section *section, brp_handle handle, uint64_t reserved)
{
    void *base = NULL;
    brood_status status = BROOD_OK;
    if (!brp_handle_is_set(handle))
        return bri_fail(BROOD_EINVALID, "could not map shared memory: no handle");
    if (reserved == 0 || reserved > SIZE_MAX)
        status =
            bri_fail(BROOD_EINVALID, "could not map shared memory of %" PRIu64 " bytes", reserved);
    if (status == BROOD_OK) {
        base = MapViewOfFile(bri_w32_handle(handle), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0,
                             (SIZE_T)reserved);
        if (base == NULL)
            status = brp_fail(bri_w32_error(), "could not map shared memory of %" PRIu64 " bytes",
                              reserved);
    }
    if (status != BROOD_OK) {
        brp_handle_close(&handle);
        return status;
    }
    *section = (brp_section){.handle = handle, .base = base, .reserved = reserved};
    return BROOD_OK;
}

brood_status brp_section_commit(brp_section *section, uint64_t offset, uint64_t size)
{
    if (offset > section->reserved || size > section->reserved - offset)
        return bri_fail(BROOD_ERANGE,
                        "could not commit %" PRIu64 " bytes at %" PRIu64
                        " of shared memory: it has %" PRIu64,
                        size, offset, section->reserved);
    if (size == 0)
        return BROOD_OK;
    /* Committing what is committed changes nothing, so two processes may do it at once. */
    if (VirtualAlloc(section->base + offset, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) != NULL)
        return BROOD_OK;
    return brp_fail(bri_w32_error(),
                    "could not commit %" PRIu64 " bytes at %" PRIu64 " of shared memory", size,
                    offset);
}

/* Windows decommits no page of a section: what was committed stays until the last process closes
 * it. */
void brp_section_discard(brp_section *section, uint64_t offset, uint64_t size)
{
    (void)section;
    (void)offset;
    (void)size;
}

void brp_section_close(brp_section *section)
{
    if (section->base != NULL) {
        UnmapViewOfFile(section->base);
        brp_handle_close(&section->handle);
    }
    *section = (brp_section){.handle = BRP_NO_HANDLE};
}
