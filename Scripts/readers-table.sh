#!/usr/bin/env bash
# Prints what other programs read of segmentd's objects, on sources of every kind: the tables of the guide
# "Interoperability". Usage: readers-table.sh [--slicer] [FOLDER]; FOLDER keeps the sources and objects, and
# --slicer, which downloads 250 MB, looks at them in 3D Slicer's core too.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

with_slicer=false
if [ "${1:-}" = --slicer ]; then with_slicer=true; shift; fi
folder=$(realpath -m "${1:-$(mktemp -d)}")

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" "${test_packages[@]}"
need_test_environment
need_ohif

# need_reader NAME PACKAGE...: packages that cannot be in .venv, in .venv-NAME.
need_reader() {
  local name=$1; shift
  [ ! -f ".venv-$name/installed" ] || return 0
  say "installing into .venv-$name: $*"
  python3 -m venv ".venv-$name"
  ".venv-$name/bin/pip" install --quiet --disable-pip-version-check "$@"
  touch ".venv-$name/installed"
}

need_pydicom_seg
options=(--pydicom-seg "$PWD/.venv/pydicom-seg")
if $with_slicer; then
  need_reader slicer 'trame-slicer[standalone]==2.0.0'
  options+=(--slicer "$PWD/.venv-slicer/bin/python3")
fi

say "writing sources and objects into $folder"
mkdir -p "$folder"
in_test_build swift build "${test_build[@]}" --build-tests
SEGMENTD_READERS_TABLE=$folder in_test_build swift test "${test_build[@]}" --skip-build \
  --filter ReaderTableTests
say "reading them"
.venv/bin/python3 -W ignore Scripts/test-support/readers/readers_table.py "$folder" "${options[@]}"
