#!/usr/bin/env bash
# Studies through a daemon whose jobs a Slurm cluster of namespaces computes (Debian's slurmctld, slurmd and munge), with
# nodes, the controller and the daemon killed meanwhile: every study ends, once, with the same bytes as without Slurm.
#
#   bash Scripts/slurm-lab.sh [--brief] [--only STRIKE] [--nodes N] [--lag SECONDS] [--keep]      as root
#   bash Scripts/slurm-lab.sh --cost-curve N [FOLDER]      what N small studies cost on 1, 2 and 4 nodes of one core, packed
#       (a multiple of 64, so that all nodes end together) and a quarter of them not, and what a large one, the controller and
#       this disk cost; FOLDER receives it as JSON, of which Scripts/slurm/parameters.py makes the parameters of simulate.py
#
# With SEGMENTD=FILE nothing is built.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_packages "${slurm_packages[@]}" faketime strace bindfs dcmtk python3-venv
need_test_environment
if [ -z "${SEGMENTD:-}" ]; then
  need_swift
  need_packages "${build_packages[@]}"
  say "building segmentd (release)"
  swift build -c release --product segmentd
  SEGMENTD=$(swift build -c release --show-bin-path)/segmentd
fi
isolated() { bash Scripts/slurm/isolated.sh .venv/bin/python3 "$@"; }
lab() { isolated Scripts/slurm/lab.py --segmentd "$SEGMENTD" "$@"; }
if [ "${1:-}" = --cost-curve ]; then
  count=${2:-64} folder=${3:-$(mktemp -d)}
  mkdir -p "$folder"
  for packed in 16 1; do
    say "$packed jobs in a pack at most"
    # Not packed, a study takes several times as long.
    studies=$((packed > 1 ? count : (count + 3) / 4))
    for nodes in 1 2 4; do
      # As many as there are in packs on all nodes, and as many again that wait: Slurm.md.
      jobs=$((2 * nodes * packed > 64 ? 2 * nodes * packed : 64))
      lab --nodes "$nodes" --measure "$studies" --maximum-jobs "$jobs" --pack-jobs "$packed" \
        --output "$folder/studies-$nodes-$packed.json"
    done
  done
  say "larger studies"
  lab --nodes 2 --measure 12 --slices 120 --size 256 --maximum-jobs 16 --output "$folder/large-studies.json"
  say "what is written to disks"
  lab --nodes 2 --measure 24 --maximum-jobs 64 --count-syncs --output "$folder/syncs.json"
  say "the controller"
  isolated Scripts/slurm/measure_controller.py --output "$folder/controller.json"
  say "the disk"
  .venv/bin/python3 Scripts/slurm/measure_disk.py "$folder" --output "$folder/disk.json"
  say "in $folder"
else
  lab "$@"
fi
