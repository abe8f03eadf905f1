#!/usr/bin/env python3
"""How soon a running job yields and what interruptions cost, and what jobs side by side gain.

    Scripts/bench-jobs.py [--studies 4] [--interruptions 10] [--segmentd PROGRAM] [--write]

A daemon is given series of synthetic subjects by a watch folder. Interruptions: `pause --running` while a job runs,
until the ledger says that it has yielded; then `resume`, until it runs again. Side by side: the time from the first
start to the last end of several studies, with one job at a time and with two, of one thread less each.
--write puts the tables into Benchmarks.md.
"""

import argparse
import datetime
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from comparison import ROOT, build, clean_environment, processor, write_table
from measurement import wait_until

GENERATORS = ROOT / "Scripts/test-support/generators"
PYTHON = ROOT / ".venv/bin/python3"
MODELS = {
    "untrained-tiny": ("CT, 100 slices of 256 × 256", ["make_series.py", "--slices", "100", "--size", "256",
                                                       "--spacing", "1.0", "0.8", "0.8"], "modalities: [CT]"),
    "cardiac": ("short-axis cine, 10 slices, 25 phases", ["make_cardiac.py", "--phases", "25"], "modalities: [MR]"),
}


def make(model, folder, seed):
    _, command, _ = MODELS[model]
    subprocess.run([PYTHON, GENERATORS / command[0], folder, *command[1:], "--seed", str(seed)], check=True,
                   stdout=subprocess.DEVNULL)


class Daemon:
    def __init__(self, program, model, jobs):
        self.program, self.folder = program, pathlib.Path(tempfile.mkdtemp(prefix="bench-jobs."))
        self.watch = self.folder / "watch"
        self.watch.mkdir()
        self.configuration = self.folder / "segmentd.yaml"
        self.configuration.write_text(
            f"stateDirectory: {self.folder}/state\n"
            "assembly: {quietSeconds: 1}\n"
            f"inference: {{threads: {os.cpu_count()}, concurrentJobs: {jobs}}}\n"
            f'models: {{directories: ["{ROOT}/Fixtures/models"]}}\n'
            f"rules:\n  - {{model: {model}, {MODELS[model][2]}}}\n"
            f'watch:\n  - {{folder: "{self.watch}", settleSeconds: 0.5}}\n')
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([program, "serve", "--config", self.configuration], stdout=self.log,
                                        stderr=self.log, env=clean_environment())
        self.until(lambda: (self.folder / "state/ledger.sqlite").exists())

    def command(self, *words):
        subprocess.run([self.program, *words, "--config", self.configuration], check=True, stdout=subprocess.DEVNULL)

    def rows(self, query):
        with sqlite3.connect(f"file:{self.folder}/state/ledger.sqlite?mode=ro", uri=True, timeout=60) as ledger:
            return ledger.execute(query).fetchall()

    def states(self):
        return [state for (state,) in self.rows("SELECT state FROM jobs ORDER BY id")]

    def until(self, condition, seconds=3600):
        return wait_until(condition, "what was waited for", self.process, self.folder / "log", seconds, 0.01)

    def put(self, series):
        for one in series:
            shutil.copytree(one, self.watch / one.name)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder)


def computing(daemon):
    """Seconds of all attempts of all jobs."""
    return daemon.rows("SELECT sum(finished_at - started_at) FROM attempts")[0][0]


def interruptions(program, model, series, count):
    """One row: yielding, the checkpoint's size, and the computing time with and without interruptions."""
    plain = Daemon(program, model, 1)
    plain.put([series])
    plain.until(lambda: plain.states() == ["completed"])
    alone = computing(plain)
    plain.end()
    daemon = Daemon(program, model, 1)
    daemon.put([series])
    yields, resumes, largest = [], [], 0
    generator = random.Random(1)
    for _ in range(count):
        daemon.until(lambda: daemon.states() in (["running"], ["completed"]))
        time.sleep(generator.uniform(0.5, 1.5) * alone / (count + 1))
        if daemon.states() == ["completed"]:
            break
        began = time.monotonic()
        daemon.command("pause", "--running")
        daemon.until(lambda: daemon.states() != ["running"])
        if daemon.states() == ["completed"]:
            break
        yields.append(time.monotonic() - began)
        checkpoints = (daemon.folder / "state/checkpoints").rglob("*")
        largest = max([largest, *(file.stat().st_size for file in checkpoints if file.is_file())])
        began = time.monotonic()
        daemon.command("resume")
        daemon.until(lambda: daemon.states() != ["available"])
        resumes.append(time.monotonic() - began)
    daemon.until(lambda: daemon.states() == ["completed"])
    interrupted = computing(daemon)
    daemon.end()
    if not yields:
        sys.exit(f"{model}: the job ended before it could be interrupted")
    return (f"| {model} | {MODELS[model][0]} | {len(yields)} | {statistics.median(yields):.2f} | {max(yields):.2f} | "
            f"{statistics.median(resumes):.2f} | {largest / 1e6:.1f} | {alone:.1f} | {interrupted:.1f} |")


def side_by_side(program, model, series):
    times = {}
    for jobs in (1, 2):
        daemon = Daemon(program, model, jobs)
        daemon.command("pause")
        daemon.put(series)
        daemon.until(lambda: daemon.states() == ["available"] * len(series))
        daemon.command("resume")
        daemon.until(lambda: daemon.states() == ["completed"] * len(series))
        times[jobs] = daemon.rows("SELECT max(finished_at) - min(started_at) FROM attempts")[0][0]
        daemon.end()
    return (f"| {model} | {MODELS[model][0]} | {len(series)} | {times[1]:.1f} | {times[2]:.1f} | "
            f"{times[2] / times[1]:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4)
    parser.add_argument("--interruptions", type=int, default=10)
    parser.add_argument("--segmentd", type=pathlib.Path, help="a program that is built already")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    program = options.segmentd or build()
    yielding, beside = [], []
    with tempfile.TemporaryDirectory(prefix="bench-jobs.") as folder:
        for model in MODELS:
            series = [pathlib.Path(folder) / f"{model}-{i}" for i in range(options.studies)]
            for i, one in enumerate(series):
                make(model, one, i)
            yielding.append(interruptions(program, model, series[0], options.interruptions))
            beside.append(side_by_side(program, model, series))
    text = "\n".join([
        f"{datetime.date.today()}, {processor()}, {os.cpu_count()} processors; seconds.", "",
        "| model | series | interruptions | yields after, median | at most | runs again after, median | checkpoint, MB |"
        " computing alone | with the interruptions |", "|---|---|---|---|---|---|---|---|---|", *yielding, "",
        "| model | series | studies | one job at a time | two | ratio |", "|---|---|---|---|---|---|", *beside])
    print(text)
    if options.write:
        write_table("jobs", text)


if __name__ == "__main__":
    main()
