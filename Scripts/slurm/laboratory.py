"""A daemon whose jobs a real Slurm cluster computes, and the studies that are sent to it."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from cluster import Cluster, run, until

PACKAGE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PACKAGE / "Scripts/test-support/generators"))

import make_studies  # noqa: E402

MODELS = PACKAGE / "Fixtures/models"


def findings(text):
    """What doctor found, of its JSON."""
    found = json.loads(text)
    return found if isinstance(found, list) else found["findings"]


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def lagging(share, place, seconds):
    """The command that mounts a folder so that the kernel keeps its names, and that a name is not there, for some time."""
    return (f'bindfs -o attr_timeout={seconds},entry_timeout={seconds},negative_timeout={seconds} '
            f'"{share}" "{place}"')


class Lab:
    def __init__(self, segmentd, folder, nodes, maximum=4, packed=16, memory=0.1, lag=0):
        """lag: seconds for which the head and each node keep the names of the shared folder, as clients of NFS do."""
        self.segmentd, self.folder = segmentd, folder
        self.maximum, self.packed = maximum, packed
        self.models, self.node_models = folder / "models", folder / "node-models"
        shutil.copytree(MODELS, self.models)
        shutil.copytree(MODELS, self.node_models)
        # A file system of its own, as a shared one is.
        self.jobs_folder = folder / "jobs"
        self.jobs_folder.mkdir()
        share = self.jobs_folder if not lag else folder / "share"
        share.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=512m,mode=700", "tmpfs", share)
        view = None
        if lag:
            view = lagging(share, self.jobs_folder, lag)
            run("sh", "-c", view)
        slurm = folder / "slurm"
        slurm.mkdir()
        self.ended = folder / "ended"
        self.ended.mkdir()
        # In place of the head's view a node has its own.
        self.cluster = Cluster(slurm, nodes, self.ended, view and f'umount "{self.jobs_folder}" && {view}')
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.program = folder / "bin/segmentd"
        self.program.parent.mkdir()
        self.program.symlink_to(segmentd)
        self.configuration = folder / "segmentd.yaml"
        self.configuration.write_text(f"""
stateDirectory: {folder}/state
listener: {{aeTitle: LAB, address: 127.0.0.1, port: {self.port}}}
assembly: {{quietSeconds: 1}}
models: {{directories: ["{self.models}"]}}
rules: [{{model: untrained-tiny, modalities: [CT]}}]
results: {{report: measurements}}
inference: {{executor: slurm, checkpointSeconds: 2}}
log: {{format: text}}
slurm:
  folder: {self.jobs_folder}
  program: {self.program}
  models: {self.node_models}
  endedJobs: {self.ended}
  partition: batch
  urgentPartition: urgent
  memoryGB: {memory}
  maximumJobs: {maximum}
  packJobs: {packed}
""")
        self.log = folder / "segmentd.log"
        self.seed, self.series = 0, {}
        self.daemon = None
        self.followed = []

    # The daemon

    def start(self):
        self.daemon = subprocess.Popen([self.segmentd, "serve", "--config", self.configuration],
                                       stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)

        def answers():
            if self.daemon.poll() is not None:
                raise RuntimeError(self.log.read_text()[-3000:])
            return run("echoscu", "-aec", "LAB", "127.0.0.1", self.port, check=False).returncode == 0
        until("the listener", answers)

    def stop(self, number=signal.SIGTERM):
        self.daemon.send_signal(number)
        self.daemon.wait(120)

    def command(self, *arguments, check=True, env=None):
        words = 2 if arguments[0] == "jobs" and arguments[1:2] and arguments[1][0] != "-" else 1
        return run(self.segmentd, *arguments[:words], "--config", self.configuration, *arguments[words:], check=check,
                   env=env)

    def jobs(self):
        return json.loads(self.command("jobs", "--json").stdout)

    def logged(self, text, since=0):
        return text in self.log.read_text()[since:]

    # Studies

    def send(self, count, slices=8, size=48):
        """Sends new studies.

        Returns their Series Instance UIDs."""
        made = []
        for _ in range(count):
            self.seed += 1
            place = self.folder / "series" / str(self.seed)
            words = run(sys.executable, PACKAGE / "Scripts/test-support/generators/make_series.py", place, "--slices",
                        slices, "--size", size, "--seed", self.seed).stdout.split()
            self.series[words[1]] = place
            made.append(words[1])
        for uid in made:
            self.store(self.series[uid])
        return made

    def store(self, folder, *options):
        # Else each image waits for the kernel's delayed acknowledgement.
        run("storescu", "-R", "-aec", "LAB", "+sd", *options, "127.0.0.1", self.port, folder,
            env={**os.environ, "TCP_NODELAY": "1"})

    def send_many(self, count, slices, size):
        """Sends studies that differ in their UIDs alone, over one association; as quickly as they can be made.

        Returns their Series Instance UIDs."""
        first = self.seed + 1
        self.seed += count
        folder = self.folder / "series" / f"from-{first}"
        uids = make_studies.make(folder, count, first, slices, size)
        self.series.update(zip(uids, (folder / str(number) for number in range(first, first + count))))
        self.store(folder, "+r")
        return uids

    def row(self, uid):
        rows = [job for job in self.jobs() if job["seriesInstanceUID"] == uid]
        return rows[0] if rows else None

    def wait_for(self, uids, states=("completed",), within=600):
        """Waits until the jobs have ended, as an administrator who does what doctor says."""
        def are_done():
            rows = [self.row(uid) for uid in uids]
            return all(row and row["state"] in states for row in rows)
        try:
            self.until(f"{uids}", are_done, within)
        except TimeoutError as error:
            rows = [self.row(uid) for uid in uids]
            states = [(row["state"], row.get("reason")) if row else None for row in rows]
            raise RuntimeError(f"{error}: {states}; {self.cluster.running()}\n{self.log.read_text()[-4000:]}") from error

    def until(self, what, condition, within=300):
        """Waits for a condition, as an administrator who does what doctor says, and returns what it gives."""
        told = [time.monotonic() + 20]

        def holds():
            if time.monotonic() > told[0]:
                self.follow_doctor()
                told[0] = time.monotonic() + 20
            return condition()
        return until(what, holds, within)

    def follow_doctor(self):
        for finding in findings(self.command("doctor", "--json", check=False).stdout):
            advice = finding.get("advice") or ""
            if finding["level"] == "fault" and advice.startswith("scontrol "):
                print(f"  doctor: {finding['subject']}: {finding['text']}: {advice}", flush=True)
                run(*advice.split(), check=False)
                self.followed.append(advice)

    def excluded(self):
        """The nodes that doctor says are given no jobs, with the command that ends that."""
        found = findings(self.command("doctor", "--json", check=False).stdout)
        return {one["subject"].removeprefix("node "): one["advice"].split(", then: ")[1] for one in found
                if "it is given no jobs until" in one["text"]}

    def readmit(self):
        """As an administrator who has mended the nodes."""
        for node, command in self.excluded().items():
            print(f"  {node} is mended: {command}", flush=True)
            run(*command.split())

    @contextlib.contextmanager
    def program_on(self, nodes, words):
        """Has nodes run something else in place of the program: words of the shell."""
        self.program.unlink()
        self.program.write_text(f"""#!/bin/sh
