"""What the measurements share: how one is kept, and what the kernel and SQLite tell of processes and ledgers."""

import datetime
import json
import os
import pathlib
import sqlite3
import struct
import sys
import time

from comparison import processor


def add_options(parser):
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="receives what was measured, as JSON")


def keep(options, values):
    """Prints what was measured, and writes it with what it was measured on."""
    document = {
        "command": " ".join(pathlib.Path(word).name if "/" in word else word for word in sys.argv),
        "measuredAt": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "processor": processor(), "processors": os.cpu_count(), "loadAfter": round(os.getloadavg()[0], 1), **values}
    text = json.dumps(document, indent=2)
    print(text, flush=True)
    if options.output:
        options.output.write_text(text + "\n")


def wait_until(condition, what, daemon, log, seconds=3600, pause=0.02):
    """Seconds until something is so of what a daemon does; ends the measurement where the daemon ends before."""
    began = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - began
        except sqlite3.OperationalError:
            pass   # the ledger is locked, or not there yet
        if daemon.poll() is not None or time.monotonic() > began + seconds:
            sys.exit(f"{what}: not so; see {log}")
        time.sleep(pause)


def processor_seconds(pid):
    """User and system time of a process and of its descendants that it waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def commits(ledger):
    """How many transactions have changed a ledger since it was opened first: iChange of the WAL's index
    (sqlite.org/walformat.html, offset 8)."""
    with open(f"{ledger}-shm", "rb") as index:
        return struct.unpack("=8xI", index.read(12))[0]
