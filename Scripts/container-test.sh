#!/usr/bin/env bash
# Builds the image of Scripts/package/Containerfile with buildah, from the packages of Scripts/package-deb.sh, and starts
# what it says: C-ECHO, its health check, a study by C-STORE, its stop signal. To be run by hand.
#
#   Scripts/container-test.sh [FOLDER]   packages (default: .build/packages); as root, a mirror of Debian is needed
#
# Neither a registry nor a container engine's daemon: debian:12-slim is a tree of debootstrap here, and processes run in a
# chroot (buildah --isolation chroot), so that this works within a container too.
packages=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../.build/packages}") || exit 1
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
[ "$(id -u)" -eq 0 ] || die "run this as root: it makes a tree of Debian"
[ -n "$(compgen -G "$packages/segmentd_*_amd64.deb")" ] ||
  die "no package in $packages: run Scripts/package-deb.sh"
need_packages buildah debootstrap dcmtk python3

work=$PWD/.build/container-test
mkdir -p "$work"
log=$work/log
: > "$log"
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
store() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
container=
daemon=
finish() {
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  [ -z "$container" ] || store rm "$container" > /dev/null 2>&1 || true
}
trap finish EXIT

base=docker.io/library/debian:12-slim
say "the base image, of debootstrap"
if ! store inspect --type image "$base" > /dev/null 2>&1; then
  if [ ! -d "$work/base" ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null | head -1)
    debootstrap --variant=minbase bookworm "$work/base.new" ${mirror:+"$mirror"} >> "$log"
    mv "$work/base.new" "$work/base"
  fi
  container=$(store from scratch)
  store add "$container" "$work/base" / >> "$log"
  store commit --format docker "$container" "$base" >> "$log" 2>&1
  store rm "$container" > /dev/null
  container=
fi

say "the image"
store build --pull=never --format docker -t segmentd -f Scripts/package/Containerfile "$packages" >> "$log" 2>&1 ||
  { tail "$log"; die "the Containerfile cannot be built: see $log"; }
store inspect --type image segmentd > "$work/image.json"
# field NAME: of the image's configuration, a word a line.
field() {
  python3 - "$work/image.json" "$1" << 'END'
import json, sys
value = json.load(open(sys.argv[1]))["Docker"]["config"].get(sys.argv[2])
if isinstance(value, dict): value = value.get("Test") or sorted(value)
print("\n".join(value if isinstance(value, list) else [str(value)]))
END
}
[ "$(field User)" = segmentd ] || die "it does not run as the user segmentd"
[ "$(field ExposedPorts)" = 11112/tcp ] || die "it exposes another port"
[ "$(field Volumes)" = /var/lib/segmentd ] || die "it has another volume"
mapfile -t command < <(field Entrypoint; field Cmd)
mapfile -t health < <(field Healthcheck | tail -n +2)

say "a container: ${command[*]}"
container=$(store from --pull=never segmentd)
inside() { store run "$container" -- "$@"; }
inside segmentd --version
inside segmentd models list --json | grep -q hippocampus || die "the model is not there"
# The rules and times of this test, which does not depend on the hour of the day; ports are the machine's own.
mount=$(store mount "$container")
port=$(free_port)
sed -i "s/^  port: 11112/  port: $port/; s/^  quietSeconds: 30 /  quietSeconds: 2 /; /^nightlyCheck:/,/^$/d" \
  "$mount/etc/segmentd/segmentd.yaml"
echo 'rules: [{model: hippocampus}]' >> "$mount/etc/segmentd/segmentd.yaml"
inside "${command[@]}" >> "$log" 2>&1 &
daemon=$!
until echoscu -aec SEGMENTD 127.0.0.1 "$port" 2>/dev/null; do
  kill -0 $daemon 2>/dev/null || { tail "$log"; die "the daemon ended"; }
  sleep 0.5
done
inside "${health[@]}" || die "the health check fails: ${health[*]}"

say "a study by C-STORE"
storescu -aet TEST -aec SEGMENTD +sd +r 127.0.0.1 "$port" Fixtures/series/synthetic-1
for _ in $(seq 600); do
  inside segmentd jobs --json 2>/dev/null | python3 Scripts/demo/jobs_ended.py > /dev/null 2>&1 && break
  sleep 1
done
inside segmentd jobs | tee "$work/jobs"
grep -q completed "$work/jobs" || die "the study was not segmented: see $log"

say "its stop signal, $(field StopSignal)"
# buildah run passes no signal on: it goes to the program itself, somewhere below.
below() { local child; for child in $(pgrep -P "$1"); do echo "$child"; below "$child"; done; }
for process in $(below $daemon); do
  [ "$(cat "/proc/$process/comm")" = segmentd ] || continue
  kill -s "$(field StopSignal)" "$process"
  break
done
wait $daemon || true
daemon=
! echoscu -aec SEGMENTD 127.0.0.1 "$port" 2>/dev/null || die "it does not stop"
say "the image builds, runs and stops"
