/* win32/module.c - loaded modules and their PE headers. */
#include "platform/module.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "win32/pe.h"
#include "win32/utf16.h"
#include "win32/win32.h"

/* ---- The two sources of headers ---- */

/* A loaded image is readable from its start for as long as it is loaded; its size is checked once
 * it is known. */
typedef struct loaded {
    const unsigned char *base;
    uint64_t size;
} loaded;

static bool read_loaded(void *context, uint64_t offset, void *bytes, size_t size)
{
    const loaded *image = context;
    if (offset > image->size || size > image->size - offset)
        return false;
    memcpy(bytes, image->base + offset, size);
    return true;
}

static loaded loaded_image(HMODULE module)
{
    const unsigned char *base = (const unsigned char *)module;
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)(const void *)base;
    const IMAGE_NT_HEADERS *headers =
        (const IMAGE_NT_HEADERS *)(const void *)(base + dos->e_lfanew);
    return (loaded){base, headers->OptionalHeader.SizeOfImage};
}

static bool read_file(void *context, uint64_t offset, void *bytes, size_t size)
{
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    DWORD got = 0;
    return offset <= INT64_MAX && ReadFile(context, bytes, (DWORD)size, &got, &at) && got == size;
}

static brood_status read_module(HMODULE module, const char *shown, bri_w32_pe *pe)
{
    loaded image = loaded_image(module);
    bri_w32_pe_source source = {.read = read_loaded, .context = &image, .is_mapped = true};
    return bri_w32_pe_read(&source, shown, pe);
}

static bool is_code(HMODULE module, uint64_t offset)
{
    loaded image = loaded_image(module);
    bri_w32_pe_source source = {.read = read_loaded, .context = &image, .is_mapped = true};
    return bri_w32_pe_is_code(&source, offset);
}

/* ---- The contract ---- */

brood_status brp_module_of_address(const void *address, brp_module *module)
{
    const DWORD flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE found;
    if (!GetModuleHandleExW(flags, (LPCWSTR)address, &found))
        return bri_fail(BROOD_ENOTFOUND, "could not find the module of address %p", address);
    uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)found);
    if (!is_code(found, offset))
        return bri_fail(BROOD_ENOTFOUND, "could not find code at address %p", address);
    bri_w32_pe pe;
    char *path = found == GetModuleHandleW(NULL) ? bri_strdup("") : bri_w32_module_path(found);
    if (path == NULL)
        return brood_last_error()->status;
    brood_status status = read_module(found, path, &pe);
    if (status != BROOD_OK) {
        bri_free(path);
        return status;
    }
    *module = (brp_module){.path = path, .offset = offset, .size = pe.image_size};
    memcpy(module->build_id, pe.build_id, sizeof module->build_id);
    return BROOD_OK;
}

/* The module, which stays; one that is not loaded yet only if its file has the build id, as loading
 * it runs its code. */
static brood_status find_module(const char *path, const unsigned char build_id[BRP_BUILD_ID_SIZE],
                                HMODULE *module)
{
    unsigned char id[BRP_BUILD_ID_SIZE];
    if (path[0] == '\0') {
        *module = GetModuleHandleW(NULL);
        return BROOD_OK;
    }
    wchar_t *wide = bri_w32_path(path);
    if (wide == NULL)
        return brood_last_error()->status;
    brood_status status = BROOD_OK;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, wide, module)) {
        status = brp_module_file_build_id(path, id);
        if (status == BROOD_OK && memcmp(id, build_id, sizeof id) != 0)
            status = bri_fail(BROOD_EVERSION, "could not load \"%s\": it is another build", path);
        if (status == BROOD_OK) {
            *module = LoadLibraryExW(wide, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
            if (*module == NULL) {
                brp_fail(bri_w32_error(), "could not load \"%s\"", path);
                status = BROOD_ENOTFOUND;
            }
        }
    }
    bri_free(wide);
    return status;
}

brood_status brp_module_address(const char *path, uint64_t offset,
                                const unsigned char build_id[BRP_BUILD_ID_SIZE], void **address)
{
    HMODULE module;
    bri_w32_pe pe;
    const char *shown = path[0] == '\0' ? "the executable" : path;
    BROOD_TRY(find_module(path, build_id, &module));
    BROOD_TRY(read_module(module, shown, &pe));
    if (memcmp(pe.build_id, build_id, sizeof pe.build_id) != 0)
        return bri_fail(BROOD_EVERSION, "could not use \"%s\": it is another build", shown);
    if (!is_code(module, offset))
        return bri_fail(BROOD_ERANGE, "could not find code at offset %" PRIu64 " of \"%s\"", offset,
                        shown);
    *address = (unsigned char *)module + offset;
    return BROOD_OK;
}

brood_status brp_module_own_build_id(unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    bri_w32_pe pe;
    BROOD_TRY(read_module(GetModuleHandleW(NULL), "the executable", &pe));
    memcpy(build_id, pe.build_id, sizeof pe.build_id);
    return BROOD_OK;
}

brood_status brp_module_file_build_id(const char *path, unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    wchar_t *wide = bri_w32_path(path);
    if (wide == NULL)
        return brood_last_error()->status;
    HANDLE file =
        CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, 0, NULL);
    long error = bri_w32_error();
    bri_free(wide);
    if (file == INVALID_HANDLE_VALUE)
        return brp_fail(error, "could not read \"%s\"", path);
    bri_w32_pe pe;
    bri_w32_pe_source source = {.read = read_file, .context = file};
    brood_status status = bri_w32_pe_read(&source, path, &pe);
    CloseHandle(file);
    if (status == BROOD_OK)
        memcpy(build_id, pe.build_id, sizeof pe.build_id);
    return status;
}

brood_status brp_module_own_path(char **path)
{
    char *found = bri_w32_module_path(NULL);
    if (found == NULL)
        return brood_last_error()->status;
    *path = found;
    return BROOD_OK;
}
