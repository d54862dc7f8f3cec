/* win32/pe.c - see the header. */
#include "win32/pe.h"

#include <string.h>

#include "win32/win32.h"

enum { MOST_SECTIONS = 96, MOST_DEBUG_ENTRIES = 64, MOST_HEADERS = 4096 + MOST_SECTIONS * 40 };

/* The parts of the headers that matter here. */
typedef struct headers {
    IMAGE_FILE_HEADER file;
    uint64_t optional_at; /* offset of the optional header */
    uint64_t sections_at;
    uint32_t image_size, checksum;
    size_t image_base_at, image_base_size; /* in the optional header; the loader writes there */
    uint32_t debug_address, debug_size;
} headers;

static bool read_at(const bri_w32_pe_source *source, uint64_t offset, void *bytes, size_t size)
{
    return source->read(source->context, offset, bytes, size);
}

/* The optional header; the two kinds differ from the base address on. */
static bool parse_optional(const bri_w32_pe_source *source, bool is_64, headers *found)
{
    union {
        IMAGE_OPTIONAL_HEADER32 narrow;
        IMAGE_OPTIONAL_HEADER64 wide;
    } optional;
    size_t size = found->file.SizeOfOptionalHeader;
    size_t least = is_64 ? offsetof(IMAGE_OPTIONAL_HEADER64, DataDirectory)
                         : offsetof(IMAGE_OPTIONAL_HEADER32, DataDirectory);
    memset(&optional, 0, sizeof optional); /* directories that are not there are empty */
    if (size < least || !read_at(source, found->optional_at, &optional,
                                 size < sizeof optional ? size : sizeof optional))
        return false;
    const IMAGE_DATA_DIRECTORY *directories =
        is_64 ? optional.wide.DataDirectory : optional.narrow.DataDirectory;
    DWORD n = is_64 ? optional.wide.NumberOfRvaAndSizes : optional.narrow.NumberOfRvaAndSizes;
    found->image_size = is_64 ? optional.wide.SizeOfImage : optional.narrow.SizeOfImage;
    found->checksum = is_64 ? optional.wide.CheckSum : optional.narrow.CheckSum;
    found->image_base_at = is_64 ? offsetof(IMAGE_OPTIONAL_HEADER64, ImageBase)
                                 : offsetof(IMAGE_OPTIONAL_HEADER32, ImageBase);
    found->image_base_size =
        is_64 ? sizeof optional.wide.ImageBase : sizeof optional.narrow.ImageBase;
    if (n > IMAGE_DIRECTORY_ENTRY_DEBUG) {
        found->debug_address = directories[IMAGE_DIRECTORY_ENTRY_DEBUG].VirtualAddress;
        found->debug_size = directories[IMAGE_DIRECTORY_ENTRY_DEBUG].Size;
    }
    return true;
}

static bool parse_headers(const bri_w32_pe_source *source, headers *found)
{
    IMAGE_DOS_HEADER dos;
    DWORD signature;
    WORD magic;
    *found = (headers){0};
    if (!read_at(source, 0, &dos, sizeof dos) || dos.e_magic != IMAGE_DOS_SIGNATURE ||
        dos.e_lfanew < 0)
        return false;
    uint64_t at = (uint64_t)dos.e_lfanew;
    if (!read_at(source, at, &signature, sizeof signature) || signature != IMAGE_NT_SIGNATURE ||
        !read_at(source, at + sizeof signature, &found->file, sizeof found->file) ||
        found->file.NumberOfSections > MOST_SECTIONS)
        return false;
    found->optional_at = at + sizeof signature + sizeof found->file;
    found->sections_at = found->optional_at + found->file.SizeOfOptionalHeader;
    if (found->file.SizeOfOptionalHeader < sizeof magic ||
        found->file.SizeOfOptionalHeader > 4096 ||
        !read_at(source, found->optional_at, &magic, sizeof magic))
        return false;
    if (magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC && magic != IMAGE_NT_OPTIONAL_HDR32_MAGIC)
        return false;
    return parse_optional(source, magic == IMAGE_NT_OPTIONAL_HDR64_MAGIC, found);
}

static bool read_section(const bri_w32_pe_source *source, const headers *found, size_t index,
                         IMAGE_SECTION_HEADER *section)
{
    return read_at(source, found->sections_at + index * sizeof *section, section, sizeof *section);
}

