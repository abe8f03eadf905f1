#!/usr/bin/env bash
# Strikes a daemon at random while it receives, segments and delivers, and checks after each round that nothing was lost,
# nothing is there twice and every study came to its end. Jobs are computed by the daemon or by a cluster (commands that
# do as Slurm's, and `segmentd work`), as chance has it at each start of the daemon, and change over while they run:
#
#   bash Scripts/torture.sh [ROUNDS] [--seed N] [--longest SECONDS]      20 rounds by default
#
# As root it also fills file systems and makes them read-only.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" python3-venv
need_test_environment
say "building segmentd (release)"
swift build -c release --product segmentd
exec .venv/bin/python3 Scripts/torture/torture.py \
  --segmentd "$(swift build -c release --show-bin-path)/segmentd" "$@"
