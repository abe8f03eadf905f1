#!/usr/bin/env python3
"""Studies through a daemon whose jobs a real Slurm cluster computes, and strikes; see Scripts/slurm-lab.sh.

After each strike every study has to be completed, or held where it says so, with the very bytes that segmentd run gives,
once.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, run, until

PACKAGE = pathlib.Path(__file__).resolve().parents[2]
MODELS = PACKAGE / "Fixtures/models"


class Lab:
    def __init__(self, segmentd, folder, nodes, maximum=4, packed=16):
        self.segmentd, self.folder = segmentd, folder
        self.models, self.node_models = folder / "models", folder / "node-models"
        shutil.copytree(MODELS, self.models)
        shutil.copytree(MODELS, self.node_models)
        # A file system of its own, as a shared one is.
        self.jobs_folder = folder / "jobs"
        self.jobs_folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=512m,mode=700", "tmpfs", self.jobs_folder)
        slurm = folder / "slurm"
        slurm.mkdir()
        self.cluster = Cluster(slurm, nodes)
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
  partition: batch
  urgentPartition: urgent
  memoryGB: 0.1
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
            run("storescu", "-R", "-aec", "LAB", "+sd", "127.0.0.1", self.port, self.series[uid])
        return made

    def row(self, uid):
        rows = [job for job in self.jobs() if job["seriesInstanceUID"] == uid]
        return rows[0] if rows else None

    def wait_for(self, uids, states=("completed",), within=600):
        """Waits until the jobs have ended, as an administrator who does what doctor says."""
        told = [time.monotonic() + 20]

        def are_done():
            if time.monotonic() > told[0]:
                self.follow_doctor()
                told[0] = time.monotonic() + 20
            rows = [self.row(uid) for uid in uids]
            return all(row and row["state"] in states for row in rows)
        try:
            until(f"{uids}", are_done, within)
        except TimeoutError as error:
            rows = [self.row(uid) for uid in uids]
            states = [(row["state"], row.get("reason")) if row else None for row in rows]
            raise RuntimeError(f"{error}: {states}; {self.cluster.running()}\n{self.log.read_text()[-4000:]}") from error

    def follow_doctor(self):
        for finding in findings(self.command("doctor", "--json", check=False).stdout):
            advice = finding.get("advice") or ""
            if finding["level"] == "fault" and advice.startswith("scontrol "):
                print(f"  doctor: {finding['subject']}: {finding['text']}: {advice}", flush=True)
                run(*advice.split(), check=False)
                self.followed.append(advice)

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

    def has_checkpoint(self, uid):
        job = self.row(uid)
        return job and list(self.jobs_folder.glob(f"*-*-{job['id']}-*/checkpoint/*.prediction")) and self.cluster.running()

    def submissions(self, job):
        """The names that Slurm knows of a job."""
        return sorted({one["name"] for one in self.cluster.jobs() if one["name"].split("-")[2:3] == [str(job)]})

    def packs(self):
        """The names of the packs that Slurm knows."""
        return {one["name"] for one in self.cluster.jobs() if "-pack-" in one["name"]}

    def attempts(self, uid):
        """How the attempts at a job ended."""
        detail = json.loads(self.command("jobs", "list", "--job", self.row(uid)["id"], "--json").stdout)
        return [one.get("outcome") for one in detail["attempts"]]

    # Strikes

    def nothing_happens(self):
        uids = self.send(1, slices=120, size=256) + self.send(2)
        self.wait_for(uids)
        # The first submission is refused for memory by the node, and asks for what it needs.
        names = self.submissions(self.row(uids[0])["id"])
        assert [name.rsplit("-", 1)[1] for name in names] == ["1", "2"], names
        self.check(uids)

    def shared_disk_is_full(self):
        """For longer than three attempts take; then there is space again."""
        uids = self.send(1, slices=120, size=256)
        until("a running job", lambda: [one for one in self.cluster.running() if one[0].endswith("-2")])
        filler = self.jobs_folder / "filler"
        run("dd", "if=/dev/zero", f"of={filler}", "bs=1M", check=False)
        run("dd", "if=/dev/zero", f"of={filler}.rest", "bs=1k", check=False)
        waiting = until("that the job waits", lambda: [row for row in [self.row(uids[0])]
                                                       if row["state"] == "retryable"])[0]
        print(f"  {waiting['reason']}", flush=True)
        assert "no space left on device" in waiting["reason"].lower(), waiting["reason"]
        others = self.send(1)
        time.sleep(20)
        assert self.row(uids[0])["state"] == "retryable", self.row(uids[0])
        assert self.row(others[0])["state"] in ("available", "retryable"), self.row(others[0])
        for name in ("filler", "filler.rest"):
            (self.jobs_folder / name).unlink()
        self.wait_for(uids + others)
        for uid in uids + others:
            assert "failed" not in self.attempts(uid), self.attempts(uid)
        self.check(uids + others)

    def program_is_missing_on_the_nodes(self):
        """The nodes are at fault, and no job is held."""
        moved = self.program.with_name("moved")
        self.program.rename(moved)
        try:
            uids = self.send(1)
            waiting = until("that the job waits", lambda: [row for row in [self.row(uids[0])]
                                                           if row and row["state"] == "retryable"])[0]
            print(f"  {waiting['reason']}", flush=True)
            assert "cannot be run there" in waiting["reason"], waiting["reason"]
        finally:
            moved.rename(self.program)
        self.wait_for(uids)
        assert "failed" not in self.attempts(uids[0]), self.attempts(uids[0])
        self.check(uids)

    def gathered_pack(self):
        """Sends studies that wait for a node: the first by itself, and the others as one job of Slurm."""
        if not any(job["state"] == "completed" for job in self.jobs()):
            self.wait_for(self.send(1))
            time.sleep(6)  # What is known of a model is read again.
        before = self.packs()
        for node in self.cluster.nodes:
            run("scontrol", "update", f"nodename={node}", "state=drain", "reason=trial")
        uids = self.send(1)
        until("a job that waits", lambda: [one for one in self.cluster.jobs() if one["job_state"] == "PENDING"])
        uids += self.send(3)
        packs = until("a pack", lambda: self.packs() - before)
        until("that jobs says so", lambda: "PENDING, partition batch, waits: " in self.command("jobs").stdout, within=30)
        for node in self.cluster.nodes:
            run("scontrol", "update", f"nodename={node}", "state=resume")
        assert len(packs) == 1, packs
        return uids, packs.pop()

    def short_studies_are_packed(self):
        """Of a model that has been computed; the ledger says where each ran."""
        uids, pack = self.gathered_pack()
        self.wait_for(uids)
        for uid in uids[1:]:
            detail = json.loads(self.command("jobs", "list", "--job", self.row(uid)["id"], "--json").stdout)
            place = detail["attempts"][-1]["place"]
            assert place["name"] == pack and place["node"] in self.cluster.nodes, place
        self.check(uids)

    def node_is_killed_during_a_pack(self):
        uids, pack = self.gathered_pack()
        node = until("that it runs", lambda: [place for name, place in self.cluster.running() if name == pack])[0]
        self.cluster.kill_node(node)
        print(f"  {pack} ran on {node}", flush=True)
        self.wait_for(uids)
        self.cluster.start_node(node)
        for uid in uids:
            assert "failed" not in self.attempts(uid), self.attempts(uid)
        self.check(uids)

    def urgent_study_preempts(self):
        """A job of the urgent partition starts at once on nodes that are all busy; the other resumes, or ends in time."""
        uids = self.send(len(self.cluster.nodes), slices=400, size=256)
        until("running jobs", lambda: len([one for one in self.cluster.running() if one[0].endswith("-2")])
              == len(self.cluster.nodes))
        until("checkpoints", lambda: all(self.has_checkpoint(uid) for uid in uids))
        self.command("pause")
        urgent = self.send(1)
        job = until("its job", lambda: self.row(urgent[0]))
        self.command("jobs", "prioritize", "--job", job["id"], "--priority", 5)
        began = time.monotonic()
        self.command("resume")
        self.wait_for(urgent)
        print(f"  the urgent one was done after {time.monotonic() - began:.0f} s", flush=True)
        self.wait_for(uids)
        assert "preempted JobId" in (self.folder / "slurm/log/slurmctld").read_text()
        assert all("failed" not in self.attempts(uid) for uid in uids)
        self.check(urgent + uids)

    def clock_of_a_node_is_wrong(self):
        """Credentials of munge have expired there: doctor names the time, and the other nodes compute."""
        late = self.cluster.with_another_clock()
        text = self.command("doctor", "--json", check=False, env={**os.environ, "SLURM_CONF": str(late)}).stdout
        faults = [one for one in findings(text) if one["subject"] == "Slurm" and one["level"] == "fault"]
        assert faults and "the same time" in faults[0]["advice"], text
        node = self.cluster.nodes[0]
        self.cluster.stop_node(node)
        self.cluster.start_node(node, late)

        def named():
            found = findings(self.command("doctor", "--json", check=False).stdout)
            return [one for one in found if one["subject"] == f"node {node}" and "clock" in (one.get("advice") or "")]
        print(f"  {until('that doctor names the node', named)[0]['text']}", flush=True)
        uids = self.send(2)
        self.wait_for(uids)
        self.check(uids)
        self.cluster.stop_node(node)
        self.cluster.start_node(node)
        until("that the node is back", lambda: run("sinfo", "--noheader", "--nodes", node, "--format=%T").stdout.strip()
              .startswith("idle"))

    def controller_is_killed_after_a_submit(self):
        since = len(self.log.read_text())
        uids = self.send(2)
        until("a submission", lambda: self.logged("submitted to Slurm", since))
        self.cluster.kill_controller()
        time.sleep(3)
        self.cluster.start_controller()
        self.wait_for(uids)
        self.check(uids)

    def controller_is_killed_after_a_start(self):
        """It forgets that it has started the job, and then refuses the node: a hand is needed."""
        uids = self.send(1, slices=120, size=256)
        until("a running job", lambda: [one for one in self.cluster.running() if one[0].endswith("-2")])
        self.cluster.kill_controller()
        time.sleep(1)
        self.cluster.start_controller()
        self.wait_for(uids)
        self.check(uids)

    def munge_key_is_another(self):
        text = self.command("doctor", "--json", check=False,
                            env={**os.environ, "SLURM_CONF": str(self.cluster.with_another_munge_key())}).stdout
        faults = [one for one in findings(text) if one["subject"] == "Slurm" and one["level"] == "fault"]
        assert faults and "munge.key" in faults[0]["advice"], text

    def a_hand_is_needed(self):
        """In the states that doctor tells of, and mends by the commands that it names."""
        for node in self.cluster.nodes:
            run("scontrol", "update", f"nodename={node}", "state=drain", "reason=Duplicate jobid")
        uids = self.send(1)
        waiting = until("a job that waits", lambda: [one["name"] for one in self.cluster.jobs()
                                                     if one["job_state"] == "PENDING"])
        run("scontrol", "hold", f"jobname={waiting[0]}")
        until("that it is held", lambda: any(one["state_reason"].startswith("JobHeld") for one in self.cluster.jobs()))
        before = len(self.followed)
        self.wait_for(uids)
        assert {words.split()[1] for words in self.followed[before:]} == {"update", "release"}, self.followed
        self.check(uids)

    def node_is_killed(self):
        uids = self.send(1, slices=120, size=256)
        name, node = until("a running job", self.cluster.running)[0]
        until("a checkpoint", lambda: self.has_checkpoint(uids[0]))
        self.cluster.kill_node(node)
        print(f"  {name} ran on {node}", flush=True)
        self.wait_for(uids)
        self.cluster.start_node(node)
        self.check(uids)

    def cable_is_cut(self):
        uids = self.send(1, slices=120, size=256)
        name, node = until("a running job", self.cluster.running)[0]
        self.cluster.cut(node)
        self.wait_for(uids)
        self.cluster.mend(node)
        self.check(uids)

    def daemon_is_killed(self):
        uids = self.send(1, slices=120, size=256)
        until("a running job", lambda: [one for one in self.cluster.running() if one[0].endswith("-2")])
        self.stop(signal.SIGKILL)
        self.start()
        self.wait_for(uids)
        names = self.submissions(self.row(uids[0])["id"])
        assert len(names) == 2, f"not taken over, but submitted again: {names}"
        self.check(uids)

    def processing_is_paused(self):
        since = len(self.log.read_text())
        uids = self.send(1, slices=120, size=256)
        until("a checkpoint", lambda: self.has_checkpoint(uids[0]))
        self.command("pause", "--running")
        until("that the job yields", lambda: self.logged("job yields", since))
        until("that no job runs", lambda: not self.cluster.running())
        self.command("resume")
        self.wait_for(uids)
        job = self.row(uids[0])["id"]
        logs = "".join(file.read_text() for file in self.jobs_folder.glob(f"*-*-{job}-*/log.*"))
        assert "resumes from its checkpoint" in logs, logs
        self.check(uids)

    def model_of_the_nodes_is_another(self):
        document = self.node_models / "untrained-tiny/model.yaml"
        text = document.read_text()
        document.write_text(text.replace("version: 1.0.0", "version: 1.0.1"))
        uids = self.send(1)
        self.wait_for(uids, states=("held",))
        row = self.row(uids[0])
        assert "on this node" in row["reason"] and "on the head" in row["reason"], row["reason"]
        assert not row["objects"], row
        document.write_text(text)
        run(self.segmentd, "jobs", "retry", "--config", self.configuration, "--job", row["id"])
        self.wait_for(uids)
        self.check(uids)


    def measure(self, count):
        """Studies an hour, with the time that a study takes on a node besides what it computes."""
        self.wait_for(self.send(1))
        time.sleep(6)  # What is known of a model is read again.
        self.command("pause")
        uids = self.send(count)
        until("that all are assembled", lambda: len(self.jobs()) == count + 1)
        began = time.monotonic()
        self.command("resume")
        until("that all are done", lambda: [job["state"] for job in self.jobs()].count("completed") == count + 1, within=3600)
        wall = time.monotonic() - began
        details = [json.loads(self.command("jobs", "list", "--job", self.row(uid)["id"], "--json").stdout) for uid in uids]
        computed = sum(detail["attempts"][-1]["seconds"]["total"] for detail in details)
        names = {detail["attempts"][-1]["place"]["name"] for detail in details}
        nodes = len(self.cluster.nodes)
        print(f"{nodes} nodes: {count} studies in {wall:.1f} s, {3600 * count / wall:.0f} an hour; computed "
              f"{computed / count:.2f} s each; {len(names)} jobs of Slurm; besides that "
              f"{(wall * nodes - computed) / count:.2f} s of a node each", flush=True)


STRIKES = [Lab.nothing_happens, Lab.controller_is_killed_after_a_submit, Lab.model_of_the_nodes_is_another,
           Lab.short_studies_are_packed, Lab.shared_disk_is_full, Lab.program_is_missing_on_the_nodes, Lab.a_hand_is_needed,
           Lab.munge_key_is_another, Lab.controller_is_killed_after_a_start, Lab.node_is_killed, Lab.daemon_is_killed,
           Lab.processing_is_paused, Lab.node_is_killed_during_a_pack, Lab.urgent_study_preempts,
           Lab.clock_of_a_node_is_wrong, Lab.cable_is_cut]
BRIEF = STRIKES[:3]


def findings(text):
    found = json.loads(text)
    return found if isinstance(found, list) else found["findings"]


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segmentd", required=True, type=pathlib.Path)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--brief", action="store_true", help="the first three alone")
    parser.add_argument("--only", help="the one strike of this name")
    parser.add_argument("--measure", type=int, metavar="N", help="in place of the strikes, how long N small studies take")
    parser.add_argument("--maximum-jobs", type=int, default=4)
    parser.add_argument("--pack-jobs", type=int, default=16)
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-lab."))
    folder.chmod(0o700)
    lab = Lab(arguments.segmentd.resolve(), folder, arguments.nodes, arguments.maximum_jobs, arguments.pack_jobs)
    failed = []
    try:
        lab.start()
        if arguments.measure:
            lab.measure(arguments.measure)
            return
        for strike in BRIEF if arguments.brief else STRIKES:
            if arguments.only not in (None, strike.__name__):
                continue
            began = time.monotonic()
            print(strike.__name__.replace("_", " "), flush=True)
            try:
                strike(lab)
                print(f"  as it has to be, {time.monotonic() - began:.0f} s", flush=True)
            except (AssertionError, RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
                failed.append(strike.__name__)
                print(f"  FAILED: {error}\n{getattr(error, 'stderr', '') or ''}", flush=True)
        lab.stop()
    finally:
        lab.cluster.end()
        run("umount", lab.jobs_folder, check=False)
        if not arguments.keep and not failed:
            shutil.rmtree(folder)
        else:
            print(f"left: {folder}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
