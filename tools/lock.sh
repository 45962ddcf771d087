#!/bin/sh
# Writes requirements.lock (to run) and requirements-dev.lock (to test and check) from pyproject.toml,
# for every Python from 3.11 on and every system. Versions stay as they are unless `--upgrade` is given.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" "$@"
}

.venv/bin/python -m pip --disable-pip-version-check install --quiet uv
compile --group build --output-file requirements.lock "$@"
compile --group dev --constraint requirements.lock --output-file requirements-dev.lock "$@"
