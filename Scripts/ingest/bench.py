#!/usr/bin/env python3
"""Images received in a second by segmentd, Orthanc and storescp; see Scripts/bench-ingest.sh.

In each round the servers take turns, each in a process of its own with an empty folder, and the round's rates are
compared with each other; the table has the medians of all rounds. `nagle` is the environment variable TCP_NODELAY of
DCMTK, which Orthanc and storescp are made with, and the option of the sender's sockets; segmentd never delays.
"""

import argparse
import datetime
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from comparison import ROOT, clean_environment, processor, write_table  # noqa: E402

from sender import Association, seconds_to_send  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server in a folder of its own, ready to receive."""

    def __init__(self, name, segmentd, place, shim, flush, nagle):
        self.port, self.called = free_port(), "BENCH"
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=place))
        command = getattr(self, name)(segmentd)
        environment = clean_environment(TCP_NODELAY="0" if nagle else "1")
        if flush:
            environment |= {"LD_PRELOAD": str(shim), "FLUSH_MICROSECONDS": str(int(flush * 1000))}
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.wait()

    def segmentd(self, program):
        configuration = self.folder / "segmentd.yaml"
        # A quiet period longer than any round: nothing is processed meanwhile.
        configuration.write_text(
            f"stateDirectory: {self.folder}/state\n"
            f"listener: {{aeTitle: BENCH, address: 127.0.0.1, port: {self.port}}}\n"
            "assembly: {quietSeconds: 3600}\n"
            f'models: {{directories: ["{ROOT}/Fixtures/models"]}}\n'
            "rules:\n  - {model: untrained-tiny, modalities: [CT]}\n")
        return [program, "serve", "--config", configuration]

    def orthanc(self, _):
        settings = {
            "Name": "BENCH", "DicomAet": "BENCH", "DicomPort": self.port, "HttpServerEnabled": False,
            "StorageDirectory": str(self.folder), "IndexDirectory": str(self.folder), "Plugins": [],
            "DicomAlwaysAllowStore": True, "AuthenticationEnabled": False}
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        return ["/usr/sbin/Orthanc", self.folder / "orthanc.json"]

    def storescp(self, _):
        (self.folder / "received").mkdir()
        # --fork: one process for each association, or a second one would wait for the first.
        return ["/usr/bin/storescp", "--fork", "-aet", "BENCH", "-od", self.folder / "received", str(self.port)]

    def wait(self):
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit((self.folder / "log").read_text())
            try:
                return Association(self.port, self.called, False).release()
            except OSError:
                time.sleep(0.1)
        sys.exit("the server does not answer")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.empty()

    def empty(self):
        """Frees the disk and keeps the files: for minutes ext4 looks through all that were removed for each new one
        (recently_deleted of fs/ext4/ialloc.c), which would be a cost of the next server."""
        for file in self.folder.rglob("*"):
            if file.is_file():
                os.truncate(file, 0)


def measure(arguments, place, shim, name, associations, flush, nagle):
    server = Server(name, arguments.segmentd, place, shim, flush, nagle)
    try:
        seconds_to_send(server.port, server.called, 4 * associations, associations, nagle)
        return arguments.images / seconds_to_send(server.port, server.called, arguments.images, associations, nagle)
    finally:
        server.stop()


def rows_of(arguments, place, shim):
    rows = []
    for nagle in [text == "true" for text in arguments.nagle]:
        for flush in arguments.flush:
            for associations in arguments.associations:
                rates = {name: [] for name in arguments.servers}
                for _ in range(arguments.rounds):
                    for name in arguments.servers:
                        rates[name].append(measure(arguments, place, shim, name, associations, flush, nagle))
                for name in arguments.servers:
                    row = {"server": name, "associations": associations, "flushMilliseconds": flush, "nagle": nagle,
                           "imagesPerSecond": round(statistics.median(rates[name]), 1)}
                    if "orthanc" in rates:
                        ratios = [ours / theirs for ours, theirs in zip(rates[name], rates["orthanc"])]
                        row["timesOrthanc"] = round(statistics.median(ratios), 2)
                    rows.append(row)
                    print(row, file=sys.stderr, flush=True)
    return rows


def table(rows, arguments):
    lines = [f"{arguments.images} CT slices of 525 kB on loopback, medians of {arguments.rounds} rounds in which the "
             f"servers take turns; {processor()}, {os.cpu_count()} processors, {datetime.date.today()}. Images a "
             "second, and in brackets the median of the rounds' ratios to Orthanc.", "",
             "| | " + " | ".join(arguments.servers) + " |", "|---|" + "---|" * len(arguments.servers)]
    places = {}
    for row in rows:
        places.setdefault((row["nagle"], row["flushMilliseconds"], row["associations"]), {})[row["server"]] = row
    for (nagle, flush, associations), servers in places.items():
        name = f"{associations} association{'s' if associations > 1 else ''}"
        name += f", each sync {flush:g} ms longer" if flush else ""
        name += ", Nagle's algorithm on" if nagle else ""
        cells = [f"{servers[s]['imagesPerSecond']:.0f}"
                 + (f" ({servers[s]['timesOrthanc']:.2f})" if "timesOrthanc" in servers[s] else "")
                 for s in arguments.servers]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--servers", nargs="+", default=["segmentd", "orthanc", "storescp"],
                        choices=["segmentd", "orthanc", "storescp"])
    parser.add_argument("--associations", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--flush", nargs="+", type=float, default=[0, 2, 8])
    parser.add_argument("--nagle", nargs="+", default=["false", "true"], choices=["false", "true"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into Benchmarks.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-ingest.") as folder:
        place = pathlib.Path(folder)
        shim = place / "slow_flush.so"
        source = pathlib.Path(__file__).with_name("slow_flush.c")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
        rows = rows_of(arguments, place, shim)
    if arguments.write:
        write_table("ingest", table(rows, arguments))
    print(json.dumps(rows, indent=1) if arguments.json else table(rows, arguments))


if __name__ == "__main__":
    main()
