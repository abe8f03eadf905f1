#!/usr/bin/env python3
"""Kills a daemon that receives over many associations, again and again; see Scripts/kill-rounds.sh.

One state directory lives through all rounds. In each a daemon starts on what the last one left, senders send, one
process of the daemon is killed with SIGKILL at a random moment, and the senders say which instances were acknowledged.
At the end a last daemon starts, and every instance that was ever acknowledged has to be in the ledger, in a file of the
spool that ends with the bytes that were sent, and no file of the spool may be unknown to the ledger.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from comparison import clean_environment  # noqa: E402

from bench import free_port  # noqa: E402
from sender import Association, ct_slice  # noqa: E402

PIXELS = 512 * 512 * 2


class Daemon:
    # A quiet period longer than all rounds: nothing is processed.
    def __init__(self, program, folder, quiet_seconds=86400):
        self.port = free_port()
        configuration = folder / "segmentd.yaml"
        configuration.write_text(
            f"stateDirectory: {folder}/state\n"
            f"listener: {{aeTitle: ROUNDS, address: 127.0.0.1, port: {self.port}}}\n"
            f"assembly: {{quietSeconds: {quiet_seconds}}}\n")
        self.log = open(folder / "log", "ab")
        self.process = subprocess.Popen([program, "serve", "--config", configuration], stdout=self.log,
                                        stderr=self.log, env=clean_environment())
        while True:
            if self.process.poll() is not None:
                sys.exit(f"the daemon ended: {(folder / 'log').read_text()[-2000:]}")
            try:
                Association(self.port, "ROUNDS", False).release()
                return
            except (OSError, RuntimeError):
                time.sleep(0.1)

    def processes(self):
        """The daemon and its children."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [self.process.pid, *(int(child) for thread in threads for child in thread.read_text().split())]

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(60)
        self.log.close()


def send(port, study, images, acknowledged):
    """Sends until all is sent or the daemon is gone; tells what was acknowledged as it comes."""
    generator = random.Random(study)
    try:
        association = Association(port, "ROUNDS", False)
        for number in range(images):
            pixels = generator.randbytes(PIXELS)
            association.rest = None  # no two have the same pixels
            association.store(association.prepared(*ct_slice(study, number, pixels), pixels, number + 1))
            acknowledged.put((study, number))
        association.release()
    except (OSError, RuntimeError):
        pass


def drain(queue):
    found = []
    while not queue.empty():
        found.append(queue.get())
    return found


def kill_round(program, folder, arguments, generator):
    daemon = Daemon(program, folder)
    studies = [f"2.25.{generator.getrandbits(120) | 1 << 119}" for _ in range(arguments.associations)]
    acknowledged = multiprocessing.SimpleQueue()
    senders = [multiprocessing.Process(target=send, args=(daemon.port, study, arguments.images, acknowledged))
               for study in studies]
    for sender in senders:
        sender.start()
    wanted = generator.randint(1, arguments.associations * arguments.images * 2 // 3)
    found = []
    while len(found) < wanted and any(sender.is_alive() for sender in senders):
        found += drain(acknowledged)
        time.sleep(0.002)
    victim = generator.choice(daemon.processes())
    os.kill(victim, signal.SIGKILL)
    while any(sender.is_alive() for sender in senders):
        found += drain(acknowledged)
        time.sleep(0.01)
    for sender in senders:
        sender.join()
    found += drain(acknowledged)
    whole = victim == daemon.process.pid
    daemon.end(signal.SIGKILL if whole else signal.SIGTERM)
    print(f"{len(found)} acknowledged, {'daemon' if whole else 'receiving process'} killed", flush=True)
    return found


def content(study, numbers):
    """SOP instance UID and dataset of those slices of a study."""
    generator = random.Random(study)
    for number in range(max(numbers) + 1):
        pixels = generator.randbytes(PIXELS)
        if number in numbers:
            instance, header = ct_slice(study, number, pixels)
            yield instance.decode(), header + pixels


def check(folder, acknowledged):
    ledger = sqlite3.connect(f"file:{folder}/state/ledger.sqlite?mode=ro", uri=True)
    rows = dict(ledger.execute("SELECT sop_uid, spool_path FROM instances"))
    lost = []
    studies = {}
    for study, number in acknowledged:
        studies.setdefault(study, set()).add(number)
    for study, numbers in studies.items():
        for instance, dataset in content(study, numbers):
            path = rows.get(instance)
            if path is None or not (folder / "state" / path).read_bytes().endswith(dataset):
                lost.append(instance)
    known = set(rows.values())
    spool = folder / "state" / "spool"
    orphans = [str(path) for path in spool.rglob("*") if path.is_file() and path.stat().st_size
               and str(path.relative_to(folder / "state")) not in known]
    return lost, orphans


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=50)
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--associations", type=int, default=20)
    parser.add_argument("--images", type=int, default=12, help="of each association in a round")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kill-rounds.") as name:
        folder = pathlib.Path(name)
        acknowledged = []
        for number in range(arguments.rounds):
            print(f"round {number + 1}: ", end="", flush=True)
            acknowledged += kill_round(arguments.segmentd, folder, arguments, generator)
        last = Daemon(arguments.segmentd, folder)
        deadline = time.monotonic() + 600
        # The checks of the start run behind the open port.
        while True:
            lost, orphans = check(folder, acknowledged)
            if not (lost or orphans) or time.monotonic() > deadline:
                break
            time.sleep(1)
        last.end()
        print(f"{len(acknowledged)} acknowledged in {arguments.rounds} rounds, {len(lost)} lost, "
              f"{len(orphans)} files unknown to the ledger")
        for line in [*lost, *orphans][:20]:
            print(line)
        sys.exit(1 if lost or orphans else 0)


if __name__ == "__main__":
    main()
