#!/usr/bin/env python3
"""Makes the parameters of simulate.py from what scripts of ours measured.

    Scripts/slurm/parameters.py FOLDER [--output Scripts/slurm/parameters.json]

FOLDER is that of `Scripts/slurm-lab.sh --cost-curve N FOLDER`, with ledger.json of `Scripts/bench-ledger.sh 1000000
FOLDER/ledger.json`; where that is not there, the ledger's times are those of Benchmarks.md. Each parameter is kept with the file, the command and what was taken of it.
"""

import argparse
import json
import pathlib
import re

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "Sources/segmentd/Documentation.docc/Benchmarks.md"


class Measured:
    """The files of a folder, and what was taken of them."""

    def __init__(self, folder):
        self.folder, self.parameters, self.commands = folder, {}, {}

    def read(self, name):
        document = json.loads((self.folder / name).read_text())
        self.commands[name] = {key: document[key] for key in ("command", "measuredAt", "processor", "processors")
                               if key in document}
        return document

    def keep(self, name, value, unit, source, what):
        self.parameters[name] = {"value": round(value, 6), "unit": unit, "from": source, "what": what}


def of_nodes(measured):
    """A process takes a start, and each study the same: two sizes of packs tell both apart."""
    packed, single = measured.read("studies-1-16.json"), measured.read("studies-1-1.json")

    def besides(document):
        """Of a program, and how many studies it had."""
        programs = document["programs"]
        return (document["ofAStudy"]["nodeBesidesComputing"] * document["studies"] / programs,
                document["studies"] / programs)
    (long, many), (short, one) = besides(packed), besides(single)
    each = max(0, (long - short) / (many - one))
    both = "studies-1-16.json, studies-1-1.json"
    measured.keep("nodeStudy", each, "s", both,
                  "a node for a study besides computing: (ofAStudy.nodeBesidesComputing of a program of many studies less that "
                  "of a program of one) / difference of their studies")
    measured.keep("nodeStart", max(0, short - one * each), "s", both,
                  "the start of the program and of its model: the rest of ofAStudy.nodeBesidesComputing")


def of_studies(measured):
    """What studies of two sizes take, of the head for each, and for each byte."""
    small, large = measured.read("studies-1-16.json"), measured.read("large-studies.json")
    for name, document, file in (("small", small, "studies-1-16.json"), ("large", large, "large-studies.json")):
        stages = document["ofAStudy"]["stages"]
        measured.keep(f"{name}.compute", sum(seconds for stage, seconds in stages.items() if stage != "total"), "s", file,
                      "a study computes: the sum of ofAStudy.stages")
        measured.keep(f"{name}.bytes", document["images"]["bytes"], "B", file, "its images: images.bytes")
        measured.keep(f"{name}.result", document["resultBytes"], "B", file, "its result: resultBytes")
        measured.keep(f"{name}.head", document["ofAStudy"]["processorOfHead"], "s", file,
                      "processor time of the head, its sbatch and squeue included: ofAStudy.processorOfHead")


def of_shared(measured):
    syncs, disk = measured.read("syncs.json"), measured.read("disk.json")
    counts = syncs["syncsOfAStudy"]
    measured.keep("syncs", counts["head, shared file system"] + counts["node, shared file system"], "", "syncs.json",
                  "times that something of a study is synced on the shared file system: syncsOfAStudy")
    # A file of that measurement is two: itself and its folder.
    measured.keep("sync", 1 / (2 * disk["filesASecond"]["16"]), "s", "disk.json",
                  "a sync of many at the same time: 1 / (2 filesASecond.16)")
    measured.keep("bandwidth", min(disk["bytesASecondWritten"], disk["bytesASecondRead"]), "B/s", "disk.json",
                  "the lower one of bytesASecondWritten and bytesASecondRead")


