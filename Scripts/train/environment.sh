# Sourced by train.sh and background.sh: `$python` of a virtual environment in the given folder, made where it is missing.
#
#   source environment.sh FOLDER
#
# Memory that PyTorch frees is kept for the next step instead of going back to the system (page faults took a third of the
# time), and waiting threads sleep instead of spinning (on a shared machine that took more than the work itself).
unset OPENBLAS_CORETYPE
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1 OMP_WAIT_POLICY=PASSIVE
requirements=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requirements.txt
python=$1/bin/python
if ! cmp -s "$requirements" "$1/requirements.installed"; then
  python3 -m venv "$1"
  "$1/bin/pip" install -q -r "$requirements"
  cp "$requirements" "$1/requirements.installed"
fi
