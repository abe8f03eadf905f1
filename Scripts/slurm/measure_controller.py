#!/usr/bin/env python3
"""How many jobs a real slurmctld starts and ends, and what it costs to ask it; as root, in namespaces of its own:

    bash Scripts/slurm/isolated.sh python3 Scripts/slurm/measure_controller.py [--jobs 200] [--waiting 1000] [--output FILE]

Jobs that do nothing run on nodes of one core, submitted as segmentd does it; then others are submitted to nodes that take
none, and squeue is asked for all. Slurm's settings are those of cluster.py.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from cluster import Cluster, run, until  # noqa: E402
from measurement import add_options, keep, processor_seconds  # noqa: E402


def submit(folder, count, prefix):
    """Returns the seconds of one submission."""
    script = folder / "batch.sh"
    script.write_text("#!/bin/sh\nexec true\n")
    began = time.monotonic()
    for number in range(count):
        run("sbatch", "--parsable", f"--job-name={prefix}-{number}", "--dependency=singleton", "--requeue",
            "--open-mode=append", "--nodes=1", "--ntasks=1", "--cpus-per-task=1", "--time=5", "--mem=100M",
            f"--chdir={folder}", "--output=/dev/null", "--export=ALL", script)
    return (time.monotonic() - began) / count


def asked(cluster, times=10):
    """Seconds of the controller and of the clock for one question for all jobs."""
    controller = cluster.processes["slurmctld"].pid
    used, began = processor_seconds(controller), time.monotonic()
    for _ in range(times):
        count = len(cluster.jobs())
    return {"jobs": count, "seconds": round((time.monotonic() - began) / times, 4),
            "processorOfController": round((processor_seconds(controller) - used) / times, 4)}


def measure(cluster, folder, options):
    controller = cluster.processes["slurmctld"].pid
    for node in cluster.nodes:
        run("scontrol", "update", f"nodename={node}", "state=drain", "reason=measured")
    submitted = submit(folder, options.jobs, "done")
    for node in cluster.nodes:
        run("scontrol", "update", f"nodename={node}", "state=resume")
    used, began = processor_seconds(controller), time.monotonic()
    until("the ends of all", lambda: all(job["job_state"] == "COMPLETED" for job in cluster.jobs()), 1200)
    seconds = time.monotonic() - began
    used = processor_seconds(controller) - used
    answers = [asked(cluster)]
    for node in cluster.nodes:
        run("scontrol", "update", f"nodename={node}", "state=drain", "reason=measured")
    queued = submit(folder, options.waiting, "waiting")
    answers.append(asked(cluster))
    return {
        "nodes": options.nodes, "jobs": options.jobs, "secondsOfASubmission": round(submitted, 4),
        "jobsASecond": round(options.jobs / seconds, 2),
        "secondsOfANodeForAJob": round(options.nodes * seconds / options.jobs, 3),
        "processorOfControllerForAJob": round(used / options.jobs, 5),
        "secondsOfASubmissionWithMoreWaiting": round(queued, 4), "questions": answers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--waiting", type=int, default=1000)
    add_options(parser)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-controller."))
    cluster = Cluster(folder, options.nodes)
    try:
        keep(options, measure(cluster, folder, options))
    finally:
        cluster.end()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
