#!/usr/bin/env bash
# How fast images are received by segmentd, Orthanc and DCMTK's storescp: the servers take turns, over one
# and eight associations, with and without Nagle's algorithm, on this disk and on a simulated slower one.
#
#   Scripts/bench-ingest.sh [--images 300] [--rounds 5] [--servers segmentd orthanc storescp]
#                           [--associations 1 8] [--flush 0 2 8] [--nagle false true] [--json] [--write]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" gcc libc6-dev
{
  say "building segmentd (release)"
  swift build -c release --product segmentd
} >&2
segmentd=$(swift build -c release --show-bin-path)/segmentd
exec python3 Scripts/ingest/bench.py --segmentd "$segmentd" "$@"
