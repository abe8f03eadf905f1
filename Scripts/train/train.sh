#!/bin/bash
# The shipped hippocampus model from nothing: environment, check of the network, training, measurement, bundle.
#
#   bash Scripts/train/train.sh DATA FOLDER [further arguments of train.py]
#
# DATA holds images/ and labels/ of the Medical Segmentation Decathlon's Task04; FOLDER takes checkpoints and logs and the
# Python environment (outside the repository). Stopped, it continues when started again. GOLDEN, if set, names the folder
# with the reference implementation's numbers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(realpath "${1:?folder with images/ and labels/}")
mkdir -p "${2:?folder for checkpoints}"
folder=$(realpath "$2")
shift 2
unset OPENBLAS_CORETYPE
if [ ! -x "$folder/venv/bin/torchrun" ]; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install -q -r "$here/requirements.txt"
fi
cd "$here"
if [ -n "${GOLDEN:-}" ]; then
  "$folder/venv/bin/python" check_golden.py "$GOLDEN"
fi
if "$folder/venv/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  "$folder/venv/bin/python" train.py --data "$data" --folder "$folder" --batch 4 "$@"
else
  "$folder/venv/bin/torchrun" --nproc_per_node "$(nproc)" train.py --data "$data" --folder "$folder" \
    --batch 2 --threads 1 "$@"
fi
"$folder/venv/bin/python" make_synthetic.py --data "$data" --output "$folder/synthetic" --count 10
"$folder/venv/bin/python" export.py --synthetic "$folder/synthetic" --checkpoint "$folder/checkpoint.pt" --data "$data" \
  --output ../../Sources/Segmentation/Models/hippocampus
