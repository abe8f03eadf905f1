#!/usr/bin/env bash
# Resampling: ours, scikit-image's, SciPy's and SimpleITK's, in turn, on the same arrays; prints a
# table of times, ratios and differences.
#
#   Scripts/compare-resampling.sh [SLICES] [ROUNDS]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
slices=${1:-300} rounds=${2:-3}

need_swift
need_packages "${build_packages[@]}" python3 python3-venv
environment=.build/resampling
if [ ! -x $environment/bin/python3 ]; then
  say "creating $environment with scikit-image, SciPy and SimpleITK"
  python3 -m venv $environment
fi
$environment/bin/pip install --quiet --disable-pip-version-check \
  numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 SimpleITK==2.5.7
say "building segmentd (release)"
swift build -c release --product segmentd
segmentd=$(swift build -c release --show-bin-path)/segmentd
$environment/bin/python3 Scripts/test-support/oracles/compare_resampling.py \
  --segmentd "$segmentd" --slices "$slices" --rounds "$rounds"