/* Where the bytes of an address are: the same in a loaded image, by the section table in a file. */
static bool locate(const bri_w32_pe_source *source, const headers *found, uint32_t address,
                   uint64_t *offset)
{
    if (source->is_mapped) {
        *offset = address;
        return true;
    }
    for (size_t i = 0; i < found->file.NumberOfSections; i++) {
        IMAGE_SECTION_HEADER section;
        if (!read_section(source, found, i, &section))
            return false;
        if (address >= section.VirtualAddress &&
            address - section.VirtualAddress < section.SizeOfRawData) {
            *offset = (uint64_t)section.PointerToRawData + (address - section.VirtualAddress);
            return true;
        }
    }
    return false;
}

/* The record that names the debug information: signature, GUID, age. */
typedef struct codeview {
    char signature[4]; /* "RSDS" */
    unsigned char guid[16];
    uint32_t age;
} codeview;

static bool find_codeview(const bri_w32_pe_source *source, const headers *found, codeview *record)
{
    size_t n = found->debug_size / sizeof(IMAGE_DEBUG_DIRECTORY);
    uint64_t at;
    if (found->debug_address == 0 || n > MOST_DEBUG_ENTRIES ||
        !locate(source, found, found->debug_address, &at))
        return false;
    for (size_t i = 0; i < n; i++) {
        IMAGE_DEBUG_DIRECTORY entry;
        uint64_t record_at;
        if (!read_at(source, at + i * sizeof entry, &entry, sizeof entry))
            return false;
        if (entry.Type == IMAGE_DEBUG_TYPE_CODEVIEW && entry.SizeOfData >= sizeof *record &&
            entry.AddressOfRawData != 0 &&
            locate(source, found, entry.AddressOfRawData, &record_at) &&
            read_at(source, record_at, record, sizeof *record) &&
            memcmp(record->signature, "RSDS", 4) == 0)
            return true;
    }
    return false;
}

/* FNV-1a with 64 bits: tells builds apart, protects against nobody. */
static uint64_t hash_bytes(uint64_t hash, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

/* Hashes the headers up to the end of the section table, without the base address, which the loader
 * changes. */
static bool hash_headers(const bri_w32_pe_source *source, const headers *found,
                         unsigned char hash[16])
{
    size_t size = sizeof found->file + found->file.SizeOfOptionalHeader +
                  found->file.NumberOfSections * sizeof(IMAGE_SECTION_HEADER);
    uint64_t at = found->optional_at - sizeof found->file;
    unsigned char bytes[MOST_HEADERS];
    if (size > sizeof bytes || !read_at(source, at, bytes, size))
        return false;
    memset(bytes + sizeof found->file + found->image_base_at, 0, found->image_base_size);
    const uint64_t halves[2] = {hash_bytes(0xCBF29CE484222325u, bytes, size),
                                hash_bytes(0x9E3779B97F4A7C15u, bytes, size)};
    memcpy(hash, halves, sizeof halves);
    return true;
}

brood_status bri_w32_pe_read(const bri_w32_pe_source *source, const char *shown, bri_w32_pe *pe)
{
    headers found;
    codeview record;
    unsigned char rest[16];
    bool is_image = parse_headers(source, &found);
    if (is_image && find_codeview(source, &found, &record)) {
        memcpy(rest, record.guid, sizeof rest);
        for (size_t i = 0; i < sizeof record.age; i++)
            rest[i] ^= (unsigned char)(record.age >> (8 * i));
    } else {
        is_image = is_image && hash_headers(source, &found, rest);
    }
    if (!is_image)
        return bri_fail(BROOD_EFORMAT,
                        "could not read the headers of \"%s\": not an executable image", shown);
    uint32_t words[4] = {found.file.TimeDateStamp, found.image_size, found.checksum,
                         found.file.Machine};
    memcpy(pe->build_id, words, sizeof words);
    memcpy(pe->build_id + sizeof words, rest, sizeof rest);
    pe->image_size = found.image_size;
    return BROOD_OK;
}

bool bri_w32_pe_is_code(const bri_w32_pe_source *source, uint64_t offset)
{
    headers found;
    if (!parse_headers(source, &found))
        return false;
    for (size_t i = 0; i < found.file.NumberOfSections; i++) {
        IMAGE_SECTION_HEADER section;
        if (!read_section(source, &found, i, &section))
            return false;
        if ((section.Characteristics & IMAGE_SCN_MEM_EXECUTE) != 0 &&
            offset >= section.VirtualAddress &&
            offset - section.VirtualAddress < section.Misc.VirtualSize)
            return true;
    }
    return false;
}
