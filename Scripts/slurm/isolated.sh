#!/usr/bin/env bash
# Runs a command with network, mounts, host name and processes of its own; what it leaves of these is gone with it.
#
#   bash Scripts/slurm/isolated.sh COMMAND...      as root
exec unshare --net --mount --uts --ipc --pid --fork --kill-child --mount-proc --propagation private sh -c '
  mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec "$@"' sh "$@"
