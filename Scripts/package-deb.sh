#!/usr/bin/env bash
# Builds Debian packages of what is committed: segmentd, and one for each model, which has a licence of its own.
#
#   Scripts/package-deb.sh [--output FOLDER] [--sign KEY] [--versions FILE]
#
#   --output FOLDER   where the packages, the bill of materials and SHA256SUMS go (default: .build/packages)
#   --sign KEY        signs SHA256SUMS with this secret key of minisign
#   --versions FILE   takes these versions of the Swift packages, which an earlier build has left beside its packages
#
# The same commit is to give the same bytes with the same compiler and libraries, in whatever folder it is built.
output= key= versions=
while [ $# -gt 0 ]; do
  case $1:$# in
    --output:[2-9]*) output=$(realpath -m "$2"); shift 2 ;;
    --sign:[2-9]*) key=$(realpath "$2"); shift 2 ;;
    --versions:[2-9]*) versions=$(realpath "$2"); shift 2 ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" debhelper git python3 ${key:+minisign}
output=${output:-$PWD/.build/packages}
work=$PWD/.build/package
source=$work/source
tree=$work/tree
version=$(sed -n 's/.*static let current = "\(.*\)"/\1/p' Sources/SeriesProcessing/SegmentdVersion.swift)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
umask 022
mkdir -p "$work/build" "$source" "$output"

[ -z "$(git status --porcelain --untracked-files=no)" ] ||
  say "not committed, and not in the packages: $(git status --porcelain --untracked-files=no | cut -c4- | xargs)"
# With an index of its own a file that has not changed keeps its time, and is not compiled again.
GIT_INDEX_FILE=$work/index git --work-tree="$source" read-tree --reset -u HEAD
if [ -n "$versions" ]; then
  cmp -s "$versions" "$source/Package.resolved" || cp "$versions" "$source/Package.resolved"
fi
# What an ordinary build has fetched already.
if [ ! -d "$work/build/checkouts" ] && [ -d .build/checkouts ]; then
  cp -a .build/checkouts .build/repositories .build/workspace-state.json "$work/build/"
fi

say "building segmentd $version of $(git log -1 --format=%h) (release, Swift's libraries linked statically)"
namespace=(--mount)
[ "$(id -u)" -eq 0 ] || namespace+=(--map-root-user)
unshare "${namespace[@]}" bash "$source/Scripts/package/build.sh" "$work" ${versions:+--force-resolved-versions}

say "laying out the packages"
rm -rf "$tree"
mkdir -p "$tree"/{bin,share,completions,examples}
cd "$tree"
cp -r "$source/Scripts/package/debian" debian
cat > debian/changelog <<TEXT
segmentd ($version) unstable; urgency=medium

  * What changed is in /usr/share/doc/segmentd/guides/Changelog.md.

 -- segmentd maintainers <maintainers@segmentd.invalid>  $(date -R -d "@$SOURCE_DATE_EPOCH")
TEXT
strip --remove-section=.comment --remove-section=.note -o bin/segmentd "$work/build/release/segmentd"
python3 "$source/Scripts/package/components.py" "$version" bin/segmentd "$source/Sources/Segmentation/Models" \
  "$work/build/checkouts" "$source/Package.resolved" share/sbom.cdx.json third-party-notices
awk -f "$source/Scripts/package/configuration.awk" "$source/Config/segmentd.yaml" > segmentd.yaml
cp -r "$source/Sources/segmentd/Documentation.docc" guides
cp -r "$source/Config" config
sed 's#Sources/segmentd/Documentation.docc/#guides/#g' "$source/README.md" > README.md
for shell in bash zsh fish; do
  bin/segmentd --generate-completion-script $shell > completions/$shell
done
if [ -f "$source/Scripts/man-page.py" ]; then
  bin/segmentd --experimental-dump-help | python3 "$source/Scripts/man-page.py" > segmentd.1
  echo segmentd.1 > debian/segmentd.manpages
fi

model_versions=()
for folder in "$source"/Sources/Segmentation/Models/*/; do
  model=$(basename "$folder")
  mkdir -p "models/$model"
  cp -r "$folder"/{CARD.md,golden,model.yaml,weights.safetensors} "models/$model/"
  model_versions+=("MODEL_VERSION_${model^^}=$(sed -n 's/^version: //p' "$folder/model.yaml")")
done
cp -r "$source/Fixtures/series/synthetic-1" examples/hippocampus
cp -r "$source/Fixtures/series/cardiac-1" examples/cardiac

say "making the packages"
env "${model_versions[@]}" debian/rules binary > "$work/debhelper.log" 2>&1 ||
  { tail -20 "$work/debhelper.log"; die "see $work/debhelper.log"; }
cd "$output"
rm -f segmentd*.deb segmentd*.cdx.json segmentd*.versions.json SHA256SUMS SHA256SUMS.minisig
cp "$work"/segmentd*.deb .
rm "$work"/segmentd*.deb
cp "$tree/share/sbom.cdx.json" "segmentd_$version.cdx.json"
cp "$source/Package.resolved" "segmentd_$version.versions.json"
sha256sum segmentd* > SHA256SUMS
if [ -n "$key" ]; then
  minisign -S -s "$key" -m SHA256SUMS -t "segmentd $version" > /dev/null
fi
say "packages are in $output"
ls -l
