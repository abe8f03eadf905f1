#!/usr/bin/env bash
# Checks the systemd unit: that systemd understands it, and that its sandbox stays as tight as it is (2.0 of 10).
#
#   check-unit.sh UNIT [ROOT]    ROOT: the tree in which it is installed
set -euo pipefail
unit=$(realpath "$1")
root=${2:-}
if [ -z "$root" ]; then
  # The program need not be installed here.
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  install -D /dev/null "$root/usr/bin/segmentd"
  install -Dm644 "$unit" "$root/usr/lib/systemd/system/segmentd.service"
  unit=$root/usr/lib/systemd/system/segmentd.service
fi
# A tree without systemd has none of the units that it names.
said=$(systemd-analyze verify --man=no --recursive-errors=no --root="$root" "$unit" 2>&1) || true
if grep "segmentd.service:" <<< "$said"; then exit 1; fi
systemd-analyze security --offline=true --threshold=20 "$unit" | tail -1
