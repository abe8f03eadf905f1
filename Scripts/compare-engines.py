#!/usr/bin/env python3
"""One patch of the published networks by segmentd and by other engines, on the same weights and input.

    Scripts/compare-engines.py [--variants synapse acdc lung tumor] [--threads 2 1] [--rounds 5] [--json]

The engines take turns in one run, each in a process of its own: segmentd (and, with --isa, its slower
instruction sets), PyTorch eager and compiled, ONNX Runtime, OpenVINO in single precision and by its own
default. Errors are the largest difference of a logit from PyTorch in double precision. Peak memory is that of
the engine's whole process. --write puts the table into Benchmarks.md. The first run makes an environment with
the engines in .build/engines and builds segmentd.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from comparison import ROOT, LoadedPeer, build, clean_environment, environment, processor, write_table

PACKAGES = ("torch==2.13.0", "numpy==2.4.6", "safetensors", "onnx", "onnxscript", "onnxruntime==1.32.0", "openvino==2026.4.1")
NAMES = {
    "segmentd": "segmentd", "segmentd-avx2": "segmentd, AVX2 forced", "segmentd-portable": "segmentd, portable forced",
    "torch": "PyTorch eager", "torch-compile": "PyTorch compiled", "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO fp32", "openvino-default": "OpenVINO's default",
}


# What runs within the engines' environment: `worker STEP FOLDER VARIANT THREADS`.

def center_and_scale(name, tensor, tokens):
    """Of random weights under which activations neither vanish nor explode, so that an error of a logit says something."""
    last = name.rpartition(".")[2]
    if last in ("temperature", "temperature2"):
        size = tokens ** 0.5 if last == "temperature2" else 4
        return size, size / 2
    if last == "running_var":
        return 1, 0.5
    if last == "gamma":
        return 0.5, 0.25
    if last in ("running_mean", "bias"):
        return 0, 0.25
    if last == "pos_embed":
        return 0, 0.5
    if last == "weight" and tensor.ndim == 1:
        return 1, 0.25
    inputs = tensor.shape[0] if last == "EF" or "transp_conv" in name else tensor[0].numel()
    return 0, (2.5 if name.startswith("out") else 1.25) / inputs ** 0.5


def build_network(variant):
    import torch
    sys.path.insert(0, str(ROOT / "Scripts/train"))
    import unetrpp
    torch.manual_seed(1)
    network = unetrpp.UNETRPP(getattr(unetrpp, variant.upper())).eval()
    state = network.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        block = name.rpartition(".")[0]
        tokens = next((state[f"{block}.{key}"].shape[axis] for key, axis in (("E.weight", 1), ("EF", 0))
                       if f"{block}.{key}" in state), None)
        center, scale = center_and_scale(name, tensor, tokens)
        tensor.copy_(center + scale * (2 * torch.rand(tensor.shape) - 1))
    return network


def prepare(folder, variant):
    """Writes weights, input, the network as ONNX and its logits in double precision."""
    import numpy
    import torch
    from safetensors.torch import save_file
    network = build_network(variant)
    d = network.description
    state = {name: value.clone().contiguous() for name, value in network.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    patch = torch.randn(1, d.input_channels, *d.patch)
    save_file(state, folder / "weights.safetensors")
    save_file({"input": patch}, folder / "input.safetensors")
    with torch.inference_mode():
        numpy.save(folder / "logits.npy", network.double()(patch.double()).float().numpy())
    torch.onnx.export(network.float(), (patch,), folder / "network.onnx", input_names=["input"],
                      output_names=["logits"], dynamo=False, opset_version=17)


def load_engine(engine, folder, variant, threads):
    """(the engine's version and precision, a function of the input's array)"""
    if engine.startswith("torch"):
        import torch
        torch.set_num_threads(threads)
        network = build_network(variant)
        if engine == "torch-compile":
            network = torch.compile(network)

        def run(patch):
            with torch.inference_mode():
                return network(torch.from_numpy(patch)).numpy()
        return torch.__version__, run
    if engine == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(folder / "network.onnx", options, ["CPUExecutionProvider"])
        return onnxruntime.__version__, lambda patch: session.run(None, {"input": patch})[0]
    import openvino
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if engine == "openvino":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    model = openvino.Core().compile_model(str(folder / "network.onnx"), "CPU", settings)
    precision = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    request = model.create_infer_request()
    return f"{openvino.__version__.split('-')[0]} {precision}", lambda patch: request.infer({"input": patch})[0]


def serve(engine, folder, variant, threads):
    """Runs the engine once for each line of standard input; answers with a line of JSON."""
    import numpy
    from safetensors.numpy import load_file
    patch = load_file(folder / "input.safetensors")["input"]
    version, run = load_engine(engine, folder, variant, threads)
    result = run(patch)
    error = float(numpy.abs(result - numpy.load(folder / "logits.npy", mmap_mode="r")).max())
    run(patch)
    print(json.dumps({"version": version, "error": error}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run(patch)
        seconds = time.perf_counter() - start
        status = pathlib.Path("/proc/self/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        print(json.dumps({"seconds": seconds, "peakMB": peak / 1024}), flush=True)


def worker(step, folder, variant, threads):
    if step == "prepare":
        return prepare(folder, variant)
    if step == "error":
        import numpy
        from safetensors.numpy import load_file
        logits = load_file(folder / "output.safetensors")["logits"]
        return print(float(numpy.abs(logits - numpy.load(folder / "logits.npy", mmap_mode="r")).max()))
    serve(step, folder, variant, threads)


# What drives them.

class Peer(LoadedPeer):
    """Another engine."""

    def __init__(self, engine, python, folder, variant, threads):
        self.seconds, self.peak = [], 0
        super().__init__([python, __file__, "--worker", engine, str(folder), variant, str(threads)], threads)
        self.version, self.error = self.greeting["version"], self.greeting["error"]

    def turn(self):
        for _ in range(2):
            answer = self.ask()
            self.seconds.append(answer["seconds"])
            self.peak = max(self.peak, answer["peakMB"])


class Ours:
    """segmentd, started anew for each turn; the first patch of a process is not counted."""

    def __init__(self, engine, binary, python, folder, variant, threads):
        self.seconds, self.peak = [], 0
        isa = engine.partition("-")[2]
        self.environment = clean_environment(**({"SEGMENTD_ISA": isa} if isa else {}))
        self.command = [binary, "forward", "--variant", variant, "--weights", folder / "weights.safetensors",
                        "--input", folder / "input.safetensors", "--output", folder / "output.safetensors",
                        "--threads", str(threads), "--json"]
        self.run("1")
        start = time.perf_counter()
        self.run("1")
        self.start = time.perf_counter() - start
        self.error = float(subprocess.run(
            [python, __file__, "--worker", "error", str(folder), variant, "1"], check=True, capture_output=True,
            text=True).stdout)

    def run(self, repetitions):
        report = json.loads(subprocess.run(self.command + ["--repeat", repetitions], check=True, capture_output=True,
                                           env=self.environment).stdout)
        self.version = f"{report['isa']}, OpenBLAS {report['blasCore']}"
        return report

    def turn(self):
        report = self.run("3")
        self.seconds += report["seconds"][1:]
        self.peak = max(self.peak, report["peakMB"])

    def close(self):
        pass


def compare(options, variant, python):
    """Rows of one variant, all engines and numbers of threads."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        print(f"{variant}: preparing", file=sys.stderr)
        subprocess.run([python, __file__, "--worker", "prepare", str(folder), variant, "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
        for threads in options.threads:
            engines = {}
            for engine in options.engines:
                print(f"{variant}, {threads} threads: starting {engine}", file=sys.stderr)
                engines[engine] = (
                    Ours(engine, options.segmentd, python, folder, variant, threads) if engine.startswith("segmentd")
                    else Peer(engine, python, folder, variant, threads))
            for _ in range(options.rounds):
                for engine in engines.values():
                    time.sleep(0.3)  # threads of the one before may still spin
                    engine.turn()
            for name, engine in engines.items():
                engine.close()
                rows.append({
                    "variant": variant, "threads": threads, "engine": name, "version": engine.version,
                    "medianSeconds": statistics.median(engine.seconds), "minSeconds": min(engine.seconds),
                    "maxError": engine.error, "peakMB": engine.peak,
                    **({"firstResultSeconds": engine.start} if isinstance(engine, Ours) else {})})
    return rows


def table(rows):
    """Markdown: for each variant and number of threads, every engine compared with OpenVINO in single precision."""
    date = datetime.date.today()
    versions = "; ".join(dict.fromkeys(f"{NAMES[row['engine']]} {row['version']}" for row in rows))
    lines = [f"{date}, {processor()}, {os.cpu_count()} cores. {versions}.", "",
             "| network | threads | engine | median s | min s | time / OpenVINO fp32 | max error | peak MB |",
             "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        base = next((other for other in rows if other["engine"] == "openvino"
                     and (other["variant"], other["threads"]) == (row["variant"], row["threads"])), None)
        ratio = f"{row['minSeconds'] / base['minSeconds']:.2f}" if base else ""
        lines.append(f"| {row['variant']} | {row['threads']} | {NAMES[row['engine']]} | {row['medianSeconds']:.3f} "
                     f"| {row['minSeconds']:.3f} | {ratio} | {row['maxError']:.1e} | {row['peakMB']:.0f} |")
    started = ", ".join(f"{row['variant']} {row['firstResultSeconds']:.2f} s" for row in rows
                        if row["engine"] == "segmentd" and row["threads"] == max(r["threads"] for r in rows))
    lines += ["", f"From the start of the segmentd process to its end with one patch computed and written, weights in "
              f"the page cache: {started}."]
    return "\n".join(lines)


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        step, folder, variant, threads = sys.argv[2:]
        return worker(step, pathlib.Path(folder), variant, int(threads))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["synapse", "acdc", "lung", "tumor"],
                        choices=["synapse", "acdc", "lung", "tumor"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="+", choices=NAMES, default=[
        "segmentd", "torch", "torch-compile", "onnxruntime", "openvino", "openvino-default"])
    parser.add_argument("--isa", action="store_true", help="segmentd with AVX2 and with portable code, too")
    parser.add_argument("--segmentd", help="the program; without, it is built")
    parser.add_argument("--python", help="an interpreter that has the engines; without, one is set up")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--write", action="store_true", help="put the table into Benchmarks.md")
    options = parser.parse_args()
    if options.isa:
        options.engines += ["segmentd-avx2", "segmentd-portable"]
    python = options.python or environment("engines", PACKAGES)
    if not options.segmentd:
        options.segmentd = build()
    rows = [row for variant in options.variants for row in compare(options, variant, python)]
    if options.write:
        write_table("engines", table(rows))
    print(json.dumps({"rows": rows}, indent=2) if options.json else table(rows))


main()
