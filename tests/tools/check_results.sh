#!/bin/sh
# tools/check-results on results that are made here: its counts, the skips by their reasons, and a test that vanishes on one
# of two systems, which must not stay unnoticed.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v python3 >/dev/null; then
    echo "SKIPPED: check_results: python3 is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
result=0

complain() {
    echo "check_results: $*" >&2
    sed 's/^/    | /' "$work/output" >&2
    result=1
}

# run FILE < tests, a line each: name, status, output with | for line ends
make_run() {
    echo '<?xml version="1.0" encoding="UTF-8"?><testsuite>' >"$work/$1.xml"
    while read -r name status output; do
        message=
        [ "$status" != notrun ] || message='<skipped message="SKIP_RETURN_CODE=77"/>'
        [ "$status" != missing ] || { status=notrun; message='<skipped message=""/>'; }
        printf '<testcase name="%s" status="%s">%s<system-out>%s\n</system-out></testcase>\n' \
            "$name" "$status" "$message" "$(echo "$output" | tr '|' '\n')"
    done >>"$work/$1.xml"
    echo '</testsuite>' >>"$work/$1.xml"
}

# expect_count RUN "passed failed skipped"
expect_count() {
    "$root/tools/check-results" count "$work/$1.xml" >"$work/output" 2>&1
    [ "$(cat "$work/output")" = "$2" ] || complain "the counts of $1 are not $2:"
}

# expect_report STATUS TEXT RUN...
expect_report() {
    wanted=$1 text=$2
    shift 2
    for name in "$@"; do
        set -- "$@" "$work/$name.xml"
        shift
    done
    "$root/tools/check-results" report "$@" >"$work/output" 2>&1
    [ $? = "$wanted" ] || complain "the report does not end with $wanted:"
    grep -qF "$text" "$work/output" || complain "the report does not say \"$text\":"
}

make_run linux <<'END'
example_a run well
test_b run [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two|[       OK ] test_two
test_c.fork run [ RUN      ] test_one|[       OK ] test_one
test_w notrun SKIPPED: test_w: tests src/win32
END
expect_count linux "4 0 1"

make_run windows <<'END'
example_a run well
test_b run [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two|SKIPPED: test_two: no signals|[  SKIPPED ] test_two|[  SKIPPED ] 1 test(s), listed below:|[  SKIPPED ] test_two
test_c.fork notrun SKIPPED: test_c.fork: no fork
test_w run [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two|[       OK ] test_two
END
expect_count windows "4 0 2"
expect_report 0 "linux and windows have the same 4 tests" linux windows
expect_report 0 "skipped, 1 in windows: no signals" linux windows
expect_report 0 "test_c (fork)" linux windows

make_run case_gone <<'END'
example_a run well
test_b run [ RUN      ] test_one|[       OK ] test_one
test_c.fork notrun SKIPPED: test_c.fork: no fork
test_w run [ RUN      ] test_one|[       OK ] test_one
END
expect_report 1 "only in linux, and no skip with a reason in case_gone: test_b: test_two" linux case_gone

make_run test_gone <<'END'
test_b run [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two|[       OK ] test_two
test_c.fork run [ RUN      ] test_one|[       OK ] test_one
test_w notrun SKIPPED: test_w: tests src/win32
END
expect_report 1 "only in linux, and no skip with a reason in test_gone: example_a" linux test_gone
expect_report 1 "only in linux, and no skip with a reason in test_gone: example_a" test_gone linux

make_run no_reason <<'END'
test_a run [ RUN      ] test_one|[  SKIPPED ] test_one
test_b notrun nothing to say
test_c missing Unable to find executable
END
expect_count no_reason "0 3 0"
expect_report 0 "failed: test_a: test_one, skipped without a reason" no_reason

make_run crashed <<'END'
test_a fail [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two|[  FAILED  ] test_two|[  FAILED  ] tests: 1 test(s), listed below:|[  FAILED  ] test_two
test_b fail [ RUN      ] test_one|[       OK ] test_one|[ RUN      ] test_two
END
expect_count crashed "2 2 0"
exit $result
