#!/bin/bash
# Starts a training, or continues one, with what the machine's other work leaves of its processors.
#
#   bash Scripts/train/background.sh RECIPE DATA FOLDER [further arguments of train.py]
#
# RECIPE is cardiac or hippocampus, DATA holds images/ and labels/; FOLDER, outside the repository, takes checkpoints and
# logs (loss.csv, dice.csv, train.log). The Python environment is FOLDER/venv, or the folder that VENV names. The command
# returns at once; the training continues after a logout, may be killed at any moment and resumes with the same command.
# `kill $(cat FOLDER/pid)` ends it after the step in hand. A second one in the same folder is refused. Where memory runs out it
# is the first to go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
recipe=${1:?recipe: cardiac or hippocampus}
data=$(realpath "${2:?folder with images/ and labels/}")
mkdir -p "${3:?folder for checkpoints}"
folder=$(realpath "$3")
shift 3
source "$here/environment.sh" "${VENV:-$folder/venv}"
exec 9>"$folder/lock"
flock -n 9 || { echo "a training already runs in $folder (process $(cat "$folder/pid"))" >&2; exit 1; }
# Linux weighs sessions against each other (autogroup), whatever the priorities within them: the new session is lowered too.
setsid nohup bash -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec "$@"' background \
  choom -n 1000 -- chrt -i 0 nice -n 19 "$python" "$here/train.py" --recipe "$recipe" --data "$data" --folder "$folder" "$@" \
  >>"$folder/train.log" 2>&1 </dev/null &
echo $! >"$folder/pid"
echo "process $!, log $folder/train.log"
