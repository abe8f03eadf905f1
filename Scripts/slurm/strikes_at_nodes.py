"""Strikes at the nodes of a cluster: what they have, and what they run in place of the program."""

import shutil
import time

from cluster import can_constrain_memory, run, until
from laboratory import Lab


class StrikesAtNodes(Lab):
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

    def one_node_keeps_failing(self):
        """It is given no jobs any more; doctor names it, and the command that ends that."""
        node = self.cluster.nodes[0]
        since = len(self.log.read_text())
        with self.program_on([node], "exec /nowhere/segmentd"):
            # The others take none until that one has had its chances.
            for other in self.cluster.nodes[1:]:
                run("scontrol", "update", f"nodename={other}", "state=drain", "reason=trial")
            uids = self.send(1)
            until("a fault", lambda: self.logged("cannot be run there", since))
            for other in self.cluster.nodes[1:]:
                run("scontrol", "update", f"nodename={other}", "state=resume")
            self.wait_for(uids)
            # Those that Slurm gives the node first fail there, until it is excluded.
            deadline = time.monotonic() + 240
            while not self.excluded():
                assert time.monotonic() < deadline, f"{node} is not excluded\n{self.log.read_text()[since:]}"
                uids += self.send(1)
                self.wait_for(uids)
            assert list(self.excluded()) == [node], self.excluded()
            told = [event for uid in uids for event in self.events(uid) if event["kind"] == "node excluded"]
            assert told and node in told[0]["message"], told
            print(f"  {told[0]['message']}", flush=True)
            more = self.send(3)
            self.wait_for(more)
            assert all(self.attempts(uid) == ["completed"] for uid in more), [self.attempts(uid) for uid in more]
        for uid in uids:
            assert "failed" not in self.attempts(uid), self.attempts(uid)
        self.readmit()
        assert not self.excluded()
        self.check(uids + more)

    def refused_by_the_first_node(self, words):
        """Has the first node run something else in place of the program: words of the shell. It gets a study, refuses it,
        and another node computes it.

        Returns the line of the log that says so."""
        node, *others = self.cluster.nodes
        go = self.folder / "go"
        go.unlink(missing_ok=True)
        since = len(self.log.read_text())
        with self.program_on([node], f'until [ -e "{go}" ]; do sleep 0.1; done\n{words}'):
            # The others take none until that one has it.
            for other in others:
                run("scontrol", "update", f"nodename={other}", "state=drain", "reason=trial")
            try:
                uids = self.send(1)
                until("that the first node has it", lambda: any(place == node for _, place in self.cluster.running()))
            finally:
                for other in others:
                    run("scontrol", "update", f"nodename={other}", "state=resume")
            # Silent until they have been asked: the study would be held, as no other node could take it.
            self.cluster.wait_for_nodes()
            go.touch()
            self.wait_for(uids)
        told = [line for line in self.log.read_text()[since:].splitlines() if "another node is asked" in line]
        assert told, self.log.read_text()[since:]
        print(f"  {told[0]}", flush=True)
        assert self.attempts(uids[0]) == ["completed"], self.attempts(uids[0])
        place = self.detail(uids[0])["attempts"][-1]["place"]
        assert place["node"] in others, place
        self.check(uids)
        return told[0]

    def model_of_one_node_is_another(self):
        """It refuses, and another node computes."""
        others = self.folder / "other-models"
        shutil.copytree(self.node_models, others)
        document = others / "untrained-tiny/model.yaml"
        document.write_text(document.read_text().replace("version: 1.0.0", "version: 1.0.1"))
        told = self.refused_by_the_first_node(f'exec "$@" --models "{others}"')
        shutil.rmtree(others)
        assert "on the head" in told, told

    def program_of_one_node_is_another(self):
        """Another build that gives the same results by its version: it refuses by the hash, and another node computes."""
        other = self.folder / "other-segmentd"
        data = bytearray(self.segmentd.read_bytes())
        # A note of the type 3 of GNU with 20 bytes: the build ID of the linker.
        note = data.find(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
        if note < 0:
            data.append(0)
        else:
            data[note + 16] ^= 0xFF
        other.write_bytes(data)
        other.chmod(0o700)
        told = self.refused_by_the_first_node(f'shift\nset -- "{other}" "$@"')
        other.unlink()
        assert "asks for the head's build of segmentd" in told, told

    def memory_is_too_little(self):
        """The kernel ends what takes more memory than Slurm gave the job: more is asked for once, then it is held."""
        if not can_constrain_memory():
            print("  left out: no control group of version 1 can be made here", flush=True)
            return
        self.cluster.constrain_memory(True)
        try:
            self.taking_memory(1.5, ("completed",), ["OUT_OF_MEMORY", "COMPLETED"])
            held = self.taking_memory(3, ("held",), ["OUT_OF_MEMORY", "OUT_OF_MEMORY"])
            reason = self.row(held[0])["reason"]
            print(f"  {reason}", flush=True)
            assert "Slurm ended the job for its memory" in reason and "slurm.memoryGB" in reason, reason
            self.command("jobs", "retry", "--job", self.row(held[0])["id"])
            self.wait_for(held)
            self.check(held)
        finally:
            self.cluster.constrain_memory(False)

    def taking_memory(self, times, states, ends):
        """Sends a study for which the nodes take so many times what was asked for at first, before the program begins.

        Returns it, once it is in one of these states and its submissions have ended so."""
        asked = self.folder / "asked"
        asked.unlink(missing_ok=True)
        # What has no end of a line is kept by tail.
        words = (f'[ -e "{asked}" ] || echo "$SLURM_MEM_PER_NODE" > "{asked}"\n'
                 f'head -c "$(( $(cat "{asked}") * {int(times * (1 << 20))} ))" /dev/zero | tail > /dev/null || exit 9')
        with self.program_on(self.cluster.nodes, words):
            uids = self.send(1)
            self.wait_for(uids, states)
        if "completed" in states:
            self.check(uids)
        names = self.submissions(self.row(uids[0])["id"])
        found = {one["name"]: one for one in self.cluster.jobs() if one["name"] in names}
        memory = [found[name]["memory_per_node"] for name in sorted(found)]
        states = [found[name]["job_state"] for name in sorted(found)]
        print(f"  {', '.join(f'{state} with {size} MiB' for state, size in zip(states, memory))}", flush=True)
        assert states == ends, found
        assert memory[1] > 1.9 * memory[0], memory
        return uids
