#!/usr/bin/env bash
# Installs the Debian packages that the window needs and that pip cannot bring: the shared libraries Qt links to, one font, Python's venv.
# Looks first (ldconfig), so that a machine which has them is not touched. As root or where sudo asks for no password it runs apt-get,
# otherwise it prints the exact line to run. On other systems it names what is missing and goes on.
set -euo pipefail

# library that Qt's core, its X11 and offscreen plugins link to        Debian package that holds it
needed='
libglib-2.0.so.0          libglib2.0-0
libdbus-1.so.3            libdbus-1-3
libfontconfig.so.1        libfontconfig1
libfreetype.so.6          libfreetype6
libEGL.so.1               libegl1
libGL.so.1                libgl1
libOpenGL.so.0            libopengl0
libgssapi_krb5.so.2       libgssapi-krb5-2
libxkbcommon.so.0         libxkbcommon0
libxkbcommon-x11.so.0     libxkbcommon-x11-0
libX11-xcb.so.1           libx11-xcb1
libxcb-cursor.so.0        libxcb-cursor0
libxcb-icccm.so.4         libxcb-icccm4
libxcb-image.so.0         libxcb-image0
libxcb-keysyms.so.1       libxcb-keysyms1
libxcb-randr.so.0         libxcb-randr0
libxcb-render.so.0        libxcb-render0
libxcb-render-util.so.0   libxcb-render-util0
libxcb-shape.so.0         libxcb-shape0
libxcb-shm.so.0           libxcb-shm0
libxcb-sync.so.1          libxcb-sync1
libxcb-xfixes.so.0        libxcb-xfixes0
libxcb-xkb.so.1           libxcb-xkb1
'

[ "$(uname -s)" = Linux ] || exit 0
ldconfig=$(command -v ldconfig || echo /sbin/ldconfig)
present=" $("$ldconfig" -p 2>/dev/null | awk '{printf "%s ", $1}')"

missing=()
while read -r library package; do
    [ -n "$library" ] || continue
    [[ $present == *" $library "* ]] || missing+=("$package")
done <<<"$needed"
[ -n "$(find /usr/share/fonts "${HOME:-/nowhere}/.local/share/fonts" \( -name '*.ttf' -o -name '*.otf' \) -print -quit 2>/dev/null)" ] || missing+=(fonts-dejavu-core)
python=$(bash "$(dirname "$0")/find-python.sh" 2>/dev/null || true)
if [ -z "$python" ]; then
    missing+=(python3 python3-venv)
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "memstudio needs, under your system's own package names: ${missing[*]}" >&2
    exit 0
fi
line="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "memstudio needs ${#missing[@]} system packages. Run this, then make again:" >&2
    echo "    sudo $line" >&2
    exit 1
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
# shellcheck disable=SC2086  # the line is split into words on purpose
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $line >/dev/null
