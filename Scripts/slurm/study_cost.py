"""What a study costs that a cluster computes: the nodes, the head, the ledger and the shared file system."""

import json
import pathlib
import re
import sqlite3
import subprocess
import time

from cluster import until
from measurement import commits, processor_seconds

WRAPPER = """#!/bin/sh
# Keeps when the program began and ended, what it took of the processor, and where it ran.
file=%(folder)s/$(date +%%s%%N).$$
began=$(date +%%s.%%N)
%(strace)s %(program)s "$@"
status=$?
{ echo "$began $(date +%%s.%%N) $SLURM_JOB_NAME $SLURMD_NODENAME"; times; } >"$file.part"
mv "$file.part" "$file"
exit $status
"""


class Processes:
    """The processes of the nodes from now on."""

    def __init__(self, lab, counts_syncs):
        self.folder = lab.folder / "processes"
        self.folder.mkdir()
        # To files of their own, so that the standard output stays the program's.
        strace = "strace --seccomp-bpf -f -y -e trace=fsync,fdatasync -o $file.syncs" if counts_syncs else ""
        lab.program.unlink()
        lab.program.write_text(WRAPPER % {"folder": self.folder, "program": lab.segmentd, "strace": strace})
        lab.program.chmod(0o700)

    def all(self):
        """Begin, end and processor seconds of each."""
        found = []
        for file in self.folder.iterdir():
            if file.suffix in (".part", ".syncs"):
                continue
            first, _, of_children = file.read_text().splitlines()
            began, ended, name, node = first.split()
            used = sum(60 * int(minutes) + float(seconds)
                       for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", of_children))
            found.append({"began": float(began), "ended": float(ended), "name": name, "node": node, "used": used})
        return found

    def syncs(self, folder):
        """How often they had something of a folder written to the disk."""
        return sum(count_syncs(file, folder) for file in self.folder.glob("*.syncs"))


def count_syncs(file, folder):
    lines = pathlib.Path(file).read_text(errors="replace").splitlines()
    return sum(f"<{folder}" in line and "sync(" in line for line in lines)


def bytes_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def count_jobs(lab, state):
    """Asked of the ledger itself, as segmentd jobs would take time of what is measured."""
    with sqlite3.connect(f"file:{lab.folder}/state/ledger.sqlite?mode=ro", uri=True, timeout=60) as ledger:
        return ledger.execute("SELECT count(*) FROM jobs WHERE state = ?", (state,)).fetchone()[0]


def shares_of_a_study(lab, uids):
    """Seconds of each stage on the nodes, and the bytes of the result."""
    wanted = set(uids)
    details = [json.loads(lab.command("jobs", "list", "--job", row["id"], "--json").stdout)
               for row in lab.jobs() if row["seriesInstanceUID"] in wanted]
    attempts = [detail["attempts"][-1] for detail in details]
    stages = {}
    for attempt in attempts:
        for stage, seconds in attempt["seconds"].items():
            stages[stage] = stages.get(stage, 0) + seconds / len(attempts)
    result = (lab.folder / "state" / details[0]["job"]["objects"][0]["path"]).parent
    return stages, {attempt["place"]["name"] for attempt in attempts}, bytes_of(result)


def measure(lab, count, slices, size, counts_syncs=False):
    """Studies an hour, and what one takes of a node, of the head, of the ledger and of Slurm.

    The nodes' seconds are those of the programs; the rest up to the wall time is that of Slurm, and of waiting for work.
    """
    # What the model takes has to be known for packs, and the memory that it needs.
    lab.wait_for(lab.send_many(2, slices, size))
    time.sleep(6)
    known = count_jobs(lab, "completed")
    lab.command("pause")
    uids = lab.send_many(count, slices, size)
    until("that all are assembled", lambda: count_jobs(lab, "available") == count, within=1200)
    processes = Processes(lab, counts_syncs)
    ledger = lab.folder / "state/ledger.sqlite"
    controller = lab.cluster.processes["slurmctld"].pid
    tracer = follow_syncs(lab) if counts_syncs else None
    before = (commits(ledger), processor_seconds(lab.daemon.pid), processor_seconds(controller))
    began, start = time.monotonic(), time.time()
    lab.command("resume")
    until("that all are done", lambda: count_jobs(lab, "completed") == known + count, within=3600)
    wall = time.monotonic() - began
    after = (commits(ledger), processor_seconds(lab.daemon.pid), processor_seconds(controller))
    until("the ends of the programs", lambda: not lab.cluster.running())
    time.sleep(1)
    stages, names, result = shares_of_a_study(lab, uids)
    if tracer:
        tracer.terminate()
        tracer.wait()
    used = [b - a for a, b in zip(before, after)]
    return report(lab, count, start, wall, used, processes, stages, names) | {
        "images": {"files": slices, "bytes": bytes_of(lab.series[uids[0]])}, "resultBytes": result} | (
            syncs_of(lab, processes, count) if counts_syncs else {})


def follow_syncs(lab):
    tracer = subprocess.Popen(["strace", "--seccomp-bpf", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o",
                               str(lab.folder / "head.syncs"), "-p", str(lab.daemon.pid)], stderr=subprocess.DEVNULL)
    time.sleep(2)
    return tracer


def syncs_of(lab, processes, count):
    head = lab.folder / "head.syncs"
    return {"syncsOfAStudy": {
        "head, its own disk": round(count_syncs(head, lab.folder / "state") / count, 2),
        "head, shared file system": round(count_syncs(head, lab.jobs_folder) / count, 2),
        "node, shared file system": round(processes.syncs(lab.jobs_folder) / count, 2)}}


def idle(lab, ran, start, wall):
    """Seconds in which nodes had no program: before their first one, between two, each by itself, and after their last one."""
    before, gaps, after = 0, [], 0
    for node in lab.cluster.nodes:
        mine = sorted((one["began"], one["ended"]) for one in ran if one["node"] == node)
        before += mine[0][0] - start if mine else wall
        gaps += [later[0] - earlier[1] for earlier, later in zip(mine, mine[1:])]
        after += start + wall - mine[-1][1] if mine else 0
    return before, gaps, after


def report(lab, count, start, wall, used, processes, stages, names):
    """start: seconds since 1970; wall: how long it took until all were done."""
    ran = processes.all()
    nodes = len(lab.cluster.nodes)
    programs = sum(one["ended"] - one["began"] for one in ran)
    computed = count * sum(seconds for stage, seconds in stages.items() if stage != "total")
    before, gaps, after = idle(lab, ran, start, wall)
    transactions, head, controller = used
    return {
        "nodes": nodes, "studies": count, "packJobs": lab.packed, "maximumJobs": lab.maximum,
        "seconds": round(wall, 2), "studiesAnHour": round(3600 * count / wall),
        "jobsOfSlurm": len(names), "programs": len(ran),
        "ofAStudy": {
            "stages": {stage: round(seconds, 4) for stage, seconds in sorted(stages.items())},
            "nodeBesidesComputing": round((programs - computed) / count, 4),
            "nodeWithoutProgram": round((wall * nodes - programs) / count, 4),
            "processorOfNode": round(sum(one["used"] for one in ran) / count, 4),
            "processorOfHead": round(head / count, 4), "transactions": round(transactions / count, 2)},
        # Seconds of a study.
        "nodeWithoutProgram": {
            "beforeTheFirst": round(before / count, 4), "betweenPrograms": round(sum(gaps) / count, 4),
            "afterTheLast": round(after / count, 4)},
        "ofAJobOfSlurm": {
            "processorOfController": round(controller / max(1, len(ran)), 4),
            "medianGapOfANode": round(sorted(gaps)[len(gaps) // 2], 3) if gaps else None}}
