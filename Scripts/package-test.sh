#!/usr/bin/env bash
# Tests the packages of Scripts/package-deb.sh on a bare Debian 12: lintian, the sandbox, the bill of materials and
# its signature; then installs, segments, receives, upgrades, removes and purges in a tree of debootstrap.
#
#   Scripts/package-test.sh [FOLDER]   packages (default: .build/packages); as root, a mirror is needed
packages=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../.build/packages}") || exit 1
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
[ "$(id -u)" -eq 0 ] || die "run this as root: it makes a tree of Debian"
# What is mounted into the tree is gone with this process.
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec unshare --mount bash "$0" "$packages"

need_packages debootstrap lintian minisign systemd dcmtk strace python3-venv
work=$PWD/.build/package-test
root=$work/root
log=$work/log
mkdir -p "$work"
rm -rf --one-file-system "$root" "$work"/upgrade* "$work"/key*
: > "$log"
package=$(echo "$packages"/segmentd_*_amd64.deb)
[ -f "$package" ] || die "no package in $packages: run Scripts/package-deb.sh"

say "lintian"
lintian --fail-on error --info --tag-display-limit 0 "$packages"/*.deb > "$work/lintian" ||
  { grep -E '^[EW]:' "$work/lintian"; die "lintian: see $work/lintian"; }
grep -E '^[EW]:' "$work/lintian" || say "lintian says nothing"

say "bill of materials"
if [ ! -x .venv-package/bin/python3 ]; then
  python3 -m venv .venv-package
  .venv-package/bin/pip install --quiet --disable-pip-version-check 'cyclonedx-python-lib[json-validation]==11.12.0'
fi
.venv-package/bin/python3 Scripts/package/check_sbom.py "$packages"/*.cdx.json "$package"

say "checksums and their signature, with a key made for this test"
(cd "$packages" && sha256sum --check --quiet SHA256SUMS)
cp "$packages/SHA256SUMS" "$work/upgrade.sums"
minisign -G -W -p "$work/key.pub" -s "$work/key" > /dev/null
minisign -S -s "$work/key" -m "$work/upgrade.sums" -t segmentd > /dev/null
minisign -V -p "$work/key.pub" -m "$work/upgrade.sums" > /dev/null
sed -i '1s/^./x/' "$work/upgrade.sums"
! minisign -V -p "$work/key.pub" -m "$work/upgrade.sums" > /dev/null 2>&1 || die "a changed list is accepted"

say "a bare Debian 12"
if [ ! -d "$work/base" ]; then
  mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null | head -1)
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base.new" \
    ${mirror:+"$mirror"} >> "$log"
  mv "$work/base.new" "$work/base"
fi
cp -a "$work/base" "$root"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
as_service() { inside runuser -u segmentd -- "$@"; }
install() {
  cp "$@" "$root/root/"
  inside apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold \
    "${@/#*\//\/root\/}" >> "$log" 2>&1 || { tail "$log"; die "installing ${*##*/} failed: see $log"; }
}
inside apt-get update -qq

say "installation"
started=$(date +%s.%N)
install "$package" "$packages"/segmentd-model-hippocampus_*.deb
installed=$(date +%s.%N)
as_service segmentd --version
as_service segmentd config check
models=$(as_service segmentd models list --json)
grep -q hippocampus <<< "$models" || die "the installed model is not found: $models"
! grep -q cardiac <<< "$models" || die "a model that was not installed is there: $models"
as_service segmentd run --model hippocampus --output /tmp/result \
  /usr/share/doc/segmentd-model-hippocampus/examples >> "$log" 2>&1 || { tail "$log"; die "no result"; }
