/* posix/module.c - ELF modules by dl_iterate_phdr. */
#define _GNU_SOURCE
#include "platform/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "posix/executable.h"

enum {
    MOST_HEADERS = 1024,
    MOST_NOTES = 64 << 10 /* bytes of a note segment that are looked at */
};

/* The program headers of a module, in memory or in a file, and where its notes can be read. */
typedef struct image {
    const ElfW(Phdr) * headers;
    size_t n_headers;
    const unsigned char *base; /* loaded: the address of offset 0 */
    int fd;                    /* a file: to read notes from; else -1 */
} image;

/* ---- build ids ---- */

static size_t align_up(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

/* Finds the GNU build id among the notes; false when there is none or they are malformed. */
static bool find_build_id(const unsigned char *notes, size_t size, size_t step,
                          unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    ElfW(Nhdr) note;
    size_t at = 0;
    while (at < size && size - at >= sizeof note) {
        memcpy(&note, notes + at, sizeof note);
        if (note.n_namesz > size || note.n_descsz > size)
            return false;
        size_t id_at = align_up(sizeof note + note.n_namesz, step);
        if (id_at > size - at || note.n_descsz > size - at - id_at)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + at + sizeof note, "GNU", 4) == 0 && note.n_descsz > 0) {
            size_t length = note.n_descsz < BRP_BUILD_ID_SIZE ? note.n_descsz : BRP_BUILD_ID_SIZE;
            memset(build_id, 0, BRP_BUILD_ID_SIZE);
            memcpy(build_id, notes + at + id_at, length);
            return true;
        }
        at += align_up(id_at + note.n_descsz, step);
    }
    return false;
}

static bool read_exactly(int fd, void *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (unsigned char *)data + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Whether the bytes of a note segment are among those that are loaded. */
static bool is_loaded(const image *in, const ElfW(Phdr) * notes)
{
    for (size_t i = 0; i < in->n_headers; i++) {
        const ElfW(Phdr) *header = &in->headers[i];
        if (header->p_type == PT_LOAD && notes->p_vaddr >= header->p_vaddr &&
            notes->p_vaddr - header->p_vaddr <= header->p_filesz &&
            notes->p_filesz <= header->p_filesz - (notes->p_vaddr - header->p_vaddr))
            return true;
    }
    return false;
}

static bool find_in_segment(const image *in, const ElfW(Phdr) * header,
                            unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    size_t size = (size_t)header->p_filesz, step = header->p_align == 8 ? 8 : 4;
    if (header->p_type != PT_NOTE || header->p_filesz > MOST_NOTES || !is_loaded(in, header))
        return false;
    if (in->fd < 0)
        return find_build_id(in->base + header->p_vaddr, size, step, build_id);
    unsigned char *notes = bri_alloc(size);
    bool found = notes != NULL && header->p_offset <= INT64_MAX - MOST_NOTES &&
                 read_exactly(in->fd, notes, size, header->p_offset) &&
                 find_build_id(notes, size, step, build_id);
    bri_free(notes);
    return found;
}

static void mix(uint64_t lanes[4], const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < 4; j++)
            lanes[j] = (lanes[j] ^ (bytes[i] + 31 * j)) * UINT64_C(0x100000001B3);
}

/* Stands for a missing build id: the program headers, and the file's size and time. */
static void make_build_id(const image *in, const struct stat *file,
                          unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    uint64_t lanes[4] = {UINT64_C(0xCBF29CE484222325), UINT64_C(0x9AE16A3B2F90404F),
                         UINT64_C(0xC3A5C85C97CB3127), UINT64_C(0xB492B66FBE98F273)};
    const int64_t facts[3] = {file->st_size, file->st_mtim.tv_sec, file->st_mtim.tv_nsec};
    mix(lanes, in->headers, in->n_headers * sizeof *in->headers);
    mix(lanes, facts, sizeof facts);
    memcpy(build_id, lanes, BRP_BUILD_ID_SIZE);
}

static bool find_note(const image *in, unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    for (size_t i = 0; i < in->n_headers; i++)
        if (find_in_segment(in, &in->headers[i], build_id))
            return true;
    return false;
}

static void identify(const image *in, const struct stat *file,
                     unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    if (!find_note(in, build_id))
        make_build_id(in, file, build_id);
}

/* ---- loaded modules ---- */

/* What a walk over the loaded modules looks for, and what it has found. */
typedef struct search {
    bool by_address;
    uintptr_t address; /* by_address: in its code; else: the address of its offset 0 */
    size_t position;   /* of the module now looked at; the executable is the first */
    char name[PATH_MAX];
    image image;
} search;

