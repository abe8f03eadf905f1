"""A Slurm cluster within this machine: this process' own network is the head, each node has one of its own.

It has to run as root in network, mount, host name and process namespaces of its own (Scripts/slurm-lab.sh makes them): all
of it is gone with them. Nothing is bound on the host.
"""

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

SWITCH = "10.213.0"
GROUPS = pathlib.Path("/sys/fs/cgroup/memory")
JOBCOMP = pathlib.Path(__file__).resolve().parents[2] / "Config/slurm/segmentd-jobcomp"


def run(*command, check=True, **options):
    return subprocess.run([str(word) for word in command], check=check, text=True, capture_output=True, **options)


class Cluster:
    """slurmctld, munged and one slurmd a node, with processes and configuration in a folder.

    What is set of it otherwise than Slurm has it by default:
    - cred_expire, SlurmdTimeout: a node is taken for dead, and its jobs are run elsewhere, within a minute.
    - KillWait: the time that a job has for its checkpoint.
    - MinJobAge: how long a job that has ended is told of.
    - JobCompType: the script that segmentd ships keeps how jobs ended, where there is a folder for it.
    - Epilog: with one the controller gives a node its next job at once (Slurm.md).
    """

    def __init__(self, folder, nodes, ended=None, share=None):
        """ended: the folder that receives how jobs ended, None for no such; share: what each node mounts before it starts, as a command of the
        shell; None where all see the same."""
        self.share, self.ended, self.minimum_job_age, self.constrains_memory = share, ended, 300, False
        self.folder, self.nodes = pathlib.Path(folder), [f"w{number}" for number in range(1, nodes + 1)]
        self.processes = {}
        for name in ("state", "run", "log"):
            (self.folder / name).mkdir()
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        run("hostname", "head")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "switch", "type", "bridge")
        run("ip", "address", "add", f"{SWITCH}.1/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")
        for number, node in enumerate(self.nodes, 2):
            run("ip", "netns", "add", node)
            run("ip", "link", "add", f"to-{node}", "type", "veth", "peer", "name", "eth0", "netns", node)
            run("ip", "link", "set", f"to-{node}", "master", "switch", "up")
            run("ip", "-n", node, "address", "add", f"{SWITCH}.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                run("ip", "-n", node, "link", "set", device, "up")
        self.configure()
        self.start_munge()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_for_nodes()

    def configure(self):
        folder = self.folder
        lines = f"""
            ClusterName=lab
            SlurmctldHost=head({SWITCH}.1)
            SlurmUser=root
            AuthType=auth/munge
            AuthInfo=socket={folder}/run/munge.socket,cred_expire=5
            StateSaveLocation={folder}/state
            SlurmctldPidFile={folder}/run/slurmctld.pid
            SlurmdPidFile={folder}/run/slurmd.%n.pid
            SlurmdSpoolDir={folder}/spool.%n
            SlurmctldLogFile={folder}/log/slurmctld
            SlurmdLogFile={folder}/log/slurmd.%n
            ProctrackType=proctrack/linuxproc
            TaskPlugin={'task/cgroup' if self.constrains_memory else 'task/none'}
            Epilog={shutil.which('true')}
            SwitchType=switch/none
            MpiDefault=none
            ReturnToService=2
            SlurmdTimeout=10
            MessageTimeout=5
            KillWait=30
            MinJobAge={self.minimum_job_age}
            JobRequeue=1
            SchedulerType=sched/backfill
            SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=5
            SelectType=select/cons_tres
            SelectTypeParameters=CR_CPU_Memory
            PreemptType=preempt/partition_prio
            PreemptMode=REQUEUE
            JobAcctGatherType=jobacct_gather/none
            AccountingStorageType=accounting_storage/none
            """.split("\n")
        for number, node in enumerate(self.nodes, 2):
            lines.append(f"NodeName={node} NodeHostname={node} NodeAddr={SWITCH}.{number} CPUs=1 RealMemory=2000")
        lines.append("PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1")
        lines.append("PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF")
        if self.ended:
            script = folder / "jobcomp"
            script.write_text(JOBCOMP.read_text().replace("folder=/shared/segmentd-ended\n", f"folder={self.ended}\n"))
            script.chmod(0o700)
            lines += ["JobCompType=jobcomp/script", f"JobCompLoc={script}"]
        (folder / "slurm.conf").write_text("\n".join(line.strip() for line in lines) + "\n")

    def start(self, name, *command):
        log = open(self.folder / "log" / f"{name}.output", "ab")
        self.processes[name] = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start_munge(self, name="munge", key=None, clock=None):
        """A munged with a key of its own, unless it is given one, and with a clock that is wrong by so much."""
        if key is None:
            key = self.folder / f"{name}.key"
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(1024))
        base = self.folder / "run" / name
        command = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={base}.socket",
                   f"--pid-file={base}.pid", f"--log-file={self.folder}/log/{name}d", f"--seed-file={base}.seed"]
        self.start(f"{name}d", *(["faketime", "-f", clock] if clock else []), *command)
        until("munged", pathlib.Path(f"{base}.socket").exists)

    def configuration_with(self, munge):
        """A configuration by which commands and nodes use another munged."""
        file = self.folder / f"{munge}.conf"
        file.write_text((self.folder / "slurm.conf").read_text().replace("munge.socket", f"{munge}.socket"))
        return file

    def with_another_munge_key(self):
        self.start_munge("other")
        return self.configuration_with("other")

    def with_another_clock(self):
        self.start_munge("late", key=self.folder / "munge.key", clock="-1h")
        return self.configuration_with("late")

    def start_controller(self):
        self.start("slurmctld", "slurmctld", "-D")
        until("slurmctld", lambda: run("scontrol", "ping", check=False).returncode == 0)

    def kill_controller(self):
        self.processes["slurmctld"].kill()
        self.processes["slurmctld"].wait()

    def wait_for_nodes(self):
        """Until the controller has heard of all: before, none can be drained or resumed, and a job that one of them refuses
        finds no other."""
        until("that all nodes answer", lambda: not any(
            state.startswith("unk") or state.endswith("*")
            for state in run("sinfo", "--noheader", "--Node", "--format=%T").stdout.split()), within=60)

    def restart_controller(self):
        """With the configuration as it is by now."""
        self.processes["slurmctld"].terminate()
        self.processes["slurmctld"].wait()
        self.configure()
        self.start_controller()

    def tell_ended_jobs_for(self, seconds):
        """Starts the controller again, which forgets jobs that have ended so long ago."""
        self.minimum_job_age = seconds
        self.restart_controller()
        self.wait_for_nodes()

    def constrain_memory(self, constrains):
        """Has the kernel hold each job to its memory from now on, by a control group of version 1, or no more. No job may
        be there."""
        for node in self.nodes:
            self.stop_node(node)
        if not constrains:
            self.remove_groups()
        self.constrains_memory = constrains
        (self.folder / "cgroup.conf").write_text(
            f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={GROUPS.parent}\nConstrainRAMSpace=yes\n")
        self.restart_controller()
        for number, node in enumerate(self.nodes, 2):
            self.start_node(node)
            until(f"slurmd on {node}", lambda: listens(f"{SWITCH}.{number}", 6818))
        self.wait_for_nodes()

    def remove_groups(self):
        """Those that slurmd has made, which are not of our namespaces, with what jobs have left in them."""
        for node in self.nodes:
            self.kill_processes(node)
            for folder, _, _ in os.walk(GROUPS / f"slurm_{node}", topdown=False):
                until(f"that {folder} is empty", lambda: is_removed(folder), within=10)

    def start_node(self, node, configuration=None):
        (self.folder / f"spool.{node}").mkdir(exist_ok=True)
        self.start(node, "nsenter", f"--net=/run/netns/{node}", "unshare", "--uts", "--mount", "sh", "-c",
                   f'hostname "$0" && {self.share or "true"} && exec slurmd -D -N "$0" -f "$1"', node,
                   configuration or self.folder / "slurm.conf")

    def stop_node(self, node):
        self.processes[node].terminate()
        self.processes[node].wait()

    def kill_node(self, node):
        """Its processes end at once, as where the power fails."""
        self.kill_processes(node)
        self.processes[node].wait()

    def kill_processes(self, node):
        for pid in run("ip", "netns", "pids", node).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def cut(self, node):
        run("ip", "link", "set", f"to-{node}", "down")

    def mend(self, node):
        run("ip", "link", "set", f"to-{node}", "up")

    def jobs(self):
        answer = run("squeue", "--json", "--states=all", check=False)
        return json.loads(answer.stdout)["jobs"] if answer.returncode == 0 else []

    def running(self):
        """The name and the node of each job that runs."""
        return [(job["name"], job["nodes"]) for job in self.jobs() if job["job_state"] == "RUNNING"]

    def end(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes.values():
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        if self.constrains_memory:
            self.remove_groups()


def can_constrain_memory():
    """Whether control groups of version 1 can be made here."""
    return (GROUPS / "release_agent").exists() and os.access(GROUPS, os.W_OK)


def is_removed(folder):
    try:
        os.rmdir(folder)
    except OSError as error:
        return error.errno == errno.ENOENT
    return True


def listens(address, port):
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def until(what, condition, within=300):
    """Waits for a condition and returns what it gives."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what}: not within {within} s")
