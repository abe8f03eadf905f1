#!/usr/bin/env bash
# Instructions of the main kernels, counted by callgrind: figures that do not depend on the machine's
# load. AVX2, because callgrind knows no AVX-512.
#
#   Scripts/count-instructions.sh [avx2|portable]
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
isa=${1:-avx2}

command -v clang >/dev/null || need_packages clang
need_packages valgrind
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
clang -O2 -gdwarf-4 -ISources/CKernels/include -ISources/CKernels Sources/CKernels/*.c \
  Scripts/test-support/kernel_counts.c -o "$folder/kernel_counts" -lm -lpthread
valgrind --quiet --tool=callgrind --callgrind-out-file="$folder/out" "$folder/kernel_counts" "$isa"
callgrind_annotate --inclusive=yes --threshold=100 "$folder/out" 2>/dev/null |
  awk -v isa="$isa" '
    # Multiplications with addition of the definition, for the sizes in kernel_counts.c.
    BEGIN {
      work["convolve3"] = work["winogradStrip"] = 27 * 32 * 32 * 8192
      work["product"] = 32 * 32 * 8192
      work["attend"] = 2 * 32 * 64 * 8192
      work["head"] = 16 * 14 * 8192
      printf "%-14s %16s %28s\n", "kernel", "instructions", "per 1000 multiply-adds"
    }
    {
      for (name in work) if ($0 ~ ":" name "_[0-9]+x16_" isa "( |$)" && !(name in seen)) {
        seen[name] = 1
        count = $1
        gsub(",", "", count)
        printf "%-14s %16d %28.0f\n", name, count, 1000 * count / work[name]
      }
    }'
