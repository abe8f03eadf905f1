# Sourced by the other scripts: installs what is missing, and says what it installs.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "run this as root, or install sudo: it has to install packages"
  fi
}

# need_packages NAME...: installs the Debian packages that are not there yet.
need_packages() {
  local missing=()
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  # The scripts start these by themselves, as far as they need them: those of the packages are neither started nor
  # enabled. Masked while they are installed, they stay free for whoever wants them later.
  local services=()
  if command -v systemctl >/dev/null; then
    for name in "${missing[@]}"; do
      case $name in orthanc | munge | slurmctld | slurmd) services+=("$name.service") ;; esac
    done
  fi
  [ ${#services[@]} -eq 0 ] || as_root systemctl mask --quiet "${services[@]}" 2>/dev/null || true
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if [ ${#services[@]} -gt 0 ]; then
    as_root systemctl unmask --quiet "${services[@]}" 2>/dev/null || true
    as_root systemctl disable --quiet "${services[@]}" 2>/dev/null || true
  fi
}

build_packages=(
  libdcmtk-dev libnifti-dev libopenblas-dev libopenjp2-7-dev libsqlite3-dev libssl-dev libpng-dev libzip-dev
  libcairo2-dev libcurl4-openssl-dev zlib1g-dev
)
peer_packages=(dcmtk orthanc orthanc-dicomweb curl python3)
slurm_packages=(slurmctld slurmd slurm-client munge iproute2)
test_packages=(
  chromium dicom3tools libpixelmed-java openjph-tools plastimatch python3-venv rsyslog rsyslog-openssl strace systemd
  "${slurm_packages[@]}"
)

# How the tests are built: what computes optimised, as it is shipped, our other modules and the packages we use not (see
# Package.swift), which takes four fifths of the time; in a folder of its own, because the flags differ from those of the
# shipped build.
test_build=(-c release --scratch-path .build/tests -Xswiftc -enable-testing -Xswiftc -Onone)
# Not more tests at once than this: each may have ledgers and servers of its own, and with more than thirteen hundred
# open files Foundation's start of a process reads beyond the end of its list of them. Swift before 6.3 takes no notice.
in_test_build() {
  SEGMENTD_TEST_BUILD=1 SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=48 "$@"
}

need_swift() {
  command -v swift >/dev/null || die "Swift 6.1 or newer is needed: https://www.swift.org/install"
}

# need_test_environment: the Python readers that the tests compare with, in .venv.
need_test_environment() {
  local wanted=Scripts/test-support/requirements.txt
  if [ ! -x .venv/bin/python3 ]; then
    say "creating .venv for the Python readers"
    python3 -m venv .venv
  fi
  if ! cmp -s "$wanted" .venv/requirements.installed; then
    say "installing into .venv: $(grep -v '^#' "$wanted" | tr '\n' ' ')"
    .venv/bin/pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" .venv/requirements.installed
  fi
}

# need_promtool: the checker of Prometheus, in .venv: its package would start a server.
need_promtool() {
  [ ! -x .venv/bin/promtool ] || return 0
  say "fetching promtool"
  local folder
  folder=$(mktemp -d)
  as_root apt-get update -qq
  (cd "$folder" && apt-get download -qq prometheus)
  dpkg-deb -x "$folder"/prometheus_*.deb "$folder/tree"
  cp "$folder/tree/usr/bin/promtool" .venv/bin/
  rm -rf "$folder"
}

# need_ohif: the OHIF viewer, as PyPI's package monailabel ships it built, in .venv/ohif. Where it cannot be had,
# the test that needs it is skipped and says so.
need_ohif() {
  [ ! -f .venv/ohif/index.html ] || return 0
  say "fetching the OHIF viewer"
  local folder
  folder=$(mktemp -d)
  echo 'monailabel==0.8.5 --hash=sha256:0c2c9bd72c8f9862c0c182d14e7f2637c53ccd616f9ffa584f619b1040f1fc6b' \
    >"$folder/requirements.txt"
  if .venv/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$folder" -r "$folder/requirements.txt"; then
    .venv/bin/python3 -m zipfile -e "$folder"/monailabel-*.whl "$folder/tree"
    rm -rf .venv/ohif
    mv "$folder/tree/monailabel/endpoints/static/ohif" .venv/ohif
  else
    say "the OHIF viewer cannot be had: no test with it"
  fi
  rm -rf "$folder"
}

# need_pydicom_seg: the reader pydicom-seg, which wants the pydicom of 2023, with that in .venv/pydicom-seg: NumPy and
# SimpleITK are those of .venv. Where it cannot be had, the test that needs it is skipped and says so.
need_pydicom_seg() {
  local packages=(pydicom-seg==0.4.1 pydicom==2.4.5 jsonschema==3.2.0 pyrsistent==0.20.0 six==1.17.0)
  local target=.venv/pydicom-seg
  if [ -f $target/installed ] && [ "$(cat $target/installed)" = "${packages[*]}" ]; then return 0; fi
  say "installing into $target: ${packages[*]}"
  rm -rf $target
  if .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target $target "${packages[@]}"; then
    printf '%s\n' "${packages[*]}" >$target/installed
  else
    say "pydicom-seg cannot be had: no test with it"
    rm -rf $target
  fi
}

# free_port: a TCP port on loopback that is not in use.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Sets segmentd to the program that SEGMENTD names, or to one that is built.
need_segmentd() {
  if [ -n "${SEGMENTD:-}" ]; then
    segmentd=$(realpath "$SEGMENTD")
    return
  fi
  need_swift
  need_packages "${build_packages[@]}"
  say "building segmentd (release)"
  swift build -c release --product segmentd
  segmentd=$(swift build -c release --show-bin-path)/segmentd
}