static bool has_code_at(const image *in, uint64_t offset)
{
    for (size_t i = 0; i < in->n_headers; i++) {
        const ElfW(Phdr) *header = &in->headers[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0 &&
            offset >= header->p_vaddr && offset - header->p_vaddr < header->p_memsz)
            return true;
    }
    return false;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    search *s = context;
    image here = {.headers = info->dlpi_phdr, .n_headers = info->dlpi_phnum, .fd = -1};
    here.base = (const unsigned char *)(uintptr_t)info->dlpi_addr;
    bool first = s->position++ == 0;
    bool found = s->by_address ? has_code_at(&here, s->address - (uintptr_t)info->dlpi_addr)
                               : (uintptr_t)info->dlpi_addr == s->address;
    if (first || !found)
        return 0;
    s->image = here;
    const char *name = info->dlpi_name != NULL ? info->dlpi_name : "";
    size_t length = strlen(name);
    if (length < sizeof s->name)
        memcpy(s->name, name, length + 1);
    return 1;
}

static int look_at_first(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    image *executable = context;
    *executable = (image){.headers = info->dlpi_phdr, .n_headers = info->dlpi_phnum, .fd = -1};
    executable->base = (const unsigned char *)(uintptr_t)info->dlpi_addr;
    return 1;
}

/* The executable's file as it was started, even if the name has another file now. */
static int stat_executable(struct stat *file)
{
    const char *path = brp_own_executable();
    if (path != NULL)
        return stat(path, file);
    errno = ENOENT;
    return -1;
}

static brood_status identify_loaded(const search *s, const char *path,
                                    unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    struct stat file;
    if (find_note(&s->image, build_id))
        return BROOD_OK;
    memset(&file, 0, sizeof file);
    if (stat(path, &file) != 0)
        return brp_fail(errno, "could not identify module \"%s\"", path);
    make_build_id(&s->image, &file, build_id);
    return BROOD_OK;
}

typedef struct identity {
    image image;
    unsigned char build_id[BRP_BUILD_ID_SIZE];
    brood_status status;
} identity;

static void identify_executable(identity *own)
{
    struct stat file;
    memset(&file, 0, sizeof file);
    dl_iterate_phdr(look_at_first, &own->image);
    own->status = BROOD_OK;
    if (find_note(&own->image, own->build_id))
        return;
    if (stat_executable(&file) == 0)
        make_build_id(&own->image, &file, own->build_id);
    else
        own->status = brp_fail(errno, "could not identify this program");
}

/* The executable's is found once: each start of a process asks for it, on both sides. */
static pthread_once_t own_once = PTHREAD_ONCE_INIT;
static identity own;

static void learn_own(void)
{
    identify_executable(&own);
}

static brood_status find_own(identity *found)
{
    pthread_once(&own_once, learn_own);
    *found = own;
    if (own.status != BROOD_OK)
        identify_executable(found);
    return found->status;
}

static uint64_t size_of(const image *in)
{
    uint64_t end = 0;
    for (size_t i = 0; i < in->n_headers; i++) {
        const ElfW(Phdr) *header = &in->headers[i];
        if (header->p_type == PT_LOAD && header->p_vaddr + header->p_memsz > end)
            end = header->p_vaddr + header->p_memsz;
    }
    return end;
}

static brood_status find_module(const void *address, brp_module *module)
{
    search s = {.by_address = true, .address = (uintptr_t)address};
    if (!dl_iterate_phdr(look_at, &s))
        return bri_fail(BROOD_ENOTFOUND, "could not find the module of address %p", address);
    char resolved[PATH_MAX];
    /* A name without a file is the kernel's own code (vdso). */
    if (realpath(s.name, resolved) == NULL)
        return brp_fail(errno, "could not find the file of module \"%s\"", s.name);
    brp_module found = {.offset = (uintptr_t)address - (uintptr_t)s.image.base,
                        .size = size_of(&s.image)};
    BROOD_TRY(identify_loaded(&s, resolved, found.build_id));
    found.path = bri_strdup(resolved);
    if (found.path == NULL)
        return BROOD_ENOMEM;
    *module = found;
    return BROOD_OK;
}

brood_status brp_module_of_address(const void *address, brp_module *module)
{
    identity executable;
    brood_status status = find_own(&executable);
    uintptr_t offset = (uintptr_t)address - (uintptr_t)executable.image.base;
    if (!has_code_at(&executable.image, offset))
        return find_module(address, module);
    brp_module found = {.offset = offset, .size = size_of(&executable.image)};
    memcpy(found.build_id, executable.build_id, BRP_BUILD_ID_SIZE);
    if (status == BROOD_OK && (found.path = bri_strdup("")) == NULL)
        status = BROOD_ENOMEM;
    if (status == BROOD_OK)
        *module = found;
    return status;
}

static brood_status check_build_id(const char *path, const unsigned char have[BRP_BUILD_ID_SIZE],
                                   const unsigned char want[BRP_BUILD_ID_SIZE])
{
    if (memcmp(have, want, BRP_BUILD_ID_SIZE) == 0)
        return BROOD_OK;
    return bri_fail(BROOD_EVERSION, "could not use module \"%s\": it is another build",
                    path[0] == '\0' ? "the executable" : path);
}

