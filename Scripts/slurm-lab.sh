#!/usr/bin/env bash
# Studies through a daemon whose jobs a Slurm cluster of namespaces computes (Debian's slurmctld, slurmd and munge), with
# nodes, the controller and the daemon killed meanwhile: every study ends, once, with the same bytes as without Slurm.
#
#   bash Scripts/slurm-lab.sh [--brief] [--only STRIKE] [--nodes N] [--keep]      as root
#   bash Scripts/slurm-lab.sh --cost-curve N     how long N small studies take on 1, 2 and 4 nodes of one core, packed and not
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${slurm_packages[@]}" faketime dcmtk python3-venv
need_test_environment
say "building segmentd (release)"
swift build -c release --product segmentd
lab() {
  bash Scripts/slurm/isolated.sh .venv/bin/python3 Scripts/slurm/lab.py \
    --segmentd "$(swift build -c release --show-bin-path)/segmentd" "$@"
}
if [ "${1:-}" = --cost-curve ]; then
  for packed in 16 1; do
    say "$packed jobs in a pack at most"
    for nodes in 1 2 4; do
      lab --nodes "$nodes" --measure "${2:-64}" --maximum-jobs 64 --pack-jobs "$packed"
    done
  done
else
  lab "$@"
fi
