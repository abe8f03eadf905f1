#!/usr/bin/env bash
# Fuzzes the reader of checkpoints (zip, legacy stream, safetensors, pickled plans) with libFuzzer
# and the address sanitizer:
#
#   bash Scripts/fuzz.sh [SECONDS]     600 by default; a finding is left in .build/fuzz
#
# Needs the toolchain's libFuzzer (in Swift's Linux toolchains) and the build's Debian packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

seconds=${1:-600}
need_packages "${build_packages[@]}"
need_swift
folder=.build/fuzz
mkdir -p "$folder/corpus"
say "building the fuzz target"
swiftc -O -g -parse-as-library -module-name CheckpointFuzz -sanitize=fuzzer,address \
  -I Sources/CZip Sources/Checkpoints/*.swift Scripts/fuzz/CheckpointFuzz.swift \
  -lzip -o "$folder/checkpoint"
# Small seeds only: libFuzzer changes a few bytes at a time.
find Fixtures/checkpoints -size -8k -exec cp -n {} "$folder/corpus/" \;
say "fuzzing for $seconds seconds"
# Swift's own signal handler interferes with the sanitizer.
SWIFT_BACKTRACE=enable=no nice -n 19 "$folder/checkpoint" \
  -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=20 \
  -artifact_prefix="$folder/" -print_final_stats=1 "$folder/corpus"
rm -f /dev/shm/segmentd-fuzz-*
say "no finding"