ended=$(date +%s.%N)
ls "$root"/tmp/result/*/segmentation.dcm > /dev/null || die "no segmentation was written"
python3 -c "
print(f'    installation {$installed - $started:.0f} s, first result {$ended - $installed:.0f} s later')"

say "files and their modes"
stat_is() { [ "$(inside stat -c '%a %U %G' "$2")" = "$1" ] || die "$2: $(inside stat -c '%a %U %G' "$2"), not $1"; }
stat_is "700 segmentd segmentd" /var/lib/segmentd
stat_is "640 root segmentd" /etc/segmentd/segmentd.yaml
stat_is "750 root segmentd" /etc/segmentd
[ -L "$root/etc/systemd/system/multi-user.target.wants/segmentd.service" ] || die "the service is not enabled"

say "the unit"
unit=$root/lib/systemd/system/segmentd.service
bash Scripts/package/check-unit.sh "$unit" "$root"

say "a study by C-STORE, as the service, with the system calls that it makes"
port=$(free_port)
# Without the nightly check, which would be made by the hour of the day; one is asked for below.
printf '# of the site\n' | cat "$root/etc/segmentd/segmentd.yaml" - |
  sed "s/^  port: 11112/  port: $port/; s/^  quietSeconds: 30 /  quietSeconds: 2 /; /^nightlyCheck:/,/^$/d" \
    > "$work/site.yaml"
echo 'rules: [{model: hippocampus}]' >> "$work/site.yaml"
cat "$work/site.yaml" > "$root/etc/segmentd/segmentd.yaml"
cp "$(command -v strace)" "$root/root/"
strace -f -c -qq -U name -S name -o "$work/calls" chroot --userspec=segmentd "$root" \
  /usr/bin/segmentd serve --config /etc/segmentd/segmentd.yaml >> "$log" 2>&1 &
tracer=$!
trap 'kill $(pgrep -P "$tracer") 2>/dev/null || true' EXIT
until echoscu -aec SEGMENTD 127.0.0.1 "$port" 2>/dev/null; do
  kill -0 $tracer || { tail "$log"; die "the daemon ended"; }
  sleep 0.5
done
storescu -aet TEST -aec SEGMENTD +sd +r 127.0.0.1 "$port" Fixtures/series/synthetic-1
for _ in $(seq 600); do
  as_service segmentd jobs --json | python3 Scripts/demo/jobs_ended.py > /dev/null 2>&1 && break
  sleep 1
done
as_service segmentd jobs | tee "$work/jobs"
grep -q completed "$work/jobs" || die "the study was not segmented: see $log"
as_service segmentd check-golden | tee "$work/check"
grep -q '^hippocampus: passed' "$work/check" || die "the golden check did not pass: see $log"
kill "$(pgrep -P $tracer)"
wait $tracer || true
trap - EXIT
python3 Scripts/package/check_system_calls.py "$unit" "$work/calls"

say "upgrade, with a configuration that the site and the package have changed"
dpkg-deb -R "$package" "$work/upgrade"
sed -i 's/^Version: .*/Version: 999.0/' "$work/upgrade/DEBIAN/control"
echo '# of the package' >> "$work/upgrade/etc/segmentd/segmentd.yaml"
dpkg-deb --root-owner-group -Zxz -z0 -b "$work/upgrade" "$work/upgrade_999.0.deb" >> "$log"
install "$work/upgrade_999.0.deb" "$packages"/segmentd-model-cardiac_*.deb
[ "$(inside dpkg-query -W -f='${Version}' segmentd)" = 999.0 ] || die "it was not upgraded"
cmp "$work/site.yaml" "$root/etc/segmentd/segmentd.yaml" || die "the site's configuration was changed"
grep -q 'of the package' "$root/etc/segmentd/segmentd.yaml.dpkg-dist" || die "the package's is not beside it"
stat_is "640 root segmentd" /etc/segmentd/segmentd.yaml
as_service segmentd jobs | grep -q completed || die "the ledger is not there any more"
as_service segmentd models list --json | grep -q cardiac || die "the model added is not found"

say "removal and purge"
inside apt-get remove -y -qq segmentd >> "$log" 2>&1
[ ! -e "$root/usr/bin/segmentd" ] || die "the program is still there"
cmp "$work/site.yaml" "$root/etc/segmentd/segmentd.yaml" || die "the configuration went with the program"
inside apt-get purge -y -qq segmentd > "$work/purge" 2>&1
grep 'is kept' "$work/purge" || die "purge does not say what is kept"
[ -f "$root/var/lib/segmentd/ledger.sqlite" ] || die "purge has removed the studies"
[ ! -e "$root/etc/segmentd/segmentd.yaml" ] || die "purge has left the configuration"
stat_is "700 segmentd segmentd" /var/lib/segmentd
umount "$root/proc" "$root/dev"
rm -rf --one-file-system "$root"
say "all is well"
