#!/bin/sh
# Makes .venv ready: `tools/venv.sh run` for the daemon, `tools/venv.sh dev` for tests and checks as well.
# Done already is done fast: a stamp in .venv holds a checksum of all that decides what belongs in there.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)

say() {
    printf 'hikaze: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# Prints the first Python from 3.11 on; one that can make a virtual environment comes before one that cannot.
find_python() {
    second_best=
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        is_new_enough "$name" || continue
        if can_make_venv "$name"; then
            echo "$name"
            return
        fi
        second_best=${second_best:-$name}
    done
    echo "$second_best"
}

may_apt_get() {
    [ "$want" = dev ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt_get() {
    say "installing $*"
    # One source of several that does not answer need not be the one that is needed: go on.
    apt-get -qq update >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@" >/dev/null
}

make_venv() {
    python=$(find_python)
    [ -n "$python" ] || fail "Python 3.11 or newer is needed; install it, or say where it is: make PYTHON=/path/to/python3."
    if ! can_make_venv "$python"; then
        package=$("$python" -c 'import sys; print(f"python3.{sys.version_info.minor}-venv")')
        # If that fails, the sentence below says what to do.
        may_apt_get && apt_get "$package" || true
        can_make_venv "$python" || fail "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install $package"
    fi
    say "making .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
}

# A virtual environment knows its own path and its Python's: it survives no move and no removal of either.
is_usable() {
    is_new_enough .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null &&
        grep -qF "$here/.venv" .venv/pyvenv.cfg
}

key() {
    echo "$1 $here $(.venv/bin/python -V 2>&1) $(cat pyproject.toml "$2" tests/samples.txt tools/venv.sh | cksum)"
}

is_done() {
    [ -f ".venv/.hikaze-$1" ] && [ "$(cat ".venv/.hikaze-$1")" = "$(key "$1" "$2")" ]
}

pip_install() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input --quiet install "$@" >&2
}

install() {
    say "installing the $(grep -c '==' "$1") packages of $1 into .venv, once; this can take a minute or two"
    pip_install --require-hashes -r "$1"
    [ "$want" = run ] || pip_install --require-hashes --no-deps -r tests/samples.txt
    # The build backend is in the lock file: nothing comes without a checksum.
    pip_install --no-deps --no-build-isolation --editable .
}

# Pyright does not see through an editable install; here it finds every package under its installed name.
link_for_pyright() {
    mkdir -p .cache/typing/hikaze
    for init in */__init__.py; do
        ln -sfn "../../../${init%/*}" ".cache/typing/hikaze/${init%/*}"
    done
}

want=${1:-}
case $want in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) fail "say what .venv is for: tools/venv.sh run, or tools/venv.sh dev" ;;
esac

if ! is_done "$want" "$lock"; then
    is_usable || make_venv
    install "$lock"
    # What development needs is all that running needs, and more.
    key run requirements.lock >.venv/.hikaze-run
    key "$want" "$lock" >".venv/.hikaze-$want"
fi
[ "$want" = run ] || link_for_pyright
