"""What the comparisons with other implementations share: their environments, the programs compared, the tables."""
import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "Sources/segmentd/Documentation.docc/Benchmarks.md"


def environment(name, packages):
    """The interpreter that has the packages; made when it is missing."""
    folder = ROOT / ".build" / name
    python = folder / "bin/python3"
    if not (folder / "installed").exists():
        print(f"creating {folder.relative_to(ROOT)} with {' '.join(packages)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--extra-index-url", "https://download.pytorch.org/whl/cpu", *packages], check=True)
        (folder / "installed").touch()
    return python


def clean_environment(**extra):
    """Without a core for OpenBLAS that may be an old one, which would halve it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    return kept | extra


def build():
    """segmentd as it is shipped."""
    command = ["swift", "build", "-c", "release", "--product", "segmentd"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    folder = subprocess.run(command + ["--show-bin-path"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return pathlib.Path(folder.strip()) / "segmentd"


class LoadedPeer:
    """Another implementation, which stays loaded between its turns: a process that answers each line with one of JSON."""

    def __init__(self, command, threads):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=clean_environment(OMP_NUM_THREADS=str(threads)))
        self.greeting = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended")
        return json.loads(line)

    def ask(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def write_table(name, text):
    """Puts a table between its marks in Benchmarks.md."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = BENCHMARKS.read_text().split(begin)
    _, after = rest.split(end)
    BENCHMARKS.write_text(f"{before}{begin}\n{text}\n{end}{after}")
