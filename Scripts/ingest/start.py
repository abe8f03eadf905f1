#!/usr/bin/env python3
"""How long a daemon takes to start on a large state directory, and how much memory; see Scripts/bench-start.sh.

A daemon makes an empty ledger, which is filled with studies of 1,000 instances that are done, and the spool with a file
for each, as long as their rows say and without content: the start asks for names alone. Then it starts again, and is
told by what can be seen from outside: the port answers, a slice is acknowledged, a job is made of it, which needs the
checks of the start to be over, and the processes are idle.
"""

import argparse
import json
import os
import pathlib
import sqlite3
import sys
import tempfile
import time

from kill_rounds import PIXELS, Daemon
from sender import Association, ct_slice

INSTANCES_PER_SERIES, FILES_PER_FOLDER = 1000, 256
STUDY = "1.2.840.113619.2.55.3.2831868886.123.1450000000."
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def rows(count):
    """Instances as a listener records them: UIDs as long as those of scanners, names as the spool gives them."""
    for number in range(count):
        study = STUDY + str(100_000 + number // INSTANCES_PER_SERIES)
        folder = number // FILES_PER_FOLDER
        name = f"00000000-0-{number:08x}-0000-4000-8000-{number:012x}.dcm"
        yield (f"{study}.1.{10_000 + number % INSTANCES_PER_SERIES}", f"{study}.1", number % INSTANCES_PER_SERIES + 1,
               f"spool/{folder // 256 % 256:02x}/{folder % 256:02x}/{name}", f"{number:064x}")


def fill(state, count):
    ledger = sqlite3.connect(state / "ledger.sqlite", isolation_level=None)
    ledger.execute("PRAGMA synchronous = OFF")
    ledger.execute("BEGIN")
    now = time.time()
    for number in range(-(-count // INSTANCES_PER_SERIES)):
        study = STUDY + str(100_000 + number)
        instances = min(INSTANCES_PER_SERIES, count - number * INSTANCES_PER_SERIES)
        ledger.execute("INSERT INTO studies (study_uid, created_at) VALUES (?, ?)", (study, now))
        ledger.execute(
            "INSERT INTO series (series_uid, study_uid, modality, revision, assembled_revision, last_received_at) "
            "VALUES (?, ?, 'CT', ?, ?, ?)", (f"{study}.1", study, instances, instances, now))
    ledger.executemany(
        "INSERT INTO instances (sop_uid, series_uid, revision, sop_class_uid, transfer_syntax, spool_path, byte_count, "
        "content_hash, source, received_at) VALUES (?, ?, ?, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', ?, "
        f"526000, ?, 'listener', {now})", rows(count))
    ledger.execute("COMMIT")
    ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    for _, _, _, path, _ in rows(count):
        file = state / path
        if int(file.name.split("-")[2], 16) % FILES_PER_FOLDER == 0:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.ftruncate(descriptor, 526000)
        os.close(descriptor)


def memory(process):
    """The most that a process has had, in bytes."""
    text = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in text.split("\n") if line.startswith("VmHWM")).split()[1]) * 1024


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def wait_until_idle(processes):
    """Until less than a tenth of a second of processor is used in two seconds."""
    while True:
        before = sum(map(processor_seconds, processes))
        time.sleep(2)
        if sum(map(processor_seconds, processes)) - before < 0.1:
            return


def start(program, folder, number):
    began = time.monotonic()
    daemon = Daemon(program, folder, quiet_seconds=1)
    found = {"secondsToPort": time.monotonic() - began}
    association = Association(daemon.port, "ROUNDS", False)
    pixels = bytes(PIXELS)
    study = f"2.25.{10**37 + number}"
    association.store(association.prepared(*ct_slice(study, number, pixels), pixels, 1))
    association.release()
    found["secondsToAcknowledgement"] = time.monotonic() - began
    ledger = sqlite3.connect(f"file:{folder}/state/ledger.sqlite?mode=ro", uri=True)
    while not ledger.execute("SELECT 1 FROM jobs WHERE series_uid = ?", (f"{study}.1",)).fetchone():
        if daemon.process.poll() is not None:
            sys.exit(f"the daemon ended: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.1)
    found["secondsToJob"] = time.monotonic() - began
    processes = daemon.processes()
    wait_until_idle(processes)
    found["megabytes"] = [memory(process) / 1e6 for process in processes]
    found["instances"] = ledger.execute("SELECT count(*) FROM instances").fetchone()[0]
    ledger.close()
    daemon.end()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--files", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-start.") as name:
        folder = pathlib.Path(name)
        empty = start(arguments.segmentd, folder, 0)
        fill(folder / "state", arguments.files)
        size = (folder / "state" / "ledger.sqlite").stat().st_size / 1e6
        full = start(arguments.segmentd, folder, 1)
        log = (folder / "log").read_text()
    wrong = [line for line in log.split("\n") if "spool" in line]
    print(json.dumps({"files": arguments.files, "ledgerMegabytes": size, "empty": empty, "full": full,
                      "linesOnSpool": wrong[:10]}, indent=1))
    sys.exit(1 if wrong or full["instances"] != arguments.files + 2 else 0)


if __name__ == "__main__":
    main()
