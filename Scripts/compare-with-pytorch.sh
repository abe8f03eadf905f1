#!/usr/bin/env bash
# One patch of a published network: ours and PyTorch eager, in turn, on the same weights, input and
# number of threads; prints each time and the ratio of the medians.
#
#   Scripts/compare-with-pytorch.sh [synapse|acdc|lung|tumor] [THREADS] [ROUNDS]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
variant=${1:-synapse} threads=${2:-$(nproc)} rounds=${3:-5}
# A core named in the environment may be an old one, which halves OpenBLAS.
unset OPENBLAS_CORETYPE

need_swift
need_packages "${build_packages[@]}" python3 python3-venv
environment=.build/pytorch
if [ ! -x $environment/bin/python3 ]; then
  say "creating $environment with PyTorch"
  python3 -m venv $environment
  $environment/bin/pip install --quiet --disable-pip-version-check -r Scripts/train/requirements.txt
fi
say "building segmentd (release)"
swift build -c release --product segmentd
segmentd=$(swift build -c release --show-bin-path)/segmentd
$environment/bin/python3 Scripts/train/compare_speed.py \
  --segmentd "$segmentd" --variant "$variant" --threads "$threads" --rounds "$rounds"
