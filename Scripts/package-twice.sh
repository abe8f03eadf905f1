#!/usr/bin/env bash
# Builds the packages of what is committed a second time, in a clone in another folder, and compares them byte by byte with
# those that Scripts/package-deb.sh has built; diffoscope tells what differs.
#
#   Scripts/package-twice.sh [FOLDER]   packages of the first build (default: .build/packages)
first=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../.build/packages}") || exit 1
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
versions=$(echo "$first"/segmentd_*.versions.json)
[ -f "$versions" ] || die "no packages in $first: run Scripts/package-deb.sh"

need_packages diffoscope-minimal git
work=$(mktemp -d "${TMPDIR:-/var/tmp}/segmentd-again.XXXXXX")
trap 'rm -rf "$work"' EXIT
# Of another name and depth than this folder.
again=$work/quite/another/place
git clone --quiet --no-hardlinks "$PWD" "$again"
git -C "$again" checkout --quiet "$(git rev-parse HEAD)"
# What the first build has fetched.
mkdir -p "$again/.build"
for name in checkouts repositories workspace-state.json; do
  [ ! -e ".build/package/build/$name" ] || cp -a ".build/package/build/$name" "$again/.build/"
done
bash "$again/Scripts/package-deb.sh" --versions "$versions" --output "$work/packages"

say "comparing $first with $work/packages"
differ=
for file in "$first"/segmentd*; do
  name=$(basename "$file")
  [ -f "$work/packages/$name" ] || die "$name was not built again: are the packages in $first of this commit?"
  cmp -s "$file" "$work/packages/$name" && continue
  differ=1
  diffoscope "$file" "$work/packages/$name" || true
done
[ -z "$differ" ] || die "two builds give different bytes"
cmp -s "$first/SHA256SUMS" "$work/packages/SHA256SUMS" || die "there are files in one of both alone"
say "the same bytes:"
cat "$first/SHA256SUMS"
