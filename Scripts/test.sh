#!/usr/bin/env bash
# Sets up what is missing and runs every test. Options are handed to `swift test`.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" "${test_packages[@]}"
need_test_environment
need_promtool

# Optimised, as it is shipped: full-size networks would take an hour without. A folder of its own,
# because the flags differ from those of the shipped build.
options=(-c release --scratch-path .build/tests -Xswiftc -enable-testing)
say "building with all tests (release)"
swift build "${options[@]}" --build-tests
if [ $# -gt 0 ]; then
  say "running the tests chosen"
  swift test "${options[@]}" --skip-build "$@"
else
  # One part after the other, and not all tests of a part at once: full-size networks would starve
  # the servers, daemons and peers of the other parts.
  export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-16}
  networks='^(TensorsTests|UNETRPPTests|SegmentationTests|TrainingTests|TrainingRunsTests)\.'
  daemons='^(EndToEndTests|WebServerTests)\.'
  say "running the tests of networks and training"
  swift test "${options[@]}" --skip-build --filter "$networks"
  say "running the tests of the other modules"
  swift test "${options[@]}" --skip-build --skip "$networks" --skip "$daemons"
  say "running the tests of servers, and from end to end"
  swift test "${options[@]}" --skip-build --filter "$daemons"
fi