/* Opens the module and finds it among the loaded ones. The id of one that is not loaded yet is
 * checked before, so that no code of a wrong one runs. */
static brood_status open_module(const char *path, const unsigned char build_id[BRP_BUILD_ID_SIZE],
                                identity *found)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (module == NULL) {
        unsigned char on_disk[BRP_BUILD_ID_SIZE];
        BROOD_TRY(brp_module_file_build_id(path, on_disk));
        BROOD_TRY(check_build_id(path, on_disk, build_id));
        module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    struct link_map *map = NULL;
    if (module == NULL || dlinfo(module, RTLD_DI_LINKMAP, &map) != 0) {
        const char *reason = dlerror();
        return bri_fail(BROOD_ENOTFOUND, "could not open module \"%s\": %s", path,
                        reason != NULL ? reason : "unknown reason");
    }
    search s = {.address = (uintptr_t)map->l_addr};
    if (!dl_iterate_phdr(look_at, &s))
        return bri_fail(BROOD_ENOTFOUND, "could not find module \"%s\"", path);
    found->image = s.image;
    return identify_loaded(&s, path, found->build_id);
}

brood_status brp_module_address(const char *path, uint64_t offset,
                                const unsigned char build_id[BRP_BUILD_ID_SIZE], void **address)
{
    identity found;
    if (path[0] == '\0')
        BROOD_TRY(find_own(&found));
    else
        BROOD_TRY(open_module(path, build_id, &found));
    BROOD_TRY(check_build_id(path, found.build_id, build_id));
    if (!has_code_at(&found.image, offset))
        return bri_fail(BROOD_ERANGE, "could not find code at offset %llu of module \"%s\"",
                        (unsigned long long)offset, path);
    *address = (void *)((uintptr_t)found.image.base + (uintptr_t)offset);
    return BROOD_OK;
}

brood_status brp_module_own_build_id(unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    identity found;
    BROOD_TRY(find_own(&found));
    memcpy(build_id, found.build_id, BRP_BUILD_ID_SIZE);
    return BROOD_OK;
}

/* ---- files ---- */

static brood_status refuse_file(const char *path, const char *reason)
{
    return bri_fail(BROOD_EFORMAT, "could not read the build id of \"%s\": %s", path, reason);
}

static brood_status identify_file(int fd, const char *path,
                                  unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    ElfW(Ehdr) elf, native;
    struct stat file;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || !read_exactly(fd, &elf, sizeof elf, 0))
        return refuse_file(path, "not a program");
    memset(&native, 0, sizeof native);
    native.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const uint16_t one = 1;
    native.e_ident[EI_DATA] = *(const unsigned char *)&one == 1 ? ELFDATA2LSB : ELFDATA2MSB;
    if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_ident[EI_CLASS] != native.e_ident[EI_CLASS] ||
        elf.e_ident[EI_DATA] != native.e_ident[EI_DATA])
        return refuse_file(path, "not a program of this system");
    if (elf.e_phentsize != sizeof(ElfW(Phdr)) || elf.e_phnum == 0 || elf.e_phnum > MOST_HEADERS ||
        elf.e_phoff > INT64_MAX / 2)
        return refuse_file(path, "malformed headers");
    ElfW(Phdr) *headers = bri_calloc(elf.e_phnum, sizeof *headers);
    if (headers == NULL)
        return BROOD_ENOMEM;
    brood_status status = BROOD_OK;
    image in = {.headers = headers, .n_headers = elf.e_phnum, .fd = fd};
    if (read_exactly(fd, headers, elf.e_phnum * sizeof *headers, elf.e_phoff))
        identify(&in, &file, build_id);
    else
        status = refuse_file(path, "it is cut off");
    bri_free(headers);
    return status;
}

brood_status brp_module_file_build_id(const char *path, unsigned char build_id[BRP_BUILD_ID_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not hold it up */
    if (fd < 0)
        return brp_fail(errno, "could not read the build id of \"%s\"", path);
    unsigned char found[BRP_BUILD_ID_SIZE];
    brood_status status = identify_file(fd, path, found);
    close(fd);
    if (status == BROOD_OK)
        memcpy(build_id, found, sizeof found);
    return status;
}

brood_status brp_module_own_path(char **path)
{
    const char *executable = brp_own_executable();
    for (size_t size = 256; executable != NULL; size *= 2) {
        char *text = bri_alloc(size);
        if (text == NULL)
            return BROOD_ENOMEM;
        ssize_t length = readlink(executable, text, size);
        if (length < 0 && errno == EINVAL) /* it is no link but the file itself */
            length = snprintf(text, size, "%s", executable);
        if (length >= 0 && (size_t)length < size) {
            text[length] = '\0';
            *path = text;
            return BROOD_OK;
        }
        int code = errno;
        bri_free(text);
        if (length < 0)
            return brp_fail(code, "could not find the path of this program");
    }
    return bri_fail(BROOD_ENOTFOUND, "could not find the path of this program");
}
