#!/bin/sh
# All tests: first those that may share the machine, on all cores, then those that start programs and wait, one by one.
# What this machine cannot have is named in the last lines; in CI (CI=true) that is a failure. No test at all is one, too.
set -u
cd "$(dirname "$0")/.."

nothing=5 # what pytest ends with where no test was selected
fast='not (journey or browser or comfyui or slow or packaging)'
status=$nothing

# Runs the tests of a group, named by a file for its counts: group NAME PYTEST-ARGUMENT ...
group() {
    counts=$1
    shift
    ended=0
    .venv/bin/pytest --junit-xml=".cache/tests/$counts.xml" "$@" || ended=$?
    # The first failure counts, and tests that passed count more than none.
    if [ "$status" = 0 ] || [ "$status" = "$nothing" ]; then
        [ "$ended" = "$nothing" ] || status=$ended
    fi
}

# Whether the second group has its turn: not after Ctrl+C or a word that pytest does not know (2 and more), and not where
# one failure is enough.
may_go_on() {
    case "$status $* " in
        0* | "$nothing"*) ;;
        1*" -x "* | 1*" --exitfirst "* | 1*" --maxfail"*) return 1 ;;
        1*) ;;
        *) return 1 ;;
    esac
}

missing=$(sh tools/chromium.sh; sh tools/faults.sh; sh tools/comfyui.sh)
rm -rf .cache/tests
mkdir -p .cache/tests
case " $* " in
    *" -m "*) group chosen "$@" ;; # who chooses by marker has what was chosen, one by one
    *)
        echo "First the tests that may share the machine, on all cores:"
        group shared -n auto --dist worksteal -m "$fast or unhurried" "$@"
        if may_go_on "$@"; then
            echo "Now those that start programs or wait, one after the other:"
            group alone -m "not ($fast or unhurried or packaging)" "$@"
        fi
        ;;
esac
if [ -n "$missing" ]; then
    printf 'This machine has no:\n%s\n' "$missing"
    if [ "${CI:-}" = true ] && [ "$status" = 0 ]; then
        echo "In CI nothing may be missing, so this is a failure."
        status=1
    fi
fi
.venv/bin/python tools/counts.py .cache/tests
exit "$status"
