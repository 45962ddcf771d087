#!/bin/sh
# Sees to it that Chromium is here, as root on Debian by installing it. Prints what is missing, or nothing.
set -u

if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "hikaze: installing Chromium for the browser tests" >&2
    # One source of several that does not answer need not be the one that is needed: go on.
    apt-get -qq update >/dev/null
    # The font is only recommended there; with none, Chromium shows no text.
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
        chromium fonts-liberation >/dev/null
fi
if ! command -v chromium >/dev/null; then
    echo "Chromium, so the browser tests were skipped; on Debian: apt-get install chromium"
fi
