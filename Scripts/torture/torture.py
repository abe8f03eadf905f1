#!/usr/bin/env python3
"""Strikes a daemon at random while it works, and checks after each round what has to be true; see Scripts/torture.sh."""

import argparse
import logging
import pathlib
import random
import shutil
import sys
import tempfile
import time

from invariants import check, check_cluster, executors, wait_until_it_rests
from machine import Daemon, Disk, Orthanc, free_port
from senders import Record, Sender, Series, drop
from strikes import Strikes

MODELS = pathlib.Path(__file__).resolve().parents[2] / "Fixtures/models"


def play_round(number, arguments, generator, folder, daemon, strikes, record):
    """One round; returns its series."""
    place = folder / f"round-{number}"
    series = [Series(place / str(i), generator.getrandbits(31),
                     *generator.choice([(generator.randint(6, 12), 64)] * 2 + [(24, 160)]), generator.random() < 0.15)
              for i in range(generator.randint(2, arguments.series))]
    watched = [one for one in series if generator.random() < 0.3]
    senders = [Sender(daemon.port, f"MODALITY{i}", one, record, generator.getrandbits(32))
               for i, one in enumerate(series) if one not in watched]
    for one in watched:
        drop(one, daemon.watch)
    possible = arguments.only or strikes.names()
    names = [generator.choice(possible) for _ in range(generator.randint(1, 3))]
    # Half of the rounds have two executors at least.
    if "change_executor" in possible and generator.random() < 0.5:
        names.insert(generator.randint(0, len(names)), "change_executor")
    print(f"round {number}: {len(series)} series, {len(watched)} of them by folder, executor {daemon.executor};",
          ", ".join(names), end=" ", flush=True)
    for name in names:
        time.sleep(generator.uniform(0.2, 4))
        strikes.strike(name)
    for sender in senders:
        sender.hurry.set()
    deadline = time.monotonic() + arguments.patience
    for sender in senders:
        sender.join(max(0, deadline - time.monotonic()))
    late = [f"series {sender.series.uid} could not be sent" for sender in senders if not sender.is_done]
    return series, late


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--segmentd", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--series", type=int, default=5, help="at most, in a round")
    parser.add_argument("--longest", type=float, default=20, help="seconds that a strike lasts at most")
    parser.add_argument("--patience", type=float, default=600, help="seconds after which a round has failed")
    parser.add_argument("--executor", choices=Daemon.EXECUTORS, help="by default by chance at each start of the daemon")
    parser.add_argument("--only", nargs="+", help="strikes, in place of all")
    parser.add_argument("--keep", action="store_true", help="leave the folder, as after a finding")
    arguments = parser.parse_args()
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    generator = random.Random(arguments.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torture."))
    print(f"seed {arguments.seed}, {folder}", flush=True)
    # Mebibytes; a series has half of one on average, and its result less.
    most = arguments.rounds * arguments.series
    state, port = Disk(folder / "state", 200 + most), free_port()
    results = Disk(folder / "state/results", 30 + most)
    destinations = [Orthanc(folder, name, port) for name in ("pacs", "archive")]
    daemon = Daemon(arguments.segmentd.resolve(), folder, MODELS, port, arguments.executor,
                    random.Random(generator.getrandbits(32)), *destinations)
    record, everything, findings = Record(), [], []
    strikes = Strikes(daemon, destinations, state, results, generator, arguments.longest)
    if not results.is_own:
        print("file systems cannot be mounted here: none is filled or made read-only")
    try:
        for number in range(1, arguments.rounds + 1):
            began = time.monotonic()
            series, findings = play_round(number, arguments, generator, folder, daemon, strikes, record)
            everything += series
            findings += wait_until_it_rests(daemon, everything, arguments.patience)
            findings += check(daemon, destinations, record, everything)
            print(f"- {time.monotonic() - began:.0f} s, {len(findings)} findings", flush=True)
            if findings:
                break
        if not findings:
            findings += check_cluster(daemon)
        print(f"{len(everything)} series, {len(record.acknowledged)} instances acknowledged, "
              f"{len(record.refused)} refused at first;", executors(daemon))
    finally:
        status = daemon.stop()
        daemon.cluster.stop()
        for destination in destinations:
            destination.kill()
    if status != 0:
        findings.append(f"the daemon ended with status {status} on SIGTERM")
    for finding in findings[:40]:
        print(finding)
    if arguments.keep or findings:
        print(f"{folder} is left as it is")
    else:
        results.unmount()
        state.unmount()
        if daemon.group:
            daemon.group.rmdir()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
