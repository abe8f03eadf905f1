"""A cluster for the daemon: the commands of Slurm, as it calls them, and two nodes, which are processes of this machine.

The commands leave requests in a folder; the controller is a thread that takes them. A job has the states and the exit
status that Slurm gives it, two of one name never run at the same time, and one that has ended is forgotten after a minute.
"""

import dataclasses
import json
import os
import signal
import subprocess
import threading
import time

NODES = ["n1", "n2"]
COMMANDS = {
    # Under its name once it is whole.
    "sbatch": """request=$(mktemp "FOLDER/requests/.XXXXXXXXXX") && printf '%s\\n' "$@" > "$request" || exit 1
exec mv "$request" "FOLDER/requests/${request##*/.}"
""",
    "squeue": 'exec cat "FOLDER/squeue.json"\n',
    "scancel": ': > "FOLDER/cancelled/${1#--name=}"\n',
    "sinfo": f"""case "$*" in
*%C*) echo "0/{len(NODES)}/0/{len(NODES)}" ;;
*) printf '%s|idle\\n' {" ".join(NODES)} ;;
esac
""",
}


@dataclasses.dataclass
class Job:
    number: int
    name: str
    options: dict
    command: list
    state: str = "PENDING"
    node: str = ""
    # As waitpid gives it.
    exit: int = 0
    process: subprocess.Popen = None
    # The state in which it ends, where it is ended.
    fate: str = ""
    submitted: float = dataclasses.field(default_factory=time.time)
    # On the steady clock.
    cancelled: float = 0
    ended: float = 0

    def listed(self):
        return {"name": self.name, "job_id": self.number, "job_state": self.state, "nodes": self.node,
                "partition": "batch", "submit_time": int(self.submitted), "exit_code": self.exit}


class Cluster:
    """Slurm, with its commands in `commands` and the jobs' folders in `jobs`."""

    KILL_WAIT, MIN_JOB_AGE = 10, 60

    def __init__(self, folder, environment):
        """environment: of the programs on the nodes."""
        self.folder, self.environment = folder / "slurm", environment
        self.commands, self.jobs_folder = self.folder / "commands", folder / "jobs"
        for place in (self.commands, self.folder / "requests", self.folder / "cancelled", self.jobs_folder):
            place.mkdir(parents=True, mode=0o700)
        for name, text in COMMANDS.items():
            file = self.commands / name
            file.write_text("#!/bin/sh\n" + text.replace("FOLDER", str(self.folder)))
            file.chmod(0o700)
        self.jobs, self.count, self.lock = [], 0, threading.Lock()
        self.publish()
        self.is_up = True
        self.controller = threading.Thread(target=self.control, daemon=True)
        self.controller.start()

    def control(self):
        while self.is_up:
            with self.lock:
                self.take_requests()
                self.cancel()
                self.end()
                self.begin()
                self.publish()
            time.sleep(0.05)

    def take_requests(self):
        requests = [file for file in (self.folder / "requests").iterdir() if not file.name.startswith(".")]
        for file in sorted(requests, key=lambda file: file.stat().st_mtime_ns):
            words = file.read_text().splitlines()
            first = next(i for i, word in enumerate(words) if not word.startswith("--"))
            options, command = dict(word[2:].partition("=")[::2] for word in words[:first]), words[first:]
            self.count += 1
            self.jobs.append(Job(self.count, options["job-name"], options, command))
            file.unlink()

    def cancel(self):
        for file in (self.folder / "cancelled").iterdir():
            for job in self.jobs:
                if job.name == file.name and not job.ended and not job.cancelled:
                    job.fate, job.cancelled = "CANCELLED", time.monotonic()
                    if job.process:
                        job.process.terminate()
                    else:
                        job.state, job.ended = job.fate, time.monotonic()
            file.unlink()

    def end(self):
        now = time.monotonic()
        for job in self.jobs:
            if job.ended or not job.process:
                continue
            code = job.process.poll()
            if code is None:
                if job.cancelled and now > job.cancelled + self.KILL_WAIT:
                    job.process.kill()
                continue
            job.exit = -code if code < 0 else code << 8
            job.state, job.ended = job.fate or ("COMPLETED" if code == 0 else "FAILED"), now
        self.jobs = [job for job in self.jobs if not job.ended or now < job.ended + self.MIN_JOB_AGE]

    def begin(self):
        for job in self.jobs:
            running = [other for other in self.jobs if other.state == "RUNNING"]
            busy = [other.node for other in running] + job.options.get("exclude", "").split(",")
            free = [node for node in NODES if node not in busy]
            if job.state != "PENDING" or not free or job.name in [other.name for other in running]:
                continue
            job.node = free[0]
            try:
                job.process = subprocess.Popen(
                    ["/bin/sh", *job.command], cwd=job.options["chdir"], stdin=subprocess.DEVNULL,
                    stdout=open(job.options["output"], "ab"), stderr=subprocess.STDOUT, start_new_session=True,
                    env=self.environment | {"SLURMD_NODENAME": job.node})
                job.state = "RUNNING"
            except OSError:
                # As slurmd says that it could not open the log.
                job.state, job.exit, job.ended = "FAILED", 53, time.monotonic()

    def publish(self):
        new = self.folder / "squeue.new"
        new.write_text(json.dumps({"errors": [], "jobs": [job.listed() for job in self.jobs]}))
        new.replace(self.folder / "squeue.json")

    def fail_node(self, generator, seconds):
        """Has a node die that computes, once one does.

        Returns: whether one did in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self.lock:
                running = [job for job in self.jobs if job.state == "RUNNING" and job.process.poll() is None]
                if running:
                    job = generator.choice(running)
                    job.fate = "NODE_FAIL"
                    os.kill(job.process.pid, signal.SIGKILL)
                    return True
            time.sleep(0.02)
        return False

    def folders(self):
        """Of jobs."""
        return [place for place in self.jobs_folder.iterdir() if place.is_dir()]

    def stop(self):
        self.is_up = False
        self.controller.join()
        for job in self.jobs:
            if job.process and job.process.poll() is None:
                job.process.kill()
                job.process.wait()
