#!/usr/bin/env bash
# How fast the ledger is with a million instances of 10,000 studies: opening, inserting, claiming, the list of
# jobs, explain, series that are due. Makes such a ledger in $TMPDIR (about 1.5 GB, some minutes), prints the
# median times, and fails where one is above what is promised.
#
#   Scripts/bench-ledger.sh [INSTANCES [FILE]]      FILE receives the times as JSON
[ -z "${2:-}" ] || set -- "$1" "$(realpath -m "$2")"
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}"
say "building the tests (the ledger without optimisation: what is shipped is faster)"
in_test_build swift build "${test_build[@]}" --build-tests
[ -z "${2:-}" ] || export SEGMENTD_LEDGER_JSON=$2
SEGMENTD_LEDGER_INSTANCES=${1:-1000000} \
  in_test_build swift test "${test_build[@]}" --skip-build --filter 'JobLedgerTests.ScaleTests'
