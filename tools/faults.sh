#!/bin/sh
# Sees to it that what the tests break things with is here, as root on Debian by installing it: strace kills an
# import at any system call, bindfs makes a file system that gives no hints. Prints what is missing, or nothing.
set -u

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! { command -v strace && command -v bindfs; } >/dev/null; then
    echo "hikaze: installing strace and bindfs for the tests that break things" >&2
    apt-get -qq update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends strace bindfs fuse3 >/dev/null
fi
.venv/bin/python tests/machine.py
