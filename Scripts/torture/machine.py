"""The daemon, the PACS and the disks that are struck."""

import contextlib
import glob
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

from cluster import Cluster

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "test-support"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def receivers(pid):
    """The children of a daemon that receive; others are commands that it runs."""
    found = []
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            for child in pathlib.Path(task).read_text().split():
                if b"receive" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                    found.append(int(child))
    return found


class Orthanc:
    """A PACS or an archive: it takes objects by C-STORE and STOW-RS, and commits itself to keep them."""

    def __init__(self, folder, name, listener):
        self.folder, self.name = folder / name, name
        self.folder.mkdir()
        self.port, self.web = free_port(), free_port()
        configuration = {
            "Name": name, "StorageDirectory": f"{self.folder}/files", "IndexDirectory": f"{self.folder}/files",
            "DicomAet": "PACS", "DicomPort": self.port, "HttpPort": self.web, "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False, "DicomAlwaysAllowStore": True, "OverwriteInstances": False,
            "DicomModalities": {"segmentd": ["SEGMENTD", "127.0.0.1", listener]},
            "Plugins": ["/usr/share/orthanc/plugins"], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
        (self.folder / "orthanc.json").write_text(json.dumps(configuration))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["Orthanc", self.folder / "orthanc.json"], stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "log", "ab"))
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                self.get("system")
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("Orthanc does not answer")

    def get(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}/{path}",
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def segmentations(self):
        """Orthanc's name of each, by SOP Instance UID."""
        found = json.loads(self.get("tools/find", {"Level": "Instance", "Expand": True, "Query": {"Modality": "SEG"}}))
        return [(one["MainDicomTags"]["SOPInstanceUID"], one["ID"]) for one in found]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Daemon:
    """segmentd on a state directory that lives through all rounds; it is started again whenever it ends, and then computes
    jobs by itself or has a cluster compute them."""

    EXECUTORS = ["local", "slurm"]

    def __init__(self, program, folder, models, port, executor, generator, pacs, archive):
        """executor: of every start; None for one by chance."""
        self.program, self.folder, self.port = program, folder, port
        self.state, self.watch = folder / "state", folder / "watch"
        self.clock, self.fault = folder / "clock", folder / "fault"
        self.clock.write_bytes(bytes(8))
        self.fault.write_bytes(bytes(264))
        for name in ("clock_step", "disk_fault"):
            subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", folder / f"{name}.so", SUPPORT / f"{name}.c"],
                           check=True)
        self.group = memory_group(folder.name)
        self.watch.mkdir()
        self.fixed_executor, self.random, self.models = executor, generator, models
        # Jobs that changed over and were compared.
        self.compared = set()
        self.executor = executor or generator.choice(self.EXECUTORS)
        self.cluster = Cluster(folder, self.environment("disk_fault"))
        self.configuration = folder / "segmentd.yaml"
        self.text = (
            f"stateDirectory: {self.state}\n"
            f"listener: {{aeTitle: SEGMENTD, address: 127.0.0.1, port: {self.port}}}\n"
            "assembly: {quietSeconds: 3, incompleteSeconds: 3}\n"
            "inference: {threads: 2, concurrentJobs: JOBS, executor: EXECUTOR, checkpointSeconds: 0.001}\n"
            f'slurm: {{folder: "{self.cluster.jobs_folder}", commands: "{self.cluster.commands}", program: "{program}", '
            "threads: 1, memoryGB: 1, packJobs: 3}\n"
            f'models: {{directories: ["{models}"]}}\n'
            "rules:\n  - {model: untrained-tiny, modalities: [CT]}\n"
            f'watch:\n  - {{folder: "{self.watch}", settleSeconds: 0.5}}\n'
            "destinations:\n"
            f"  - {{name: pacs, aeTitle: PACS, host: 127.0.0.1, port: {pacs.port}, verify: commitment}}\n"
            f'  - {{name: archive, kind: stow, url: "http://127.0.0.1:{archive.web}/dicom-web", verify: query}}\n')
        self.ends = []
        self.is_wanted = True
        self.is_struck = False
        self.is_starved = False
        # Whether the next executor is known.
        self.is_changing = False
        self.process = None
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    @property
    def log(self):
        return self.folder / "segmentd.log"

    def environment(self, *libraries):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        return kept | {"LD_PRELOAD": " ".join(f"{self.folder}/{name}.so" for name in libraries),
                       "CLOCK_STEP_FILE": str(self.clock), "DISK_FAULT_FILE": str(self.fault)}

    def set_fault(self, error=0, one_in=1, path=""):
        """Has the disk fail under what begins with a path."""
        with open(self.fault, "r+b", buffering=0) as file:
            file.write(struct.pack("=ii252si", 0, one_in, str(path).encode(), 0))
            file.seek(0)
            file.write(struct.pack("=i", error))

    def hold_job(self, seconds):
        """Has the next job stand still in its middle, until the fault is another one: when it writes its second checkpoint.

        Returns: whether one does in time."""
        self.set_fault(-2, path=f"{self.state}/checkpoints/" if self.executor == "local" else self.cluster.jobs_folder)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(self.fault.read_bytes()[-4:]):
                return True
            time.sleep(0.02)
        return False

    def set_clock(self, seconds):
        with open(self.clock, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", seconds))

    def keep(self):
        while self.is_wanted:
            # Not in place: a command may read it at any time.
            new = self.configuration.with_suffix(".new")
            text = self.text.replace("JOBS", str(self.random.randint(1, 2))).replace("EXECUTOR", self.executor)
            new.write_text(text)
            new.replace(self.configuration)
            enter = f"echo $$ > {self.group}/cgroup.procs; " if self.group else ""
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", enter + 'exec "$@"', "sh", self.program, "serve", "--config", self.configuration],
                stdout=open(self.log, "ab"), stderr=subprocess.STDOUT,
                env=self.environment("clock_step", "disk_fault"))
            status = self.process.wait()
            if not self.is_changing:
                self.executor = self.fixed_executor or self.random.choice(self.EXECUTORS)
            self.is_changing = False
            if self.is_wanted and not self.is_struck and not self.is_starved:
                self.ends.append(status)
            self.is_struck = False
            time.sleep(0.5)

    def processes(self):
        """The daemon and its receiving process."""
        process = self.process
        return [process.pid, *receivers(process.pid)] if process and process.poll() is None else []

    def change_executor(self, how):
        """Ends the daemon; the next one has the other executor."""
        if not self.fixed_executor:
            self.executor = next(name for name in self.EXECUTORS if name != self.executor)
            self.is_changing = True
        self.signal(how)

    def signal(self, how, process=0):
        """Strikes the daemon, or its receiving process (1)."""
        running = self.processes()
        if len(running) <= process:
            return False
        self.is_struck = self.is_struck or (process == 0 and how in (signal.SIGKILL, signal.SIGTERM))
        os.kill(running[process], how)
        return True

    def retry_held(self):
        subprocess.run([self.program, "jobs", "retry", "--state", "held", "--config", self.configuration],
                       stdout=subprocess.DEVNULL)

    def release(self, job):
        subprocess.run([self.program, "jobs", "release", "--job", str(job), "--config", self.configuration],
                       stdout=subprocess.DEVNULL)

    def stop(self):
        self.is_wanted = False
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def memory_group(name):
    """A control group (v2 or v1) whose memory can be bounded; None where none can be made."""
    for base in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        group = pathlib.Path(base) / name
        try:
            group.mkdir()
            if memory_limit(group).exists():
                return group
            group.rmdir()
        except OSError:
            pass
    return None


def memory_limit(group):
    return next((group / name for name in ("memory.max", "memory.limit_in_bytes") if (group / name).exists()),
                group / "memory.max")


def memory_usage(group):
    names = ("memory.current", "memory.usage_in_bytes")
    return int(next(group / name for name in names if (group / name).exists()).read_text())


class Disk:
    """A file system of its own, where we may mount one: it can be filled and made read-only."""

    def __init__(self, place, mebibytes):
        self.place = place
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.is_own = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", place],
                                     capture_output=True).returncode == 0

    def fill(self):
        with open(self.place / ".full", "wb", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        (self.place / ".full").unlink(missing_ok=True)

    def remount(self, how):
        return subprocess.run(["mount", "-o", f"remount,{how}", self.place], capture_output=True).returncode == 0

    def unmount(self):
        if self.is_own:
            subprocess.run(["umount", "-l", self.place], capture_output=True)
