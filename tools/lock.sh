#!/bin/sh
# Writes requirements.lock (to run) and requirements-dev.lock (to test and check) from pyproject.toml, and those of the
# ComfyUI for the tests from tests/comfyui/*.in, for every Python from 3.11 on and every system. Versions stay as they are
# unless `--upgrade` is given.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" "$@"
}

.venv/bin/python -m pip --disable-pip-version-check install --quiet uv
compile pyproject.toml --group build --output-file requirements.lock "$@"
compile pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock "$@"
compile tests/comfyui/requirements.in --output-file tests/comfyui/requirements.lock "$@"
for input in tests/comfyui/apart.in tests/comfyui/frontend-*.in; do
    compile "$input" --no-deps --output-file "${input%.in}.lock" "$@"
done
