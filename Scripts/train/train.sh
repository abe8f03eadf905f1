#!/bin/bash
# The shipped hippocampus model from nothing: environment, check of the network, training, measurement, bundle. A plain 3D
# U-Net of equal size is trained along with it in the same way, so that the model's worth is seen.
#
#   bash Scripts/train/train.sh DATA FOLDER [further arguments of train.py]
#
# DATA holds images/ and labels/ of the Medical Segmentation Decathlon's Task04; FOLDER takes checkpoints and logs and the
# Python environment (outside the repository). Stopped, it continues when started again. GOLDEN, if set, names the folder
# with the reference implementation's numbers. Two cores train both networks in about two hours.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$(realpath "${1:?folder with images/ and labels/}")
mkdir -p "${2:?folder for checkpoints}"
folder=$(realpath "$2")
shift 2
source "$here/environment.sh" "$folder/venv"
cd "$here"
if [ -n "${GOLDEN:-}" ]; then
  "$python" check_golden.py "$GOLDEN"
fi
"$python" train.py --data "$data" --folder "$folder/unet" --network unet "$@" &
"$python" train.py --data "$data" --folder "$folder/unetrpp" "$@"
wait $!
"$python" make_synthetic.py --data "$data" --output "$folder/synthetic" --count 10
"$python" evaluate.py --data "$data" --checkpoint "$folder/unet/checkpoint.pt" --mirror 2 \
  --json "$folder/unet.json"
"$python" export.py --synthetic "$folder/synthetic" --checkpoint "$folder/unetrpp/checkpoint.pt" --baseline "$folder/unet.json" \
  --data "$data" --output ../../Sources/Segmentation/Models/hippocampus
