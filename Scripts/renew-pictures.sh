#!/usr/bin/env bash
# Draws the pictures of results in Fixtures/pictures anew, from the synthetic series that come with the project:
# demo.png (contours.png of the hippocampus) and page.png (the page of the heart's first phase). Those of the
# dashboard are taken with a browser: Fixtures/README.md.
#
# SEGMENTD=PROGRAM in the environment: by this program, in place of one that is built.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_segmentd

work=$(mktemp -d "${TMPDIR:-/tmp}/segmentd-pictures.XXXXXX")
trap 'rm -rf "$work"' EXIT
models=$PWD/Sources/Segmentation/Models

# draw MODEL SERIES FILE PICTURE [OPTION...]
draw() {
  local model=$1 series=$2 file=$3 picture=$4
  shift 4
  "$segmentd" run --models "$models" --model "$model" --output "$work/$model" "$@" \
    "Fixtures/series/$series"
  local made
  made=$(find "$work/$model" -name "$file" | head -1)
  [ -n "$made" ] || die "the result on $series has no $file"
  install -m 644 "$made" "Fixtures/pictures/$picture"
  say "Fixtures/pictures/$picture"
}

draw hippocampus synthetic-1 contours.png demo.png
# The cardiac model may have been left out for its licence.
[ ! -d "$models/cardiac" ] ||
  draw cardiac cardiac-1 page-phase-01.png page.png --captures page
