#!/usr/bin/env python3
"""How long a cluster computes an archive, and what the limit is, from measured times.

    Scripts/slurm/simulate.py [--parameters FILE]            the tables of Documentation.docc/ClusterScale.md
    Scripts/slurm/simulate.py --studies N --nodes N --kind small|large [--compute SECONDS] [--in-flight N]

Each study goes through the ledger (its transactions, one after the other), the processors of the head, the shared file
system (its images and its result, each written once and read once, with one bandwidth for all, and its syncs), slurmctld
(its job of Slurm, and the answers to squeue that tell of it) and a node of one core: the launch of a job of Slurm, the
start of the program, then each study of the pack. At most --in-flight studies are with Slurm, and the head sees the end of
one half a pause later. A station serves in the order of arrival; computing varies by a fifth, in a sequence that is always
the same. Every time is one of the parameters, which parameters.py makes of what was measured.
"""

import argparse
import heapq
import json
import math
import pathlib


PAGE = pathlib.Path(__file__).resolve().parents[2] / "Sources/segmentd/Documentation.docc/ClusterScale.md"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"


class Parameters:
    def __init__(self, file):
        document = json.loads(file.read_text())
        self.settings = document["settings"]
        self.sources = {name: ", ".join(f"`{file}`" for file in one["from"].split(", "))
                        for name, one in document["parameters"].items()}
        self.cost_curve = document["costCurve"]
        self.known = {name: one["value"] for name, one in document["parameters"].items()}

    def __getitem__(self, name):
        return self.known[name]


