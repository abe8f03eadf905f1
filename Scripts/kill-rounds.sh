#!/usr/bin/env bash
# Kills the daemon while it receives over many associations, and looks for every acknowledged instance:
#
#   bash Scripts/kill-rounds.sh [ROUNDS] [--associations 20] [--images 12] [--seed N]      50 rounds by default
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" python3
say "building segmentd (release)"
swift build -c release --product segmentd
exec python3 Scripts/ingest/kill_rounds.py --segmentd "$(swift build -c release --show-bin-path)/segmentd" "$@"
