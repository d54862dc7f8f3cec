#!/bin/sh
# Plants one violation of each kind in a copy of the sources; tools/check-layers has to find every one, and
# nothing else.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for folder in src include tools examples; do
    [ ! -d "$root/$folder" ] || cp -R "$root/$folder" "$copy/"
done
mkdir -p "$copy/src/pool" "$copy/src/posix" "$copy/src/win32" "$copy/src/platform" "$copy/examples" "$copy/tools/brood"

# plant <file> <text> <part of the message>: the last line of the text is to be reported.
plant() {
    printf '%s\n' "$2" >>"$copy/$1"
    echo "$1:$(wc -l <"$copy/$1"): $3" >>"$copy/expected"
}

# expect <file> <part of the message>: for a fault of a whole file.
expect() {
    echo "$1:1: $2" >>"$copy/expected"
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
mkdir -p "$copy/tools/brood/posix" "$copy/tools/brood/win32"
echo '#include <sys/stat.h>' >>"$copy/tools/brood/posix/planted.c" # that is allowed
plant tools/brood/posix/planted.c '#include <windows.h>' 'only brood/*.h'
plant tools/brood/win32/planted.c '#include <unistd.h>' 'only brood/*.h'
plant tools/brood/posix/planted.c '#include "base/error.h"' 'only brood/*.h'
mkdir "$copy/src/strange"
plant src/strange/planted.c "int planted;" "is not a layer"

# pair <subject>: a subject of our own for the platform: two functions, in order in both files.
pair() {
    printf 'void brp_%s_one(void);\nbool brp_%s_two(int a,\n                     int b);\n' "$1" "$1" \
        >"$copy/src/platform/$1.h"
    for system in posix win32; do
        printf 'void brp_%s_one(void)\n{\n}\n\nbool brp_%s_two(int a,\n    int b)\n{\n    return a == b;\n}\n' \
            "$1" "$1" >"$copy/src/$system/$1.c"
    done
}
pair right
pair lone
rm "$copy/src/win32/lone.c"
expect src/platform/lone.h 'there is no src/win32/lone.c'
pair short
printf 'void brp_short_one(void)\n{\n}\n' >"$copy/src/posix/short.c"
expect src/posix/short.c 'brp_short_two of platform/short.h is not defined here'
pair turned
printf 'bool brp_turned_two(int a, int b)\n{\n    return a == b;\n}\nvoid brp_turned_one(void)\n{\n}\n' \
    >"$copy/src/win32/turned.c"
expect src/win32/turned.c 'not the order of src/posix/turned.c'
pair headless
rm "$copy/src/platform/headless.h"
expect src/posix/headless.c 'implements no header of src/platform'
expect src/win32/headless.c 'implements no header of src/platform'

if "$root/tools/check-layers" "$copy" >"$copy/output" 2>"$copy/count"; then
    echo "exit code 0 with planted violations"
    exit 1
fi
# Each expected line, whose message is only a part of the real one, takes its line away.
wrong=0
while IFS= read -r line; do
    place=${line%%: *}
    message=${line#*: }
    if grep -F "$place: " "$copy/output" | grep -qF "$message"; then
        grep -vF "$place: " "$copy/output" >"$copy/rest" || true
        mv "$copy/rest" "$copy/output"
    else
        echo "missed: $line"
        wrong=$((wrong + 1))
    fi
done <"$copy/expected"
if [ -s "$copy/output" ]; then
    echo "reported, though nothing is wrong there:"
    cat "$copy/output"
    wrong=$((wrong + 1))
fi
echo "$(wc -l <"$copy/expected") planted, $wrong wrong"
[ "$wrong" = 0 ]
