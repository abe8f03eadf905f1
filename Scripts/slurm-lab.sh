#!/usr/bin/env bash
# Studies through a daemon whose jobs a Slurm cluster of namespaces computes (Debian's slurmctld, slurmd and munge), with
# nodes, the controller and the daemon killed meanwhile: every study ends, once, with the same bytes as without Slurm.
#
#   bash Scripts/slurm-lab.sh [--brief] [--only STRIKE] [--nodes N] [--keep]      as root
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${slurm_packages[@]}" dcmtk python3-venv
need_test_environment
say "building segmentd (release)"
swift build -c release --product segmentd
exec bash Scripts/slurm/isolated.sh .venv/bin/python3 Scripts/slurm/lab.py \
  --segmentd "$(swift build -c release --show-bin-path)/segmentd" "$@"
