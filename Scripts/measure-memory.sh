#!/usr/bin/env bash
# Peak memory and time of one whole job: a synthetic CT of 512x512 pixels, segmented with the full
# Synapse network (14 classes, untrained weights), as `segmentd run` reports it.
#
#   Scripts/measure-memory.sh [SLICES] [SPACING z y x]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
slices=${1:-1000}
spacing=("${2:-1.0}" "${3:-0.78}" "${4:-0.78}")
# A core named in the environment may be an old one, which halves OpenBLAS.
unset OPENBLAS_CORETYPE

need_swift
need_packages "${build_packages[@]}" "${test_packages[@]}"
need_test_environment
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say "building segmentd (release)"
swift build -c release --product segmentd
segmentd=$(swift build -c release --show-bin-path)/segmentd
.venv/bin/python3 Scripts/test-support/generators/make_seeded_bundle.py "$folder/bundle"
.venv/bin/python3 Scripts/test-support/generators/make_series.py "$folder/series" \
  --slices "$slices" --size 512 --spacing "${spacing[@]}"
time "$segmentd" run --model "$folder/bundle" --output "$folder/results" --json "$folder/series"
