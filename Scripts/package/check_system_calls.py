"""Compares the system calls of a run (strace -c -U name) with those that the unit's sandbox allows.

usage: check_system_calls.py UNIT CALLS
"""

import pathlib
import re
import subprocess
import sys


def members(name):
    """The system calls of a set of systemd, such as @system-service, or the one of that name."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    items = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*(members(i) for i in items if i and not i.startswith("#")))


allowed = set()
for line in re.findall(r"^SystemCallFilter=(.*)", pathlib.Path(sys.argv[1]).read_text(), re.M):
    for name in line.lstrip("~").split():
        allowed = allowed - members(name) if line.startswith("~") else allowed | members(name)
called = set(re.findall(r"^\s*([a-z]\w+)\s*$", pathlib.Path(sys.argv[2]).read_text(), re.M))
called -= {"syscall", "total"}
if not {"accept4", "write", "fsync", "execve"} & called:
    sys.exit(f"error: {sys.argv[2]} lists no system calls")
# What strace and chroot do themselves before the program begins.
refused = called - allowed - {"chroot", "setgroups", "setresgid", "setresuid", "setgid", "setuid"}
if refused:
    sys.exit(f"error: the sandbox refuses {', '.join(sorted(refused))}")
print(f"    {len(called)} different system calls, all allowed by the sandbox")
