#!/bin/sh
# What docs/guide.md shows is in the programs: every line of its C code stands in examples, and every
# program that it names is there, and it names all of them.
set -eu

cd "$(dirname "$0")/../.."
failed=0
lines=$(awk '/^```/ { inside = $0 == "```c"; next } inside { sub(/^ +/, ""); if ($0 != "" && $0 != "...") print }' docs/guide.md)
[ -n "$lines" ] || { echo "no C code found"; failed=1; }
trimmed=$(sed 's/^ *//' examples/*.c)
while IFS= read -r line; do
    printf '%s\n' "$trimmed" | grep -Fxq -e "$line" || { echo "in no example: $line"; failed=1; }
done <<EOF
$lines
EOF
for file in $(grep -o '(\.\./examples/[^)]*)' docs/guide.md | tr -d '()' | sort -u); do
    [ -e "docs/$file" ] || { echo "not there: $file"; failed=1; }
done
for example in examples/*.c; do
    grep -Fq "(../$example)" docs/guide.md || { echo "not in the guide: $example"; failed=1; }
done
exit $failed
