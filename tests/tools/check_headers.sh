#!/bin/sh
# Every public header compiles alone, as C11 and as C++17, without a warning.
set -eu

cd "$(dirname "$0")/../.."
cc=${CC:-cc}
failed=0
for header in include/brood/*.h; do
    name=brood/$(basename "$header")
    # Twice: the second inclusion has to be empty.
    text=$(printf '#include <%s>\n#include <%s>\nextern int not_empty;\n' "$name" "$name")
    echo "$text" | "$cc" -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only -Iinclude -x c - ||
        { echo "not C11: $name"; failed=1; }
    echo "$text" | "${CXX:-g++}" -std=c++17 -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c++ - ||
        { echo "not C++17: $name"; failed=1; }
done
exit $failed