class Costs:
    """What a study takes of each station, in seconds, and a job of Slurm."""

    def __init__(self, parameters, kind, compute=None):
        self.compute = parameters[f"{kind}.compute"] if compute is None else compute
        self.ledger = parameters["ledger"]
        self.head = parameters[f"{kind}.head"] / parameters["headProcessors"]
        moved = 2 * (parameters[f"{kind}.bytes"] + parameters[f"{kind}.result"])
        self.shared = moved / parameters["bandwidth"] + parameters["syncs"] * parameters["sync"]
        self.node = parameters["nodeStudy"]
        self.start = parameters["nodeStart"] + parameters["launch"]
        self.settings = parameters.settings
        self.slurm_job, self.slurm_question = parameters["slurmJob"], parameters["slurmQuestion"]

    def pack(self, nodes, in_flight):
        """Studies of a pack: long ones go alone, none takes more than two minutes, and every node has one."""
        if self.compute > self.settings["shortSeconds"]:
            return 1
        longest = int(self.settings["packSeconds"] / self.compute)
        return max(1, min(self.settings["packJobs"], longest, in_flight // nodes))

    def slurm(self, seconds):
        """Of slurmctld for a job that takes so long: it is told of each time until some minutes after its end."""
        told = (seconds + self.settings["endedJobsSeconds"]) / self.settings["questionSeconds"]
        return self.slurm_job + told * self.slurm_question


class Station:
    """Serves one after the other; knows how long it was busy."""

    def __init__(self):
        self.free = self.busy = 0.0

    def serve(self, at, seconds):
        self.free = max(at, self.free) + seconds
        self.busy += seconds
        return self.free


def simulate(costs, studies, nodes, in_flight):
    """The seconds until all studies have a result, and the share of that time in which each station was busy."""
    stations = {name: Station() for name in ("head", "ledger", "shared file system", "slurmctld")}
    free = [0.0] * nodes
    pack = costs.pack(nodes, in_flight)
    notice = costs.settings["pauseSeconds"] / 2
    ends, flying, left, now, computed, number = [], 0, studies, 0.0, 0.0, 0
    while left:
        count = min(pack, left)
        while flying + count > in_flight:
            now, ended = heapq.heappop(ends)
            flying -= ended
        left -= count
        flying += count
        number += 1
        # Between -1 and 1, of a mean of 0; the sum of a pack varies less.
        spread = 0.2 * math.sqrt(3) * (2 * ((number * 0.6180339887498949) % 1) - 1) / math.sqrt(count)
        seconds = costs.start + count * (costs.compute * (1 + spread) + costs.node)
        ready = stations["ledger"].serve(now, count * costs.ledger)
        ready = stations["head"].serve(ready, count * costs.head)
        ready = stations["shared file system"].serve(ready, count * costs.shared)
        ready = stations["slurmctld"].serve(ready, costs.slurm(seconds))
        end = max(ready, heapq.heappop(free)) + seconds
        heapq.heappush(free, end)
        heapq.heappush(ends, (end + notice, count))
        computed += seconds
    last = max(end for end, _ in ends)
    shares = {"nodes": computed / (last * nodes)} | {name: one.busy / last for name, one in stations.items()}
    return last, shares


def capacities(costs):
    """Studies an hour that each station alone would allow, with full packs."""
    pack = costs.pack(1, costs.settings["maximumJobs"])
    return {"head": 3600 / costs.head, "ledger": 3600 / costs.ledger, "shared file system": 3600 / costs.shared,
            "slurmctld": 3600 * pack / costs.slurm(costs.start + pack * (costs.compute + costs.node)),
            "a node": 3600 * pack / (costs.start + pack * (costs.compute + costs.node))}


def rounded(number):
    """To three digits, for people."""
    digits = 2 - int(math.floor(math.log10(number))) if number > 0 else 0
    return f"{round(number, digits):,.0f}"


def span(seconds):
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def row(costs, kind, studies, nodes, in_flight):
    seconds, shares = simulate(costs, studies, nodes, in_flight)
    limit = max(shares, key=shares.get) if max(shares.values()) > 0.9 else "places and launches"
    return (f"| {kind} | {studies:,} | {nodes:,} | {span(seconds)} | {rounded(3600 * studies / seconds)} | "
            + " | ".join(f"{100 * share:.0f} %" for share in shares.values()) + f" | {limit} |")


HEADER = ("| study | studies | nodes | time | studies an hour | busy: nodes | head | ledger | shared file system | slurmctld |"
          " the limit |\n|---|---|---|---|---|---|---|---|---|---|---|")


def cost_curve(parameters):
    lines = ["| nodes | studies in a pack, at most | studies | studies an hour | program without a processor, s a study |"
             " node besides computing, s a study | node without a program, s a study | of that between two jobs of Slurm |",
             "|---|---|---|---|---|---|---|---|"]
    for one in parameters.cost_curve:
        between = one.get("nodeBetweenPrograms")
        lines.append(f"| {one['nodes']} | {one['packJobs']} | {one['studies']} | {one['studiesAnHour']:,} | "
                     f"{one['nodeWithoutProcessor']:.3f} | {one['nodeBesidesComputing']:.3f} | "
                     f"{one['nodeWithoutProgram']:.3f} | {'' if between is None else f'{between:.3f}'} |")
    return lines


def tables(parameters):
    in_flight = parameters.settings["maximumJobs"]
    kinds = ("small", "large")
    lines = cost_curve(parameters) + ["", "| parameter | small | large | taken of |", "|---|---|---|---|"]
    costs = {kind: Costs(parameters, kind) for kind in kinds}
    for what, name, source in (
            ("a node computes, s", "compute", "`studies-1-16.json`, `large-studies.json`"),
            ("a node besides that, s", "node", "`studies-1-16.json`, `studies-1-1.json`"),
            ("a node for a job of Slurm, s", "start", "`studies-1-1.json`"),
            ("the head, s", "head", "`studies-1-16.json`, `large-studies.json`"),
            ("the ledger, s", "ledger", parameters.sources["ledger"]),
            ("the shared file system, s", "shared", "`syncs.json`, `disk.json`")):
        lines.append(f"| {what} | " + " | ".join(f"{getattr(costs[kind], name):.4f}" for kind in kinds) + f" | {source} |")
    lines += ["", HEADER]
    for kind in kinds:
        for studies, nodes in ((10_000, 10), (10_000, 1000), (1_000_000, 10), (1_000_000, 1000)):
            lines.append(row(costs[kind], kind, studies, nodes, in_flight))
    lines += ["", "| studies an hour by | " + " | ".join(capacities(costs["small"])) + " |", "|---|---|---|---|---|---|"]
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(rounded(one) for one in capacities(costs[kind]).values()) + " |")
    return "\n".join(lines + ["", limits(costs)])


def limits(costs):
    """Where the head and where SQLite is the limit, in a sentence."""
    small, large = capacities(costs["small"]), capacities(costs["large"])

    def nodes(studies):
        return rounded(studies / 60)
    return (f"SQLite at the head is the limit at {rounded(small['ledger'])} studies an hour, whatever they are of; the "
            f"processors of the head are it at {rounded(small['head'])} small or {rounded(large['head'])} large studies an hour. "
            f"Of studies that compute for a minute on one core, as of a network that is of use, {nodes(small['ledger'])} nodes "
            f"are busy when SQLite is the limit, and {nodes(large['head'])} when the processors of the head are it, with images "
            "as those of the large ones.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=pathlib.Path, default=pathlib.Path(__file__).with_name("parameters.json"))
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--studies", type=int)
    parser.add_argument("--nodes", type=int, default=10, help="of one core")
    parser.add_argument("--kind", choices=["small", "large"], default="small", help="whose measured times count")
    parser.add_argument("--compute", type=float, help="seconds that a study computes, in place of the measured ones")
    parser.add_argument("--in-flight", type=int, help="slurm.maximumJobs")
    options = parser.parse_args()
    parameters = Parameters(options.parameters)
    if options.studies is None:
        text = tables(parameters)
        print(text)
        if options.write:
            before, rest = PAGE.read_text().split(BEGIN)
            PAGE.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
        return
    in_flight = options.in_flight or parameters.settings["maximumJobs"]
    print(HEADER)
    print(row(Costs(parameters, options.kind, options.compute), options.kind, options.studies, options.nodes, in_flight))


if __name__ == "__main__":
    main()
