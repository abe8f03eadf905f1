"""The daemon, the PACS and the disks that are struck, and the strikes."""

import errno
import glob
import json
import os
import pathlib
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
import urllib.request


SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "test-support"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    return [int(child) for task in glob.glob(f"/proc/{pid}/task/*/children")
            for child in pathlib.Path(task).read_text().split()]


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
    """segmentd on a state directory that lives through all rounds; it is started again whenever it ends."""

    def __init__(self, program, folder, models, port, executors, generator, pacs, archive):
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
        self.executors, self.random = executors, generator
        self.configuration = folder / "segmentd.yaml"
        self.text = (
            f"stateDirectory: {self.state}\n"
            f"listener: {{aeTitle: SEGMENTD, address: 127.0.0.1, port: {self.port}}}\n"
            "assembly: {quietSeconds: 3, incompleteSeconds: 3}\n"
            f"inference: {{threads: 2, concurrentJobs: EXECUTORS}}\n"
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
        self.process = None
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    @property
    def log(self):
        return self.folder / "segmentd.log"

    def environment(self):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        return kept | {"LD_PRELOAD": f"{self.folder}/clock_step.so {self.folder}/disk_fault.so",
                       "CLOCK_STEP_FILE": str(self.clock), "DISK_FAULT_FILE": str(self.fault)}

    def set_fault(self, error=0, one_in=1, path=""):
        """Has the disk fail under what begins with a path."""
        with open(self.fault, "r+b", buffering=0) as file:
            file.write(struct.pack("=ii256s", 0, one_in, str(path).encode()))
            file.seek(0)
            file.write(struct.pack("=i", error))

    def set_clock(self, seconds):
        with open(self.clock, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", seconds))

    def keep(self):
        while self.is_wanted:
            # Not in place: a command may read it at any time.
            new = self.configuration.with_suffix(".new")
            new.write_text(self.text.replace("EXECUTORS", str(self.executors or self.random.randint(1, 2))))
            new.replace(self.configuration)
            enter = f"echo $$ > {self.group}/cgroup.procs; " if self.group else ""
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", enter + 'exec "$@"', "sh", self.program, "serve", "--config", self.configuration],
                stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=self.environment())
            status = self.process.wait()
            if self.is_wanted and not self.is_struck and not self.is_starved:
                self.ends.append(status)
            self.is_struck = False
            time.sleep(0.5)

    def processes(self):
        process = self.process
        return [process.pid, *children(process.pid)] if process and process.poll() is None else []

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


def lock_ledger(path, seconds):
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    connection.execute("ROLLBACK")
    connection.close()


class Strikes:
    """What is done to a machine. Each takes as long as it lasts; afterwards the machine is as it was."""

    def __init__(self, daemon, destinations, state, results, generator, longest):
        self.daemon, self.destinations, self.state, self.results = daemon, destinations, state, results
        self.random, self.longest = generator, longest

    def names(self):
        own = ["full_state"] * self.state.is_own + ["full_results", "read_only_results"] * self.results.is_own
        group = ["out_of_memory"] if self.daemon.group else []
        return [*group, "no_space_for_spool", "no_space_for_ledger", "no_space_for_results", "faulty_spool",
                "faulty_ledger", "faulty_results", "kill", "kill_receiver", "terminate", "suspend",
                "suspend_receiver", "suspend_for_a_minute", "lock_ledger", "read_only_state", "destination_down",
                "destination_hangs", "clock_forward", "clock_back", *own]

    def strike(self, name):
        return getattr(self, name)()

    def wait(self):
        time.sleep(self.random.uniform(0.5, self.longest))

    def kill(self):
        self.daemon.signal(signal.SIGKILL)

    def kill_receiver(self):
        self.daemon.signal(signal.SIGKILL, process=1)

    def terminate(self):
        self.daemon.signal(signal.SIGTERM)

    def suspend(self, process=0, seconds=None):
        if self.daemon.signal(signal.SIGSTOP, process):
            time.sleep(seconds) if seconds else self.wait()
            self.daemon.signal(signal.SIGCONT, process)

    def suspend_receiver(self):
        self.suspend(process=1)

    def suspend_for_a_minute(self):
        self.suspend(self.random.randint(0, 1), 60)

    def lock_ledger(self):
        lock_ledger(self.daemon.state / "ledger.sqlite", self.random.uniform(0.5, self.longest))

    def destination_down(self):
        destination = self.random.choice(self.destinations)
        destination.kill()
        self.wait()
        destination.start()

    def destination_hangs(self):
        destination = self.random.choice(self.destinations)
        destination.process.send_signal(signal.SIGSTOP)
        self.wait()
        destination.process.send_signal(signal.SIGCONT)

    def full(self, disk):
        disk.fill()
        self.wait()
        disk.free()

    def full_state(self):
        self.full(self.state)

    def full_results(self):
        self.full(self.results)

    def read_only_results(self):
        if self.results.remount("ro"):
            self.wait()
            self.results.remount("rw")
        else:
            print("(results were being written: not made read-only)", end=" ")

    def out_of_memory(self):
        """The group has what it uses and no more: who asks for more is killed."""
        limit = memory_limit(self.daemon.group)
        before = limit.read_text()
        self.daemon.is_starved = True
        try:
            limit.write_text(str(memory_usage(self.daemon.group) + (1 << 20)))
            self.wait()
        except OSError:
            pass
        finally:
            limit.write_text("max" if limit.name == "memory.max" else before)
            # One that begins meanwhile has had too little, too.
            time.sleep(2)
            self.daemon.is_starved = False
            # What does not fit into the limit is held, until somebody has raised it.
            self.daemon.retry_held()

    def fail(self, error, path, one_in=1):
        self.daemon.set_fault(error, one_in, path)
        self.wait()
        self.daemon.set_fault()

    def read_only_state(self):
        """As the kernel remounts a file system with errors."""
        self.fail(errno.EROFS, self.daemon.state)

    def no_space_for_spool(self):
        self.fail(errno.ENOSPC, self.daemon.state / self.random.choice(["incoming", "spool"]))

    def no_space_for_ledger(self):
        self.fail(errno.ENOSPC, self.daemon.state / "ledger.sqlite")

    def no_space_for_results(self):
        self.fail(errno.ENOSPC, self.daemon.state / "results")

    def faulty_spool(self):
        self.fail(errno.EIO, self.daemon.state / self.random.choice(["incoming", "spool"]), self.random.randint(1, 8))

    def faulty_ledger(self):
        self.fail(errno.EIO, self.daemon.state / "ledger.sqlite", self.random.randint(1, 8))

    def faulty_results(self):
        self.fail(errno.EIO, self.daemon.state / "results", self.random.randint(1, 8))

    def clock_forward(self):
        self.daemon.set_clock(3600)
        self.wait()

    def clock_back(self):
        self.daemon.set_clock(-3600)
        self.wait()
