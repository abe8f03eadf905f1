#!/usr/bin/env python3
"""How a daemon segments an archive again, and what studies that arrive meanwhile notice of it.

    Scripts/bench-reprocess.py [--studies 1000] [--compute 200] [--clinical 10] [--segmentd PROGRAM] [--output FILE]

So many small studies are received, without being segmented. Then reprocess previews and makes a job of each, and a
daemon computes them: --compute of them are waited for, or all. Meanwhile clinical studies arrive one by one; the
reprocessing is held and released, and the daemon is killed and started again. What is promised of it is asserted: a
preview changes nothing, a clinical study waits for no more than the study in hand, nothing runs while it is held, nothing
is computed twice or lost.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from comparison import ROOT, build, clean_environment
from measurement import add_options, commits, keep, processor_seconds, wait_until

sys.path.insert(0, str(ROOT / "Scripts/test-support/generators"))
import make_studies  # noqa: E402


class Daemon:
    def __init__(self, program, folder, threads):
        self.program, self.folder, self.process = program, folder, None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.ledger = folder / "state/ledger.sqlite"
        self.configuration = folder / "segmentd.yaml"
        self.configuration.write_text(
            f"stateDirectory: {folder}/state\n"
            f"listener: {{aeTitle: BENCH, address: 127.0.0.1, port: {self.port}}}\n"
            "assembly: {quietSeconds: 1}\n"
            f"inference: {{threads: {threads}, checkpointSeconds: 30}}\n"
            f'models: {{directories: ["{ROOT}/Fixtures/models"]}}\n'
            "rules:\n  - {model: untrained-tiny, modalities: [CT]}\n")

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.program, "serve", "--config", self.configuration], stdout=log, stderr=log,
                                        env=clean_environment())
        self.until(lambda: subprocess.run(["echoscu", "-aec", "BENCH", "127.0.0.1", str(self.port)],
                                          capture_output=True).returncode == 0, "the listener")

    def end(self, kill=False):
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(60)

    def command(self, *words):
        verbs = 2 if words[0] == "jobs" else 1
        return subprocess.run([self.program, *words[:verbs], "--config", self.configuration, *words[verbs:]], check=True,
                              capture_output=True, text=True).stdout

    def send(self, folder):
        # Else each image waits for the kernel's delayed acknowledgement.
        subprocess.run(["storescu", "-R", "-aec", "BENCH", "+sd", "+r", "127.0.0.1", str(self.port), folder], check=True,
                       capture_output=True, env={**os.environ, "TCP_NODELAY": "1"})

    def rows(self, query, *values):
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=60) as ledger:
            return ledger.execute(query, values).fetchall()

    def states(self, reprocessing=None):
        """How many jobs are in which state: those of a reprocessing, or the others."""
        return dict(self.rows("SELECT state, count(*) FROM jobs WHERE reprocessing_id IS ? GROUP BY state", reprocessing))

    def until(self, condition, what, seconds=3600):
        return wait_until(condition, what, self.process, self.folder / "log", seconds)

    def clinical(self, folder, series):
        """Seconds from the last byte of a study until its result."""
        self.send(folder)
        return self.until(lambda: self.rows("SELECT 1 FROM jobs WHERE series_uid = ? AND state = 'completed'", series),
                          f"the result of {series}")


def receive(daemon, folder, count):
    """An archive of studies that have not been segmented."""
    began = time.monotonic()
    daemon.command("pause")
    daemon.send(folder)
    sent = time.monotonic() - began
    daemon.until(lambda: daemon.states() == {"available": count}, "the jobs")
    assembled = time.monotonic() - began
    daemon.command("jobs", "cancel", "--state", "available")
    daemon.command("resume")
    return {"sent": round(sent, 1), "assembled": round(assembled, 1)}


def preview(daemon, studies):
    head = daemon.rows("SELECT count(*), max(id) FROM events")
    began = time.monotonic()
    found = json.loads(daemon.command("reprocess", "--from", studies, "--dry-run", "--json"))
    seconds = time.monotonic() - began
    assert daemon.rows("SELECT count(*), max(id) FROM events") == head, "a preview changed something"
    assert {job["effect"] for job in found["jobs"]} == {"first"}, "what the preview says is not so"
    return {"seconds": round(seconds, 2), "jobs": len(found["jobs"])}


def completed(daemon):
    return daemon.states(1).get("completed", 0)


def holding(daemon):
    """Held, it stops after the study in hand; released, it goes on."""
    began = time.monotonic()
    daemon.command("jobs", "hold", "--reprocessing", "1")
    told = time.monotonic() - began
    daemon.until(lambda: "running" not in daemon.states(1), "that nothing runs")
    before = completed(daemon)
    time.sleep(5)
    assert completed(daemon) == before, "it went on while it was held"
    began = time.monotonic()
    daemon.command("jobs", "release", "--reprocessing", "1")
    released = time.monotonic() - began
    daemon.until(lambda: completed(daemon) > before, "that it goes on")
    return {"hold": round(told, 2), "release": round(released, 2)}


def restart(daemon):
    before = completed(daemon)
    daemon.end(kill=True)
    began = time.monotonic()
    daemon.start()
    # At most one was being computed.
    daemon.until(lambda: completed(daemon) > before + 1, "that it goes on after the kill")
    return round(time.monotonic() - began, 2)


def check_once(daemon):
    """Each study has one result, whatever happened meanwhile."""
    twice = daemon.rows("SELECT series_uid FROM jobs WHERE reprocessing_id = 1 GROUP BY series_uid HAVING count(*) > 1")
    assert not twice, f"two jobs: {twice}"
    failed = daemon.rows("SELECT count(*) FROM attempts JOIN jobs ON jobs.id = job_id WHERE reprocessing_id = 1 "
                         "AND outcome = 'failed'")
    assert failed == [(0,)], f"failed attempts: {failed}"
    results = daemon.rows("SELECT count(*), count(DISTINCT series_uid) FROM results JOIN jobs ON jobs.id = job_id "
                          "WHERE reprocessing_id = 1")
    assert results == [(completed(daemon),) * 2], results


def check_order(daemon, series):
    """Nothing of the reprocessing was begun while a clinical study waited, however long that took."""
    begun = daemon.rows(
        "SELECT other.job_id FROM jobs AS own JOIN attempts AS first ON first.job_id = own.id AND first.number = 1 "
        "JOIN attempts AS other ON other.started_at > own.created_at AND other.started_at < first.started_at "
        "JOIN jobs AS bulk ON bulk.id = other.job_id WHERE bulk.reprocessing_id = 1 AND own.series_uid IN "
        f"({', '.join('?' * len(series))})", *series)
    assert not begun, f"begun while a clinical study waited: {begun}"


def spread(times):
    return {"median": round(statistics.median(times), 2), "most": round(max(times), 2), "studies": len(times)}


def throughput(daemon, wanted):
    """Of nothing but the reprocessing, until so many are done."""
    before, used, written = completed(daemon), processor_seconds(daemon.process.pid), commits(daemon.ledger)
    began = time.monotonic()
    daemon.until(lambda: completed(daemon) >= wanted, f"{wanted} results")
    seconds, count = time.monotonic() - began, completed(daemon) - before
    return {"studies": count, "seconds": round(seconds, 1), "secondsOfAStudy": round(seconds / count, 4),
            "studiesAnHour": round(3600 * count / seconds),
            "processorOfAStudy": round((processor_seconds(daemon.process.pid) - used) / count, 4),
            "transactionsOfAStudy": round((commits(daemon.ledger) - written) / count, 2)}


def bench(options, program, folder):
    archive, ward = folder / "archive", folder / "ward"
    make_studies.make(archive, options.studies, 1)
    series = make_studies.make(ward, 2 * options.clinical, options.studies + 1)
    places = [ward / str(options.studies + number) for number in range(1, len(series) + 1)]
    daemon = Daemon(program, folder, options.threads)
    daemon.start()
    received = receive(daemon, archive, options.studies)
    usual = [daemon.clinical(*one) for one in list(zip(places, series))[:options.clinical]]
    studies = folder / "studies"
    studies.write_text("".join(f"{make_studies.uid('StudyInstanceUID', number)}\n"
                               for number in range(1, options.studies + 1)))
    foreseen = preview(daemon, studies)
    began = time.monotonic()
    daemon.command("reprocess", "--from", studies)
    made = time.monotonic() - began
    assert sum(daemon.states(1).values()) == options.studies
    pace = throughput(daemon, completed(daemon) + options.compute // 2)
    progress = json.loads(daemon.command("jobs", "progress", "--reprocessing", "1", "--json"))
    beside = [daemon.clinical(*one) for one in list(zip(places, series))[options.clinical:]]
    check_order(daemon, series[options.clinical:])
    assert daemon.states(1).get("available", 0) > 0, "it ended before the clinical studies: more --studies are needed"
    # The study in hand yields, or ends.
    bound = max(usual) + options.allowance + 2 * pace["secondsOfAStudy"]
    stopping, again = holding(daemon), restart(daemon)
    rest = options.studies if options.all else min(options.studies, completed(daemon) + options.compute // 2)
    later = throughput(daemon, rest)
    check_once(daemon)
    daemon.end()
    return {
        "studies": options.studies, "instances": 8 * options.studies, "threads": options.threads, "received": received,
        "preview": foreseen, "jobsMadeIn": round(made, 2), "throughput": pace, "throughputLater": later,
        "progress": {key: progress.get(key) for key in ("jobs", "remaining", "jobsAnHour")},
        "clinicalAlone": spread(usual), "clinicalMeanwhile": spread(beside), "clinicalBound": round(bound, 2) if math.isfinite(bound) else None,
        "stopping": stopping,
        "afterKillGoesOnIn": again, "hoursForAll": round(options.studies * later["secondsOfAStudy"] / 3600, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--compute", type=int, default=200, help="of which so many are waited for")
    parser.add_argument("--all", action="store_true", help="wait for all of them")
    parser.add_argument("--clinical", type=int, default=10)
    parser.add_argument("--allowance", type=float, default=0.5, metavar="SECONDS",
                        help="that a clinical study may take besides the usual time and that of the study in hand; inf: "
                             "any time, where it is only looked at what was begun meanwhile")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--segmentd", type=pathlib.Path, help="a program that is built already")
    add_options(parser)
    options = parser.parse_args()
    program = (options.segmentd or build()).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-reprocess."))
    values = bench(options, program, folder)
    keep(options, values)
    shutil.rmtree(folder)
    bound = values["clinicalBound"]
    if bound is not None and values["clinicalMeanwhile"]["most"] > bound:
        sys.exit("a clinical study waited for more than the study in hand")


if __name__ == "__main__":
    main()
