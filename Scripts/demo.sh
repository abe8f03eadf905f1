#!/usr/bin/env bash
# The main job end to end on this machine: a real PACS (Orthanc) and segmentd on loopback, a series sent by
# C-STORE, its segmentation fetched back by DICOMweb.
#
#   Scripts/demo.sh                  the bundled synthetic series, a hippocampus and a beating heart
#   Scripts/demo.sh FOLDER [MODEL]   DICOM files of yours, segmented by MODEL (default: hippocampus)
#   Scripts/demo.sh --keep …         leaves the PACS and segmentd running until Ctrl-C, and says where they are
#
# SEGMENTD=PROGRAM in the environment: of this program, in place of one that is built.
keep=
if [ "${1:-}" = --keep ]; then
  keep=1
  shift
fi
input=${1:+$(realpath "$1")} || exit 1
model=${2:-hippocampus}
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
series=$PWD/Fixtures/series
heart=
# The cardiac model may have been left out for its licence.
[ -n "$input" ] || [ ! -d Sources/Segmentation/Models/cardiac ] || heart=$series/cardiac-1
input=${input:-$series/synthetic-1}
[ -d "$input" ] || die "$input is not a folder"

need_packages "${peer_packages[@]}"
need_segmentd

work=$(mktemp -d "${TMPDIR:-/tmp}/segmentd-demo.XXXXXX")
result=$work/result
mkdir "$result"
processes=()
stop() {
  trap - EXIT INT TERM
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${processes[@]}"; do
    for _ in $(seq 100); do kill -0 "$process" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local until=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    for process in "${processes[@]}"; do
      kill -0 "$process" 2>/dev/null || die "a process ended early; see $work/*.log"
    done
    sleep 0.3
  done
}

pacs_port=$(free_port) http_port=$(free_port) listener_port=$(free_port) web_port=$(free_port)
say "starting Orthanc as the PACS: AE PACS, DICOM port $pacs_port, http://127.0.0.1:$http_port"
cat > "$work/orthanc.json" <<JSON
{"Name": "PACS", "StorageDirectory": "$work/pacs", "IndexDirectory": "$work/pacs",
 "DicomAet": "PACS", "DicomPort": $pacs_port, "HttpPort": $http_port,
 "DicomCheckCalledAet": true, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
 "DicomModalities": {"segmentd": ["SEGMENTD", "127.0.0.1", $listener_port]},
 "Plugins": ["/usr/share/orthanc/plugins"],
 "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}}
JSON
Orthanc "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
processes+=($!)
web=http://127.0.0.1:$http_port/dicom-web
wait_for 60 curl -fsS "$web/studies" || die "Orthanc does not answer; see $work/orthanc.log"

say "starting segmentd: AE SEGMENTD, DICOM port $listener_port, model $model"
password=$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')
hash=$("$segmentd" config hash-password <<< "$password")
(umask 077; cat > "$work/segmentd.yaml") <<YAML
stateDirectory: $work/state
listener: {aeTitle: SEGMENTD, address: 127.0.0.1, port: $listener_port}
web:
  address: 127.0.0.1
  port: $web_port
  dashboard: true
  users: [{name: demo, passwordHash: "$hash", role: operator}]
assembly: {quietSeconds: 2}
rules:
  - {model: $model${heart:+, require: {imagesPerSlice: {max: 1\}\}}}
${heart:+  - {model: cardiac, require: {imagesPerSlice: {min: 2\}\}\}}
destinations:
  - {name: pacs, aeTitle: PACS, host: 127.0.0.1, port: $pacs_port}
YAML
"$segmentd" serve --config "$work/segmentd.yaml" 2>"$work/segmentd.log" &
processes+=($!)
wait_for 60 echoscu -aet DEMO -aec SEGMENTD 127.0.0.1 "$listener_port" ||
  die "segmentd does not answer; see $work/segmentd.log"

say "sending $input${heart:+ and $heart}"
if [ "$input" = "$series/synthetic-1" ]; then
  storescu -R -aet DEMO -aec SEGMENTD +sd +r 127.0.0.1 "$listener_port" "$input"
else
  # dcmsend offers each file in its own transfer syntax and passes over what is not DICOM.
  dcmsend --no-halt --decompress-never --scan-directories --recurse \
    -aet DEMO -aec SEGMENTD 127.0.0.1 "$listener_port" "$input"
fi || die "not every file of $input was accepted; see $work/segmentd.log"
[ -z "$heart" ] || dcmsend --no-halt --decompress-never --scan-directories --recurse \
  -aet DEMO -aec SEGMENTD 127.0.0.1 "$listener_port" "$heart" ||
  die "not every file of $heart was accepted; see $work/segmentd.log"

say "waiting for the segmentation to arrive in the PACS"
every_job_ended() {
  # The last series of several may still be within its quiet period.
  sleep 3
  "$segmentd" jobs --config "$work/segmentd.yaml" --json |
    python3 Scripts/demo/jobs_ended.py
}
wait_for 3600 every_job_ended || die "no result after an hour; see $work/segmentd.log"
"$segmentd" jobs --config "$work/segmentd.yaml"

say "fetching it back by DICOMweb"
python3 Scripts/demo/fetch_segmentations.py "$web" "$result"
for picture in "$work"/state/results/*/contours.png; do
  [ -f "$picture" ] && cp "$picture" "$result/contours-of-job-$(basename "$(dirname "$picture")").png"
done
ls "$result"/*.dcm >/dev/null 2>&1 || die "no segmentation was made: the table above has the reason"
if [ "$input" = "$series/synthetic-1" ]; then
  say "compared with the labels with which the series was drawn (a synthetic subject, noisier than real images):"
  for object in "$result"/*-1.dcm; do
    # The heart's series holds a second object.
    [ -e "${object%-1.dcm}-2.dcm" ] || "$segmentd" evaluate --model "$model" --predictions "$object" \
      --labels "$input.labels.nii.gz"
  done
fi
if [ -n "$heart" ]; then
  say "the heart: end-diastole compared with the labels with which it was drawn, and what the job keeps"
  "$segmentd" evaluate --model cardiac --labels "$heart.ed.labels.nii.gz" \
    --predictions "$(ls "$work"/state/results/*/segmentation-phase-*.dcm | head -1)"
  "$segmentd" jobs --config "$work/segmentd.yaml" --json | python3 Scripts/demo/measurements.py cardiac
fi
say "results:"
find "$result" -type f -printf '    %p\n'
[ -n "$keep" ] || exit 0
say "running until Ctrl-C:"
cat <<TEXT
    the PACS      http://127.0.0.1:$http_port/app/explorer.html (the studies and their segmentations)
                  C-STORE, C-FIND: AE PACS, port $pacs_port
    segmentd      http://127.0.0.1:$web_port/ (the dashboard: user demo, password $password)
                  http://127.0.0.1:$web_port/healthz, /readyz, /metrics
                  C-STORE: AE SEGMENTD, port $listener_port
    more of it    $segmentd jobs --config $work/segmentd.yaml
                  $segmentd explain --config $work/segmentd.yaml --study UID
    log           $work/segmentd.log
TEXT
wait -n "${processes[@]}" || true
die "a process ended; see $work/*.log"
