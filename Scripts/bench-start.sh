#!/usr/bin/env bash
# How long a daemon takes to start on a ledger and a spool with a million instances (about 1.7 GB and as many
# inodes, in $TMPDIR), next to an empty one: to the open port, the first acknowledgement, the end of the checks
# behind it; and the memory of its processes. A file or a row that the start changes is an error.
#
#   Scripts/bench-start.sh [--files 1000000]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" python3
say "building segmentd (release)" >&2
swift build -c release --product segmentd >&2
exec python3 Scripts/ingest/start.py --segmentd "$(swift build -c release --show-bin-path)/segmentd" "$@"
