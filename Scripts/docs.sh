#!/usr/bin/env bash
# Builds the documentation of every module with DocC into .build/docc and fails on any warning, such
# as a link to a symbol that does not exist or a parameter that the declaration does not have.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
output=$PWD/.build/docc
say "extracting symbols"
# From the build of the tests, which .ci/run has at hand. Internal symbols too: their comments link to each other, and contributors read them. The command
# fails for CNIFTI, whose headers need a flag that it does not pass on; that module has no Swift.
mkdir -p "$(dirname "$output")"
swift package "${test_build[@]}" dump-symbol-graph --minimum-access-level internal --skip-synthesized-members \
  >"$output.log" 2>&1 || true
graphs=$(dirname "$(swift build "${test_build[@]}" --show-bin-path)")/symbolgraph
rm -rf "$output"
failed=()
for module in $(find Sources -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort); do
  [ -n "$(find "Sources/$module" -name '*.swift' -print -quit)" ] || continue
  mkdir -p "$output/$module/graphs"  # stays empty for the program itself, which has guides only
  find "$graphs" \( -name "$module.symbols.json" -o -name "$module@*.symbols.json" \) \
    -exec cp -t "$output/$module/graphs" {} +
  catalogue=()
  [ "$module" = segmentd ] || [ -f "$output/$module/graphs/$module.symbols.json" ] ||
    die "no symbols of $module were extracted; see $output.log"
  [ -d "Sources/$module/Documentation.docc" ] && catalogue=("Sources/$module/Documentation.docc")
  docc convert "${catalogue[@]}" --warnings-as-errors --fallback-display-name "$module" \
    --fallback-bundle-identifier "$module" --additional-symbol-graph-dir "$output/$module/graphs" \
    --output-path "$output/$module/$module.doccarchive" || failed+=("$module")
done
[ ${#failed[@]} -eq 0 ] || die "warnings in the documentation of: ${failed[*]}"
say "documentation is in $output"
