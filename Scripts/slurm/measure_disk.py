#!/usr/bin/env python3
"""How fast a file system is for what a head and its nodes do there: results that have to be on the disk, and images.

    Scripts/slurm/measure_disk.py FOLDER [--output FILE]

files: a file of 4 KiB is written, synced and renamed, and its folder synced, as each result and each record of a
submission is; by one writer, by 4 and by 16 at the same time. transactions: of one row, in an SQLite ledger with a
write-ahead log and synchronous=FULL. bandwidth: one file, written and synced; read again after the kernel has forgotten it.
"""

import argparse
import os
import pathlib
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from measurement import add_options, keep  # noqa: E402


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def write_files(folder, until):
    """Returns how many."""
    folder.mkdir()
    count = 0
    while time.monotonic() < until:
        part, file = folder / "part", folder / str(count)
        with open(part, "wb") as out:
            out.write(os.urandom(4096))
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
        sync(folder)
        count += 1
    return count


def files(folder, writers, seconds):
    """Files a second of all writers."""
    until, counts = time.monotonic() + seconds, []
    threads = [threading.Thread(target=lambda n=n: counts.append(write_files(folder / f"{writers}-{n}", until)))
               for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(counts) / seconds, 1)


def transactions(folder, seconds):
    """Seconds of one."""
    ledger = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("PRAGMA synchronous = FULL")
    ledger.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT)")
    until, count, began = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < until:
        ledger.execute("INSERT INTO jobs (state) VALUES (?)", ("x" * 500,))
        count += 1
    spent = time.monotonic() - began
    ledger.close()
    return round(spent / count, 6)


def bandwidth(folder, megabytes):
    """Bytes a second written, and read."""
    file, block = folder / "large", os.urandom(1 << 20)
    began = time.monotonic()
    with open(file, "wb") as out:
        for _ in range(megabytes):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    written = time.monotonic() - began
    with open(file, "rb") as source:
        os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        began = time.monotonic()
        while source.read(1 << 20):
            pass
        read = time.monotonic() - began
    return round((megabytes << 20) / written), round((megabytes << 20) / read)


def kind(folder):
    """Of the file system, as /proc/mounts says."""
    mounts = [line.split()[1:3] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    path = str(folder.resolve())
    inside = [(point, name) for point, name in mounts if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(inside, key=lambda one: len(one[0]))[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--megabytes", type=int, default=512)
    add_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="measure-disk.") as name:
        folder = pathlib.Path(name)
        written, read = bandwidth(folder, options.megabytes)
        keep(options, {
            "fileSystem": kind(folder),
            "filesASecond": {str(writers): files(folder, writers, options.seconds) for writers in (1, 4, 16)},
            "secondsOfATransaction": transactions(folder, options.seconds),
            "bytesASecondWritten": written, "bytesASecondRead": read})


if __name__ == "__main__":
    main()
