#!/usr/bin/env bash
# Installs the wheel of dist/ alone in an empty environment, and tries it there.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD

empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
"${PYTHON:-python3}" -m venv "$empty/venv"
"$empty/venv/bin/python" -m pip --disable-pip-version-check --quiet install --no-compile \
  --constraint constraints.txt dist/callkit-*.whl
cd "$empty"
venv/bin/python -I -W error "$here/tests/smoke/without_extras.py"
echo "the wheel works without its extras"
