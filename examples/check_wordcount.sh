#!/bin/sh
# check_wordcount.sh METHOD COMMAND... - runs the word count over files that are easy to get wrong: no text,
# not UTF-8, not there, a directory, no newline, one huge line, a word across two reads; compares the output.
set -eu
export LC_ALL=C.UTF-8 # Wine takes the names of files as the locale says
method=$1
shift
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

expect() { # TEXT FILE: a line of the file is the text
    grep -Fxq -- "$1" "$2" || {
        printf 'no line "%s" in %s:\n' "$1" "$2" >&2
        cat "$2" >&2
        exit 1
    }
}

printf 'Alpha beta, ALPHA\r\nalpha-beta\n' >plain.txt
printf 'no newline at the end: Alpha' >"a name with spaces.txt"
printf 'caf\351 na\357ve caf\351\n' >latin1.txt
unicode=$(printf 'caf\303\251 \346\274\242.txt')
printf 'caf\303\251 caf\303\251\n' >"$unicode"
printf 'text\000binary' >binary.txt
: >empty.txt
mkdir directory.txt
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "long " }' >huge-line.txt          # 1 MB
awk 'BEGIN { for (i = 0; i < 65534; i++) printf " "; printf "across" }' >across.txt # 2 + 4 bytes
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "x" }' >one-word.txt
printf '%s\r\n' plain.txt latin1.txt "$unicode" "a name with spaces.txt" binary.txt empty.txt '' \
    missing.txt directory.txt huge-line.txt across.txt one-word.txt >list

"$@" --method "$method" --workers 2 --chunk 2 --top 100 --list list >out 2>err
tr -d '\r' <out >lines
expect "   200000 long" lines
expect "        4 alpha" lines
expect "        2 beta" lines
expect "        1 across" lines
expect "        2 $(printf 'caf\351')" lines
expect "        2 $(printf 'caf\303\251')" lines
expect "        1 $(awk 'BEGIN { for (i = 0; i < 64; i++) printf "x" }')" lines
expect "words:     200018, 13 different ones" lines
expect "files:     8 read, 1 binary, 2 unreadable" lines
expect "bytes:     $(cat plain.txt latin1.txt caf* a\ name* empty.txt huge* across* one* | wc -c)" lines
grep -q '^workers:  *[0-9]* [0-9]*$' lines
grep -q '^elapsed: .*: the same counts$' lines
grep -q '^wordcount: missing.txt: ' err
grep -q '^wordcount: directory.txt: ' err

"$@" --method "$method" "$unicode" >out
tr -d '\r' <out >lines
expect "        2 $(printf 'caf\303\251')" lines

# Real text, by arguments and by standard input, with more workers than files and one.
"$@" --method "$method" --workers 3 "$source/LICENSE" "$source/include/brood/value.h" >out
find "$source/include" "$source/LICENSE" -type f | "$@" --method "$method" --workers 1 --list - >out

# Nothing to count, and what is no number.
for bad in "" "--workers 0" "--top x" "--no-such-option" "--list no-such-file"; do
    if "$@" $bad >out 2>err; then
        echo "accepted: wordcount $bad" >&2
        exit 1
    fi
    [ -s err ]
done
"$@" --help >out
grep -q '^usage: wordcount' out
