#!/usr/bin/env bash
# Fuzzes what reads bytes from outside, with libFuzzer and the address sanitizer:
#
#   bash Scripts/fuzz.sh [SECONDS] [TARGET...]     600 seconds for each target by default
#
#   AnswerFuzz       answers of DICOMweb servers: matches, workitems, what became of stored instances
#   CheckpointFuzz   zip, legacy stream, safetensors, pickled plans
#   InstanceFuzz     DICOM files: identity, damaged headers, deflate, series facts, geometry, pixels
#   LabelFuzz        segmentations, label maps and structure sets of others
#   MultipartFuzz    bodies and header fields of STOW-RS
#   VolumeFuzz       NIfTI
#   FramingFuzz      PDUs and PDVs of an association
#   associations     whole conversations with a daemon built with the address sanitizer
#
# .ci/run does it briefly: FramingFuzz, and tests that change bytes of the other formats at random (RandomDamage,
# randomDamageIsSurvived, damagedPicklesNeverCrash, AssociationFuzzTests). A finding is left in .build/fuzz.
# Needs the toolchain's libFuzzer (in Swift's Linux toolchains) and the build's Debian packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(AnswerFuzz CheckpointFuzz InstanceFuzz LabelFuzz MultipartFuzz VolumeFuzz FramingFuzz associations)
folder=.build/fuzz
# Swift's own signal handler interferes with the sanitizer. DCMTK's and libzip's memory is not ours.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
trap 'rm -f /dev/shm/segmentd-fuzz-*' EXIT

sanitized() { swift build --scratch-path "$folder" -c release --sanitize=address "$@"; }

