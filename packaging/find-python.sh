#!/usr/bin/env bash
# Prints the Python to use: the first of 3.11 to 3.13 that really starts (a version manager's stand-in for an absent version does not).
set -euo pipefail

for candidate in python3 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
echo "no Python 3.11, 3.12 or 3.13 found; name one with: make PYTHON=/path/to/python3" >&2
exit 1
