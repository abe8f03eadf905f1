#!/usr/bin/env python3
"""How long a cluster computes an archive, and what the limit is, from measured times.

    Scripts/slurm/simulate.py --studies 10000 --nodes 10 [--pack 16] [--in-flight 256] [...]

Each study goes through the head (its folder is made; later its result is taken), the ledger (transactions, one after
the other), the shared file system (its images and its result, with one bandwidth for all), Slurm's controller (a time for
each job of Slurm) and a node of one core (the start of the program, then each study of the pack). At most --in-flight
studies are with Slurm. Every station serves one after the other in the order of arrival; the times are constants, but for
the computing, which varies by --spread. --table prints the table of Documentation.docc/Slurm.md.
"""

import argparse
import heapq
import random


class Station:
    """Serves one after the other; knows how long it was busy."""

    def __init__(self):
        self.free = self.busy = 0.0

    def serve(self, at, seconds):
        self.free = max(at, self.free) + seconds
        self.busy += seconds
        return self.free


def packed(options):
    """Studies of a pack: none is gathered while nodes are free, and none takes more than two minutes."""
    if options.compute > 60:
        return 1
    return max(1, min(options.pack, int(120 / options.compute), options.in_flight // options.nodes))


def simulate(options):
    """The seconds until all studies have a result, and the share of that time in which each station was busy."""
    head, ledger, disk, slurm = Station(), Station(), Station(), Station()
    chance = random.Random(1)
    nodes = [0.0] * options.nodes
    heapq.heapify(nodes)
    computed = 0.0
    transfer = options.megabytes / options.disk
    # When a place for studies becomes free, by the packs that end.
    ends, in_flight, last = [], 0, 0.0
    left = options.studies
    now = 0.0
    while left:
        count = min(packed(options), left)
        while in_flight + count > options.in_flight:
            now, ended = heapq.heappop(ends)
            in_flight -= ended
        left -= count
        in_flight += count
        ready = ledger.serve(now, count * options.ledger_before)
        ready = head.serve(ready, count * options.head_before)
        ready = disk.serve(ready, count * transfer * 0.9)
        ready = slurm.serve(ready, options.slurm)
        start = max(ready, heapq.heappop(nodes)) + options.launch
        seconds = options.start + sum(
            max(0, chance.gauss(options.compute, options.spread * options.compute)) + options.node for _ in range(count))
        computed += seconds + options.launch
        heapq.heappush(nodes, start + seconds)
        # Taken and written when the head comes to it; it is busy with what comes before.
        done = start + seconds
        for station, each in ((disk, transfer * 0.1), (head, options.head_after), (ledger, options.ledger_after)):
            station.busy += count * each
            station.free += count * each
            done += count * each
        heapq.heappush(ends, (done, count))
        last = max(last, done)
    last = max(last, head.free, ledger.free, disk.free)
    shares = {"nodes": computed / (last * options.nodes), "head": head.busy / last, "ledger": ledger.busy / last,
              "shared file system": disk.busy / last, "slurmctld": slurm.busy / last}
    return last, shares


def span(seconds):
    days, hours = seconds / 86400, seconds / 3600
    return f"{days:.1f} d" if days >= 2 else f"{hours:.1f} h" if hours >= 1 else f"{seconds / 60:.0f} min"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=10, help="nodes of one core")
    parser.add_argument("--in-flight", type=int, default=256, help="slurm.maximumJobs")
    parser.add_argument("--pack", type=int, default=16, help="slurm.packJobs")
    parser.add_argument("--compute", type=float, required=True, help="seconds that a study computes")
    parser.add_argument("--spread", type=float, default=0.2, help="standard deviation of that, as a share")
    parser.add_argument("--node", type=float, default=0.1, help="seconds of a node for a study besides that")
    parser.add_argument("--start", type=float, default=0.2, help="seconds of the program's start and of loading the model")
    parser.add_argument("--launch", type=float, default=1.0, help="seconds from the end of a job of Slurm to the next")
    parser.add_argument("--slurm", type=float, default=0.05, help="seconds of slurmctld for each job")
    parser.add_argument("--head-before", type=float, default=0.05, help="seconds of the head to make a folder")
    parser.add_argument("--head-after", type=float, default=0.05, help="seconds of the head to take a result")
    parser.add_argument("--ledger-before", type=float, default=0.005, help="seconds of transactions before")
    parser.add_argument("--ledger-after", type=float, default=0.005, help="seconds of transactions after")
    parser.add_argument("--megabytes", type=float, default=50, help="of a study, images and result")
    parser.add_argument("--disk", type=float, default=500, help="megabytes a second of the shared file system")
    parser.add_argument("--table", action="store_true", help="10 000 and 1 000 000 studies on 10 and 1000 nodes")
    options = parser.parse_args()
    sizes = [(10_000, 10), (10_000, 1000), (1_000_000, 10), (1_000_000, 1000)]
    rows = sizes if options.table else [(options.studies, options.nodes)]
    print("| studies | nodes | time | studies an hour | busy: nodes | head | ledger | shared file system | slurmctld |")
    print("|---|---|---|---|---|---|---|---|---|")
    for options.studies, options.nodes in rows:
        seconds, shares = simulate(options)
        print(f"| {options.studies} | {options.nodes} | {span(seconds)} | {3600 * options.studies / seconds:.0f} | "
              + " | ".join(f"{100 * share:.0f} %" for share in shares.values()) + " |")


if __name__ == "__main__":
    main()
