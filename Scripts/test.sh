#!/usr/bin/env bash
# Sets up what is missing and runs every test. Options are handed to `swift test`.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" "${test_packages[@]}"
need_test_environment

say "building (debug)"
swift build --build-tests
say "running the tests"
swift test --skip-build "$@"
