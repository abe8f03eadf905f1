#!/usr/bin/env bash
# Sets up what is missing and runs every test. Options are handed to `swift test`; --build alone builds the tests.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" "${test_packages[@]}"
need_test_environment
need_promtool
need_ohif
need_pydicom_seg

say "building with all tests"
in_test_build swift build "${test_build[@]}" --build-tests
[ "${1:-}" != --build ] || exit 0
if [ $# -gt 0 ]; then
  say "running the tests chosen"
  in_test_build swift test "${test_build[@]}" --skip-build "$@"
else
  # One part after the other: full-size networks would starve the servers, daemons and peers of the others. A part
  # that fails does not keep the next ones from being run.
  networks='^(TensorsTests|UNETRPPTests|SegmentationTests|TrainingTests|TrainingRunsTests)\.'
  daemons='^(EndToEndTests|WebServerTests)\.'
  status=0
  say "running the tests of networks and training"
  in_test_build swift test "${test_build[@]}" --skip-build --filter "$networks" || status=$?
  say "running the tests of the other modules"
  in_test_build swift test "${test_build[@]}" --skip-build --skip "$networks" --skip "$daemons" || status=$?
  say "running the tests of servers, and from end to end"
  in_test_build swift test "${test_build[@]}" --skip-build --filter "$daemons" || status=$?
  exit "$status"
fi
