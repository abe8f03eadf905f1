"""What is done to a daemon and its cluster, and what has to come of it: each strike is a method of one name."""

import json
import os
import signal
import time

from cluster import run, until
from laboratory import findings
from strikes_at_nodes import StrikesAtNodes


class Strikes(StrikesAtNodes):
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
        self.until("that it is computed", lambda: self.computing(uids[0]))
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

    def an_end_is_known_that_squeue_forgot(self):
        """A job ends while the daemon is down, and squeue forgets it: what the controller's script has kept says how."""
        moved = self.program.with_name("moved")
        try:
            self.cluster.tell_ended_jobs_for(5)
            for node in self.cluster.nodes:
                run("scontrol", "update", f"nodename={node}", "state=drain", "reason=trial")
            uids = self.send(1)
            name = until("a job that waits", lambda: [one["name"] for one in self.cluster.jobs()
                                                      if one["job_state"] == "PENDING"])[0]
            self.stop(signal.SIGKILL)
            self.program.rename(moved)
            for node in self.cluster.nodes:
                run("scontrol", "update", f"nodename={node}", "state=resume")
            until("that its end is kept", lambda: list(self.ended.glob(f"{name}.*[0-9]")), within=60)
            until("that squeue forgets it", lambda: name not in {one["name"] for one in self.cluster.jobs()}, within=120)
            self.start()
            waiting = until("that the job waits", lambda: [row for row in [self.row(uids[0])]
                                                           if row and row["state"] == "retryable"])[0]
            print(f"  {waiting['reason']}", flush=True)
            assert "cannot be run there" in waiting["reason"], waiting["reason"]
            assert not self.submissions(self.row(uids[0])["id"]), "it was submitted again before"
        finally:
            if moved.is_symlink():
                moved.rename(self.program)
            for node in self.cluster.nodes:
                run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
            self.cluster.tell_ended_jobs_for(300)
            if self.daemon.poll() is not None:
                self.start()
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
        self.until("checkpoints on all nodes", lambda: all(self.has_checkpoint(uid) for uid in uids)
              and len({self.computing(uid) for uid in uids} - {None}) == len(self.cluster.nodes))
        self.command("pause")
        urgent = self.send(1)
        job = until("its job", lambda: self.row(urgent[0]))
        self.command("jobs", "prioritize", "--job", job["id"], "--priority", 5)
        began = time.monotonic()
        self.command("resume")
        self.wait_for(urgent)
        print(f"  the urgent one was done after {time.monotonic() - began:.0f} s", flush=True)
        self.wait_for(uids)
        assert "preempted JobId" in (self.folder / "slurm/log/slurmctld").read_text(), "no job was preempted"
        assert all("failed" not in self.attempts(uid) for uid in uids), [self.attempts(uid) for uid in uids]
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
        self.until("that it is computed", lambda: self.computing(uids[0]))
        self.cluster.kill_controller()
        time.sleep(1)
        self.cluster.start_controller()
        self.wait_for(uids)
        # Where the job was done before the node was asked, its number is given again, and only then the node is drained.
        uids += self.send(3)
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
        """Another one resumes from its checkpoint."""
        uids = self.send(1, slices=400, size=256)
        name, node = self.until("a checkpoint", lambda: self.has_checkpoint(uids[0]) and self.computing(uids[0]))
        self.cluster.kill_node(node)
        print(f"  {name} ran on {node}", flush=True)
        self.wait_for(uids)
        self.cluster.start_node(node)
        place = self.detail(uids[0])["attempts"][-1]["place"]
        assert place["node"] in self.cluster.nodes and place["node"] != node, place
        told = self.resumed(uids[0])
        print(f"  {place['node']}: {'; '.join(told)}", flush=True)
        assert told and int(told[-1].split("after ")[1].split()[0]) > 0, self.events(uids[0])
        self.check(uids)

    def cable_is_cut(self):
        uids = self.send(1, slices=120, size=256)
        node = self.until("that it is computed", lambda: self.computing(uids[0]))[1]
        self.cluster.cut(node)
        self.wait_for(uids)
        self.cluster.mend(node)
        self.check(uids)

    def daemon_is_killed(self):
        uids = self.send(1, slices=120, size=256)
        name = self.until("that it is computed", lambda: self.computing(uids[0]))[0]
        self.stop(signal.SIGKILL)
        self.start()
        self.wait_for(uids)
        place = self.detail(uids[0])["attempts"][-1]["place"]
        assert place["name"] == name, f"not taken over, but submitted again: {place} in place of {name}"
        self.check(uids)

    def processing_is_paused(self):
        since = len(self.log.read_text())
        # Long enough that patches are left when it has its first checkpoint.
        uids = self.send(1, slices=400, size=256)
        self.until("a checkpoint", lambda: self.has_checkpoint(uids[0]))
        self.command("pause", "--running")
        try:
            until("that the job yields", lambda: self.logged("job yields", since))
            until("that no job runs", lambda: not self.cluster.running())
        finally:
            self.command("resume")
        self.wait_for(uids)
        job = self.row(uids[0])["id"]
        logs = "".join(file.read_text() for file in self.jobs_folder.glob(f"*-*-{job}-*/log.*"))
        assert "resumes from its checkpoint" in logs, logs
        self.check(uids)

    def compute_by(self, executor):
        """Has the jobs computed by the daemon (local) or by the cluster (slurm) from now on."""
        self.stop()
        text = self.configuration.read_text()
        for other in ("local", "slurm"):
            text = text.replace(f"executor: {other}", f"executor: {executor}")
        self.configuration.write_text(text)
        self.start()

    def executor_is_changed_and_changed_back(self):
        """What one has computed of a job is not computed again by the other."""
        self.compute_by("local")
        try:
            # Long enough that patches are left, both when the daemon has a checkpoint of it and when a node has.
            uids = self.send(1, slices=400, size=256)
            until("a checkpoint", lambda: list((self.folder / "state/checkpoints").iterdir()))
            self.compute_by("slurm")
            job = self.row(uids[0])["id"]
            # Written when the daemon was stopped; a node has it by now, or will have.
            self.until("that a node resumes", lambda: any("resumes from its checkpoint" in file.read_text() for file in
                                                          self.jobs_folder.glob(f"*-*-{job}-*/log.*")))
            self.compute_by("local")
            self.wait_for(uids)
            until("that the cluster has nothing of it", lambda: not self.cluster.running())
            assert not list(self.jobs_folder.glob(f"*-*-{job}-*")), list(self.jobs_folder.iterdir())
            told = self.resumed(uids[0])
            print(f"  {'; '.join(told)}", flush=True)
            patches = [int(text.split("after ")[1].split()[0]) for text in told]
            assert patches and patches == sorted(patches) and patches[0] > 0, told
            self.check(uids)
        finally:
            self.compute_by("slurm")

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


STRIKES = [Strikes.nothing_happens, Strikes.controller_is_killed_after_a_submit,
           Strikes.model_of_the_nodes_is_another, Strikes.short_studies_are_packed, Strikes.shared_disk_is_full,
           Strikes.program_is_missing_on_the_nodes, Strikes.one_node_keeps_failing,
           Strikes.model_of_one_node_is_another, Strikes.program_of_one_node_is_another,
           Strikes.memory_is_too_little,
           Strikes.an_end_is_known_that_squeue_forgot, Strikes.a_hand_is_needed, Strikes.munge_key_is_another,
           Strikes.controller_is_killed_after_a_start, Strikes.node_is_killed, Strikes.daemon_is_killed,
           Strikes.processing_is_paused, Strikes.executor_is_changed_and_changed_back,
           Strikes.node_is_killed_during_a_pack, Strikes.urgent_study_preempts,
           Strikes.clock_of_a_node_is_wrong, Strikes.cable_is_cut]
BRIEF = STRIKES[:3]
