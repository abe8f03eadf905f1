#!/usr/bin/env bash
# Builds the documentation of every module with DocC into .build/docc and fails on any warning, such
# as a link to a symbol that does not exist or a parameter that the declaration does not have. With --built
# of what Scripts/test.sh has built, and beside running tests.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
output=$PWD/.build/docc
if [ "${1:-}" != --built ]; then
  say "building the modules as for the tests"
  in_test_build swift build "${test_build[@]}"
fi
built=$(realpath .build/tests/release)
say "extracting symbols"
# Of the modules as they are built for the tests: `swift package dump-symbol-graph` would build everything
# once more. Modules in C are found by their module maps.
graphs=$output.graphs
rm -rf "$graphs"
mkdir -p "$graphs"
search=(-I "$built/Modules" -Xcc -isystem -Xcc /usr/include/nifti)
while read -r map; do
  search+=(-Xcc "-fmodule-map-file=$map" -Xcc -I -Xcc "$(dirname "$map")")
done < <(
  find "$PWD/Sources" "$PWD/.build/tests/checkouts" -name module.modulemap -path '*/Sources/*'
  # Of modules in C without one of their own.
  find "$built" -maxdepth 2 -name module.modulemap
)
for module in "$built"/Modules/*.swiftmodule; do
  name=$(basename "$module" .swiftmodule)
  [ -d "Sources/$name" ] && [ "$name" != segmentd ] || continue
  # Internal symbols too: their comments link to each other, and contributors read them.
  swift symbolgraph-extract -module-name "$name" -target "$(uname -m)-unknown-linux-gnu" "${search[@]}" \
    -minimum-access-level internal -skip-synthesized-members -output-dir "$graphs" &
  # As many at a time as there are processors.
  if [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; then wait -n; fi
done
wait
rm -rf "$output"
failed=()
for module in $(find Sources -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort); do
  [ -n "$(find "Sources/$module" -name '*.swift' -print -quit)" ] || continue
  mkdir -p "$output/$module/graphs"  # stays empty for the program itself, which has guides only
  find "$graphs" \( -name "$module.symbols.json" -o -name "$module@*.symbols.json" \) \
    -exec cp -t "$output/$module/graphs" {} +
  catalogue=()
  [ "$module" = segmentd ] || [ -f "$output/$module/graphs/$module.symbols.json" ] ||
    die "no symbols of $module were extracted"
  [ -d "Sources/$module/Documentation.docc" ] && catalogue=("Sources/$module/Documentation.docc")
  docc convert "${catalogue[@]}" --warnings-as-errors --fallback-display-name "$module" \
    --fallback-bundle-identifier "$module" --additional-symbol-graph-dir "$output/$module/graphs" \
    --output-path "$output/$module/$module.doccarchive" || failed+=("$module")
done
[ ${#failed[@]} -eq 0 ] || die "warnings in the documentation of: ${failed[*]}"
say "documentation is in $output"
