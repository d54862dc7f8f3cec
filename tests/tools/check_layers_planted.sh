#!/bin/sh
# Plants one violation of each kind in a copy of the sources; tools/check-layers has to find every one.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for folder in src include tools examples; do
    [ ! -d "$root/$folder" ] || cp -R "$root/$folder" "$copy/"
done
mkdir -p "$copy/src/pool" "$copy/src/posix" "$copy/src/win32" "$copy/src/platform" "$copy/examples" "$copy/tools/brood"

planted=0
missed=0

# expect <file> <part of the message>: reported at that file now; the file is then put back.
expect() {
    planted=$((planted + 1))
    if "$root/tools/check-layers" "$copy" >"$copy/output" 2>&1; then
        echo "missed: exit code 0 with a planted $1"
        missed=$((missed + 1))
    elif ! grep -F "$1:" "$copy/output" | grep -qF "$2"; then
        echo "missed: \"$2\" in $1"
        missed=$((missed + 1))
    fi
    if [ -f "$root/$1" ]; then cp "$root/$1" "$copy/$1"; else rm -f "$copy/$1"; fi
}

# plant <file> <text> <part of the message>
plant() {
    printf '%s\n' "$2" >>"$copy/$1"
    expect "$1" "$3"
}

plant src/base/error.h '#include "data/object.h"' 'src/base may not include data'
plant src/base/error.c '#include "platform/handle.h"' 'src/base may not include platform'
plant src/data/object.h '#  include "pool/pool.h"' 'src/data may not include pool'
plant src/pool/planted.h '#include "manager/server.h"' 'src/pool may not include manager'
plant src/pool/planted.h '#include "posix/planted.h"' 'src/pool may not include posix'
plant src/pool/planted.h '#include "planted.h"' 'names no folder'
plant src/posix/planted.h '#include "core/runtime.h"' 'src/posix may not include core'
plant src/win32/planted.h '#include "ipc/arena.h"' 'src/win32 may not include ipc'
plant src/win32/planted.h '#include <brood/pool.h>' 'may include only brood/api.h'
plant src/win32/planted.h '#include "posix/planted.h"' 'src/win32 may not include posix'
plant src/pool/planted.h '#include <unistd.h>' 'src/pool may not include <unistd.h>'
plant src/pool/planted.h '#include <sys/mman.h>' 'src/pool may not include <sys/mman.h>'
plant src/pool/planted.h '#include <windows.h>' 'src/pool may not include <windows.h>'
plant src/base/error.h '#include <apr_pools.h>' 'src/base may not use APR'
plant src/posix/planted.h '#include <windows.h>' 'src/posix may not include <windows.h>'
plant src/win32/planted.h '#include <unistd.h>' 'src/win32 may not include <unistd.h>'
plant src/win32/planted.h '#include <sys/wait.h>' 'src/win32 may not include <sys/wait.h>'
for macro in _WIN32 __linux__ __APPLE__ _MSC_VER __unix__ __FreeBSD__ __MINGW32__; do
    plant src/base/error.c "#ifdef $macro" 'a conditional names a system'
done
plant src/base/error.c '# if defined(A) && !defined(_WIN32)' 'a conditional names a system'
plant src/base/error.c '#if defined(A) || \
    defined(__APPLE__)' 'a conditional names a system'
plant include/brood/value.h '#ifdef _WIN32' 'a conditional names a system'
plant include/brood/value.h '#include <windows.h>' 'only brood/*.h'
plant include/brood/value.h '#include <apr_pools.h>' 'only brood/*.h'
plant include/brood/value.h 'void brood_planted(apr_pool_t *pool);' 'a public header names APR'
plant examples/planted.c '#include <unistd.h>' 'only brood/*.h'
plant examples/planted.c '#include "core/runtime.h"' 'only brood/*.h'
plant tools/brood/planted.c '#include "base/error.h"' 'only brood/*.h'
mkdir "$copy/src/strange"
plant src/strange/planted.c "int planted;" "is not a layer"

# Platform pairs, on a subject of our own: two functions, in order in both files.
pair() {
    printf 'void brp_planted_one(void);\nbool brp_planted_two(int a,\n                     int b);\n' \
        >"$copy/src/platform/planted.h"
    for system in posix win32; do
        printf 'void brp_planted_one(void)\n{\n}\n\nbool brp_planted_two(int a,\n    int b)\n{\n    return a == b;\n}\n' \
            >"$copy/src/$system/planted.c"
    done
}
pair
if "$root/tools/check-layers" "$copy" | grep -F planted; then
    echo "a correct pair was reported"
    missed=$((missed + 1))
fi
rm "$copy/src/win32/planted.c"
expect src/platform/planted.h 'there is no src/win32/planted.c'
pair
printf 'void brp_planted_one(void)\n{\n}\n' >"$copy/src/posix/planted.c"
expect src/posix/planted.c 'brp_planted_two of platform/planted.h is not defined here'
pair
printf 'bool brp_planted_two(int a, int b)\n{\n    return a == b;\n}\nvoid brp_planted_one(void)\n{\n}\n' \
    >"$copy/src/win32/planted.c"
expect src/win32/planted.c 'not the order of src/posix/planted.c'
pair
rm "$copy/src/platform/planted.h"
expect src/posix/planted.c 'implements no header of src/platform'

echo "$planted planted, $missed missed"
[ "$missed" = 0 ]
