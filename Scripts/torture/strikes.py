"""The strikes."""

import errno
import signal
import sqlite3
import time

from machine import memory_limit, memory_usage


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
                "destination_hangs", "clock_forward", "clock_back", "change_executor", "node_fails",
                "no_space_for_jobs", "faulty_jobs", *own]

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

    def change_executor(self):
        """In the middle of a job, where one begins in time."""
        self.daemon.hold_job(self.longest)
        self.daemon.change_executor(self.random.choice([signal.SIGTERM, signal.SIGKILL]))
        self.daemon.set_fault()

    def node_fails(self):
        self.daemon.cluster.fail_node(self.random, self.longest)

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

    def no_space_for_jobs(self):
        """On the file system that head and nodes of a cluster share."""
        self.fail(errno.ENOSPC, self.daemon.cluster.jobs_folder)

    def faulty_jobs(self):
        self.fail(errno.EIO, self.daemon.cluster.jobs_folder, self.random.randint(1, 8))

    def clock_forward(self):
        self.daemon.set_clock(3600)
        self.wait()

    def clock_back(self):
        self.daemon.set_clock(-3600)
        self.wait()
