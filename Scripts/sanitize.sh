#!/usr/bin/env bash
# Runs the tests of the modules with a sanitizer of the toolchain:
#
#   bash Scripts/sanitize.sh address|thread [OPTION...]     options are handed to `swift test`
#
# Without options these are all but the tests from end to end. Code of the system's libraries is not
# instrumented; the thread sanitizer is told of Swift's Mutex by thread_sanitizer_mutex.c.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

sanitizer=${1:-}
case $sanitizer in
  address | thread) shift ;;
  *) die "usage: Scripts/sanitize.sh address|thread [OPTION...]" ;;
esac
[ $# -gt 0 ] || set -- --skip EndToEndTests

need_swift
need_packages "${build_packages[@]}" "${peer_packages[@]}" "${test_packages[@]}"
need_test_environment
need_promtool

# Memory of libraries that is still there at the end is not ours, and Swift's own handler would take
# the signal.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=0:exitcode=66
options=(--sanitize="$sanitizer" --scratch-path ".build/$sanitizer")
say "building with the $sanitizer sanitizer"
swift build "${options[@]}" --build-tests
say "running the tests"
if [ "$sanitizer" = thread ]; then
  preloaded=$PWD/.build/thread/mutex.so
  "$(dirname "$(readlink -f "$(command -v swift)")")/clang" -O2 -Wall -shared -fPIC -o "$preloaded" \
    Scripts/test-support/thread_sanitizer_mutex.c -ldl
  export LD_PRELOAD=$preloaded
fi
swift test "${options[@]}" --skip-build "$@"
