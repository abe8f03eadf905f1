#!/usr/bin/env bash
# Segmentation objects of 13 labels on every slice of a CT of 512x512 pixels, written by segmentd, highdicom and dcmqi in
# turn from the same images and labels: a line of JSON for each, with time and peak memory.
#
#   Scripts/compare-writers.sh [SLICES] [ROUNDS]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
slices=${1:-500} rounds=${2:-3}

need_swift
need_packages "${build_packages[@]}" python3-venv
need_test_environment
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say "building segmentd (release)" >&2
swift build -c release --product segmentd >&2
segmentd=$(swift build -c release --show-bin-path)/segmentd
.venv/bin/python3 Scripts/test-support/generators/make_seeded_bundle.py "$folder/bundle" >&2
.venv/bin/python3 Scripts/test-support/generators/make_series.py "$folder/series" \
  --slices "$slices" --size 512 --spacing 1.0 0.78 0.78 >&2
.venv/bin/python3 Scripts/test-support/oracles/compare_writers.py "$segmentd" "$folder" --rounds "$rounds"
