#!/usr/bin/env python3
"""A whole study, from DICOM files to a DICOM segmentation, by segmentd and by plain Python pipelines.

    Scripts/compare-studies.py [--pipelines segmentd openvino …] [--threads 2] [--slices 150] [--mirror] [--json]

The study is a synthetic abdominal CT of 512x512 pixels; the network is the full Synapse one with weights that
follow a formula. The peers do what the reference implementation does: pydicom, scikit-image's resampling, the
network on overlapping patches by PyTorch or OpenVINO with Gaussian weights, resampling back, highdicom
(Scripts/test-support/oracles/study_pipelines.py). All see the same weights, patches and number of threads, one after the
other. "start" is the time until the network is loaded. segmentd also draws a picture and proves what it wrote.
--patches N computes only the first N patches of the peers and extrapolates. --write puts the table into
Benchmarks.md. The first run makes an environment with the peers in .build/studies and builds segmentd.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from comparison import ROOT, build, clean_environment, environment, processor, write_table

SUPPORT = ROOT / "Scripts/test-support"
PACKAGES = ("torch==2.13.0", "numpy==2.4.6", "safetensors", "onnx", "onnxscript", "openvino==2026.4.1", "pyyaml",
            "scipy==1.17.1", "scikit-image==0.26.0", "pydicom==3.0.2", "highdicom==0.28.2")
NAMES = {"segmentd": "segmentd", "openvino": "OpenVINO fp32 + SciPy", "openvino-default": "OpenVINO's default + SciPy",
         "torch": "PyTorch eager + SciPy"}
# The stages of the table, and what `segmentd run` calls their parts.
STAGES = {
    "start": [], "reading": ["reading", "decoding"], "preprocessing": ["preprocessing"],
    "inference": ["network", "merging"], "labels": ["labels", "postprocessing"],
    "writing": ["writing", "proof", "picture"],
}


def prepare(options, python, folder):
    """The study, the bundle and, where it is wanted, the network as ONNX."""
    def script(*arguments):
        subprocess.run([python, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                       stderr=None if options.verbose else subprocess.DEVNULL)
    script(SUPPORT / "generators/make_series.py", folder / "series", "--slices", options.slices, "--size", 512,
           "--spacing", 3.0, 0.78, 0.78)
    script(SUPPORT / "generators/make_seeded_bundle.py", folder / "bundle", *(["--mirror"] if options.mirror else []))
    if any(name.startswith("openvino") for name in options.pipelines):
        script(SUPPORT / "oracles/study_pipelines.py", "export", folder / "bundle", folder / "network.onnx")


def run_ours(options, folder, output):
    start = time.perf_counter()
    report = json.loads(subprocess.run(
        [options.segmentd, "run", "--model", folder / "bundle", "--output", output, "--threads", str(options.threads),
         "--json", folder / "series"], check=True, stdout=subprocess.PIPE,
        stderr=None if options.verbose else subprocess.DEVNULL, env=clean_environment()).stdout)[0]
    total = time.perf_counter() - start
    seconds = report["seconds"]
    stages = {name: sum(seconds.get(part, 0) for part in parts) for name, parts in STAGES.items()}
    stages["start"] = total - seconds["total"]
    return {"version": "", "stages": stages, "parts": seconds, "wallSeconds": total - stages["start"],
            "peakMB": report["memory"]["peak"] / 2**20, "predictedMB": report["memory"]["predicted"] / 2**20,
            "segmentation": report["segmentation"]}


def run_peer(name, options, python, folder, output):
    subprocess.run(
        [python, SUPPORT / "oracles/study_pipelines.py", "run", name, folder / "bundle", folder / "series", output,
         str(options.threads), str(options.patches)], check=True, stdout=subprocess.DEVNULL,
        stderr=None if options.verbose else subprocess.DEVNULL,
        env=clean_environment(OMP_NUM_THREADS=str(options.threads)))
    report = json.loads((output / "report.json").read_text())
    stages = report["stages"]
    return {**report, "wallSeconds": sum(stages.values()) - stages["start"]}


def compare(options, python):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        prepare(options, python, folder)
        for name in options.pipelines:
            print(f"running {name}", file=sys.stderr)
            output = folder / name
            output.mkdir()
            time.sleep(0.5)  # threads of the one before may still spin
            row = run_ours(options, folder, output) if name == "segmentd" else run_peer(
                name, options, python, folder, output)
            rows.append({"pipeline": name, "threads": options.threads, "slices": options.slices,
                         "mirrored": options.mirror, **row})
        ours = next((row for row in rows if row["pipeline"] == "segmentd"), None)
        for row in rows:
            if ours and row is not ours and not options.patches:
                row |= json.loads(subprocess.run(
                    [python, SUPPORT / "oracles/study_pipelines.py", "compare", ours["segmentation"], folder / row["pipeline"]],
                    check=True, stdout=subprocess.PIPE).stdout)
        if ours:
            del ours["segmentation"]
    return rows


def table(rows):
    """Markdown: seconds of each stage, ratios to OpenVINO in single precision, labels compared with ours."""
    base = next((row for row in rows if row["pipeline"] == "openvino"), None)
    first = rows[0]
    versions = "; ".join(row["version"] for row in rows if row["version"])
    lines = [
        f"{datetime.date.today()}, {processor()}, {first['threads']} threads, {first['slices']} slices of 512×512 at "
        f"3×0.78×0.78 mm, {'all mirrorings' if first['mirrored'] else 'no mirroring'}. {versions}.", "",
        "| seconds | " + " | ".join(STAGES) + " | whole without start | whole / OpenVINO fp32 | peak MB "
        "| voxels that differ from segmentd's (their largest margin) |",
        "|---" * (len(STAGES) + 5) + "|"]
    for row in rows:
        isPart = row.get("share", 1) < 1
        ratio = f"{row['wallSeconds'] / base['wallSeconds']:.2f}" if base else ""
        differing = ""
        if "differing" in row:
            differing = f"{row['differing']} of {row['voxels']} ({row['largestMargin']:.1e})"
        cells = [f"{row['stages'][stage]:.1f}" for stage in STAGES]
        if isPart:
            cells[3] = f"≈ {cells[3]} (from {row['share'] * 100:.0f} % of the patches)"
        lines.append(f"| {NAMES[row['pipeline']]} | " + " | ".join(cells)
                     + f" | {'≈ ' if isPart else ''}{row['wallSeconds']:.1f} | {ratio} | {row['peakMB']:.0f} | {differing} |")
    for row in rows:
        if "parts" in row:
            parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["parts"].items() if name != "total")
            others = 1 - row["stages"]["inference"] / row["wallSeconds"]
            lines += ["", f"segmentd's stages: {parts} s; all but the inference take {others * 100:.1f} % of the whole. "
                      f"Predicted peak {row['predictedMB']:.0f} MB."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipelines", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slices", type=int, default=150, help="at least 64")
    parser.add_argument("--mirror", action="store_true", help="every patch in all eight mirrorings")
    parser.add_argument("--patches", type=int, default=0, help="the peers compute only so many, and extrapolate")
    parser.add_argument("--segmentd", help="the program; without, it is built")
    parser.add_argument("--python", help="an interpreter that has the peers; without, one is set up")
    parser.add_argument("--verbose", action="store_true", help="show what the pipelines say")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--write", action="store_true", help="put the table into Benchmarks.md")
    options = parser.parse_args()
    if options.slices < 64:
        parser.error("--slices must be at least 64, the depth of a patch")
    python = options.python or environment("studies", PACKAGES)
    options.segmentd = options.segmentd or build()
    rows = compare(options, python)
    text = table(rows)
    if options.write:
        write_table("studies", text)
    print(json.dumps({"rows": rows}, indent=2) if options.json else text)


main()