# run_target NAME PROGRAM SEED...: seeds are files or folders.
run_target() {
  local name=$1 program=$2
  shift 2
  mkdir -p "$folder/corpus/$name" "$folder/seeds/$name"
  # Small seeds only: libFuzzer changes a few bytes at a time.
  [ $# -eq 0 ] || find "$@" -type f -size -16k -exec cp -n {} "$folder/seeds/$name/" \;
  say "$name: $seconds seconds"
  nice -n 19 "$program" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -timeout=20 -artifact_prefix="$folder/$name-" -print_final_stats=1 \
    -verbosity=0 "$folder/corpus/$name" "$folder/seeds/$name"
}

# One slice in every transfer syntax that DCMTK writes.
instance_seeds() {
  local seeds=$folder/seeds/InstanceFuzz slice=Fixtures/series/synthetic-1/IM0001.dcm
  mkdir -p "$seeds"
  cp -n "$slice" Fixtures/series/cardiac-1/*01.dcm "$seeds/" 2>/dev/null || true
  dcmconv +ti "$slice" "$seeds/implicit.dcm"
  dcmconv +tb "$slice" "$seeds/big-endian.dcm"
  dcmconv +td "$slice" "$seeds/deflated.dcm"
  dcmconv +e -g "$slice" "$seeds/undefined-lengths.dcm"
  dcmcrle "$slice" "$seeds/rle.dcm"
  dcmcjpeg +e1 "$slice" "$seeds/jpeg-lossless.dcm"
  dcmcjpls "$slice" "$seeds/jpeg-ls.dcm"
}

# A segmentation and a label map of two slices of 8 × 8 pixels with two segments, and a structure set on them.
label_seeds() {
  local folder=$folder/seeds/LabelFuzz kind
  mkdir -p "$folder"
  for kind in segmentation labelmap structures; do
    python3 Scripts/fuzz/label_seeds.py "$kind" > "$folder/$kind.dump"
    dump2dcm --write-xfer-little "$folder/$kind.dump" "$folder/$kind.dcm"
    rm "$folder/$kind.dump"
  done
}

# Labels as they are without compression.
volume_seeds() {
  mkdir -p "$folder/seeds/VolumeFuzz"
  # Not in a pipeline, which would fail with gzip, as nobody reads the rest.
  head -c 16000 < <(gzip -dc Fixtures/series/synthetic-1.labels.nii.gz) > "$folder/seeds/VolumeFuzz/cut.nii"
}

# Two parts in pieces of 32 bytes.
multipart_seeds() {
  mkdir -p "$folder/seeds/MultipartFuzz"
  printf ' --b\r\nContent-Type: application/dicom\r\n\r\n1\r\n--bx\r\n--b \r\n\r\n2\r\n--b--\r\n' \
    > "$folder/seeds/MultipartFuzz/two"
}

# A workitem with an input, and an answer to a Store transaction with both sequences.
answer_seeds() {
  mkdir -p "$folder/seeds/AnswerFuzz"
  printf '[{"00080018":{"vr":"UI","Value":["1.2.3"]},"00741000":{"vr":"CS","Value":["SCHEDULED"]},%s}]' \
    '"00404021":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI","Value":["1.2"]},"0020000E":{"vr":"UI","Value":["1.2.3"]}}]}' \
    > "$folder/seeds/AnswerFuzz/workitem"
  printf '{"00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2"]},%s}]},"00081199":{"vr":"SQ"}}' \
    '"00081197":{"vr":"US","Value":[272]}' > "$folder/seeds/AnswerFuzz/stored"
}

# One conversation: request, C-ECHO, release.
framing_seeds() {
  mkdir -p "$folder/seeds/FramingFuzz"
  PYTHONPATH=Scripts/test-support/peers python3 - > "$folder/seeds/FramingFuzz/echo" <<'END'
import sys
from hostile_peers import VERIFICATION, command, data, pdu, request
# Behind the request, which is not framed.
sys.stdout.buffer.write(data(3, command(0x30, VERIFICATION)) + pdu(5, bytes(4)))
END
}

fuzz_associations() {
  say "associations: building the daemon with the address sanitizer"
  swift build --scratch-path .build/asan -c release --sanitize=address --product segmentd
  local state port=21112
  state=$(mktemp -d)
  printf 'stateDirectory: %s/state\nlistener: {aeTitle: SEGMENTD, address: 127.0.0.1, port: %d}\n' \
    "$state" "$port" > "$state/segmentd.yaml"
  .build/asan/release/segmentd serve --config "$state/segmentd.yaml" > "$folder/associations.log" 2>&1 &
  local daemon=$!
  until (echo > "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$daemon" 2>/dev/null || die "the daemon ended: $folder/associations.log"
    sleep 0.2
  done
  say "associations: $seconds seconds"
  python3 Scripts/test-support/peers/association_fuzz.py "$port" SEGMENTD "$seconds"
  kill -TERM "$daemon"
  wait "$daemon" || die "the daemon failed: $folder/associations.log"
  # A crash ends only the process that receives, which is started again.
  ! grep -q "receiving process .* is started again" "$folder/associations.log" ||
    die "the receiving process crashed: $folder/associations.log"
  rm -rf "$state"
}

need_packages "${build_packages[@]}" dcmtk python3
need_swift
mkdir -p "$folder"
for target in "${targets[@]}"; do
  case $target in
    associations) fuzz_associations ;;
    FramingFuzz)
      clang++ -std=c++17 -O1 -g -fsanitize=fuzzer,address -I Sources/CDCMTK Scripts/fuzz/FramingFuzz.cpp \
        Sources/CDCMTK/networkPDU.cpp -o "$folder/FramingFuzz"
      framing_seeds
      run_target FramingFuzz "$folder/FramingFuzz"
      ;;
    *)
      say "$target: building"
      # -enable-testing: a target sees what the tests of its module see.
      sanitized --package-path Scripts/fuzz --sanitize=fuzzer -Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing \
        --product "$target"
      case $target in
        AnswerFuzz) answer_seeds; seeds=() ;;
        CheckpointFuzz) seeds=(Fixtures/checkpoints) ;;
        InstanceFuzz) instance_seeds; seeds=(Fixtures/series/synthetic-1) ;;
        LabelFuzz) label_seeds; seeds=() ;;
        MultipartFuzz) multipart_seeds; seeds=() ;;
        VolumeFuzz) volume_seeds; seeds=(Fixtures/series -name '*.nii.gz') ;;
      esac
      run_target "$target" "$folder/release/$target" "${seeds[@]}"
      ;;
  esac
done
say "no finding"