def of_ledger(measured):
    if not (measured.folder / "ledger.json").exists():
        return of_benchmarks(measured)
    ledger = measured.read("ledger.json")
    measured.keep("ledger", ledger["milliseconds"]["a job of a cluster, from the request to its delivery"] / 1000, "s",
                  "ledger.json", f"all transactions of a study in a ledger of {ledger['instances']:,} instances: median of "
                  "a job of a cluster, from the request to its delivery")


def of_benchmarks(measured):
    """The slowest transaction of a ledger of a million instances for each one, as it was measured for Benchmarks.md."""
    page = BENCHMARKS.read_text().split("## The ledger with a million instances")[1]
    measured.commands["Benchmarks.md"] = {"command": "bench-ledger.sh", "measuredAt": re.search(
        r"\d+ [A-Z][a-z]+ \d{4}", page).group()}
    milliseconds = float(re.search(r"\| claiming a job \| ([\d.]+) \|", page).group(1))
    transactions = measured.read("studies-1-16.json")["ofAStudy"]["transactions"]
    measured.keep("ledger", transactions * milliseconds / 1000, "s", "studies-1-16.json, Benchmarks.md",
                  "ofAStudy.transactions, each as slow as claiming a job in a ledger of a million instances, which is the "
                  "slowest of them")


def of_head(measured):
    small = measured.read("studies-1-16.json")
    measured.keep("headProcessors", small["processors"], "", "studies-1-16.json", "of the machine that was measured")


def of_controller(measured):
    controller = measured.read("controller.json")
    few, many = controller["questions"]
    each = (many["processorOfController"] - few["processorOfController"]) / (many["jobs"] - few["jobs"])
    measured.keep("slurmJob", controller["processorOfControllerForAJob"], "s", "controller.json",
                  "processor time of slurmctld for a job: processorOfControllerForAJob")
    measured.keep("slurmQuestion", max(0, each), "s", "controller.json",
                  "processor time of slurmctld for each job that squeue tells of: slope of questions")
    single = measured.read("studies-1-1.json")
    measured.keep("launch", single["ofAJobOfSlurm"]["medianGapOfANode"], "s", "studies-1-1.json",
                  "a node from the end of a job of Slurm to the start of the next: ofAJobOfSlurm.medianGapOfANode")


def without_processor(cost):
    """Seconds of a study in which the program of its node had no processor, as others had them all, or waited for a disk: of
    nodes with processors of their own only the latter is left."""
    there = sum(seconds for stage, seconds in cost["stages"].items() if stage != "total") + cost["nodeBesidesComputing"]
    return round(max(0, there - cost["processorOfNode"]), 4)


def cost_curve(measured):
    """What was measured of 1, 2 and 4 nodes, with packs and without."""
    rows = []
    for packed in (16, 1):
        for nodes in (1, 2, 4):
            document = measured.read(f"studies-{nodes}-{packed}.json")
            cost = document["ofAStudy"]
            rows.append({"nodes": nodes, "packJobs": packed, "studies": document["studies"],
                         "studiesAnHour": document["studiesAnHour"], "nodeBesidesComputing": cost["nodeBesidesComputing"],
                         "nodeWithoutProcessor": without_processor(cost),
                         "nodeWithoutProgram": cost["nodeWithoutProgram"],
                         # Not known where it was measured before that was kept.
                         "nodeBetweenPrograms": document.get("nodeWithoutProgram", {}).get("betweenPrograms")})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("parameters.json"))
    options = parser.parse_args()
    measured = Measured(options.folder)
    for part in (of_studies, of_nodes, of_ledger, of_head, of_shared, of_controller):
        part(measured)
    # Of the program, not measured.
    settings = {"maximumJobs": 1024, "packJobs": 16, "packSeconds": 120, "shortSeconds": 60, "pauseSeconds": 2,
                "questionSeconds": 2, "endedJobsSeconds": 300}
    options.output.write_text(json.dumps({
        "parameters": measured.parameters, "costCurve": cost_curve(measured), "commands": measured.commands,
        "settings": settings}, indent=2) + "\n")


if __name__ == "__main__":
    main()
