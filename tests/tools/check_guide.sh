#!/bin/sh
# What docs/guide.md shows is in the programs: every line of its C code stands in examples, of its C++ code
# in the project that tries the installed library; every program that it names is there, and it names all
# examples.
set -eu

cd "$(dirname "$0")/../.."
failed=0
# expect_lines <language> <file>...: every line of the guide's code in that language stands in one of the files.
expect_lines() {
    language=$1
    shift
    lines=$(awk -v begin="\`\`\`$language" '/^```/ { inside = $0 == begin; next }
        inside { sub(/^ +/, ""); if ($0 != "" && $0 != "...") print }' docs/guide.md)
    [ -n "$lines" ] || { echo "no code found: $language"; failed=1; }
    trimmed=$(sed 's/^ *//' "$@")
    while IFS= read -r line; do
        printf '%s\n' "$trimmed" | grep -Fxq -e "$line" || { echo "in none of $*: $line"; failed=1; }
    done <<EOF
$lines
EOF
}

expect_lines c examples/*.c
expect_lines cpp tests/package/consumer/main.cpp
for file in $(grep -o '(\.\./[^)]*\.[ch][a-z]*)' docs/guide.md | tr -d '()' | sort -u); do
    [ -e "docs/$file" ] || { echo "not there: $file"; failed=1; }
done
for example in examples/*.c; do
    grep -Fq "(../$example)" docs/guide.md || { echo "not in the guide: $example"; failed=1; }
done
exit $failed