set -- "{self.segmentd}" "$@"
case $SLURMD_NODENAME in {'|'.join(nodes)})
{words}
esac
exec "$@"
""")
        self.program.chmod(0o700)
        try:
            yield
        finally:
            self.program.unlink()
            self.program.symlink_to(self.segmentd)

    def check(self, uids):
        """Compares the results with those of this machine alone."""
        names = {}
        for uid in uids:
            local = self.folder / "local"
            result = run(self.segmentd, "run", "--model", "untrained-tiny", "--models", self.models, "--config",
                         self.configuration, "--report", "--output", local, self.series[uid], check=False)
            assert result.returncode == 0, result.stdout + result.stderr
            rows = [job for job in self.jobs() if job["seriesInstanceUID"] == uid]
            assert len(rows) == 1, f"{uid} has {len(rows)} jobs"
            objects = [one for one in rows[0]["objects"]]
            assert [one["kind"] for one in objects].count("seg") == 1, objects
            for one in objects:
                file = self.folder / "state" / one["path"]
                wanted = local / uid / file.name
                assert sha256(file) == sha256(wanted), f"{file} is not {wanted}"
                names[one.get("sopInstanceUID") or str(file)] = uid
            modes = {oct(file.stat().st_mode & 0o777) for file in (self.folder / "state" / objects[0]["path"]).parent.iterdir()}
            assert modes <= {"0o600"}, modes
        return len(names)

    def computing(self, uid):
        """The name and the node of the job of Slurm that computes a study, once it has begun with the patches: what a node
        refuses before is over by then."""
        job = self.row(uid)
        folders = [file.parent.name for file in self.jobs_folder.glob(f"*-*-{job['id']}-*/progress.json")] if job else []
        return next(((name, node) for name, node in self.cluster.running()
                     if any(name.startswith(f"{folder}-") for folder in folders) or folders and "-pack-" in name), None)

    def has_checkpoint(self, uid):
        job = self.row(uid)
        return job and list(self.jobs_folder.glob(f"*-*-{job['id']}-*/checkpoint/*.prediction")) and self.cluster.running()

    def submissions(self, job):
        """The names that Slurm knows of a job."""
        return sorted({one["name"] for one in self.cluster.jobs() if one["name"].split("-")[2:3] == [str(job)]})

    def packs(self):
        """The names of the packs that Slurm knows."""
        return {one["name"] for one in self.cluster.jobs() if "-pack-" in one["name"]}

    def detail(self, uid):
        return json.loads(self.command("jobs", "list", "--job", self.row(uid)["id"], "--json").stdout)

    def attempts(self, uid):
        """How the attempts at a job ended."""
        return [one.get("outcome") for one in self.detail(uid)["attempts"]]

    def events(self, uid):
        return self.detail(uid)["events"]

    def resumed(self, uid):
        """What the ledger says of each time that a job resumed from its checkpoint."""
        return [event["message"] for event in self.events(uid) if "its checkpoint" in event["message"]]
