#!/usr/bin/env python3
"""Training steps of a network by segmentd and by PyTorch, on the same weights and batch.

    Scripts/compare-training.py [--networks acdc cardiac hippocampus] [--threads 2 1] [--rounds 3] [--json]

A network is a published one by name, or the `network` of Scripts/train/NAME.yaml (its recipe's batch). The trainers
take turns in one run: segmentd, PyTorch in single precision (eager) and with bfloat16 autocast and channels_last_3d, each
in a process of its own. A step is the forward pass, the loss with deep supervision, the backward pass, clipping and AdamW.
`loss` is the loss before the third step, `distance` how far the weights after two steps are from PyTorch's in single
precision, relative to how far those moved. Peak memory is that of the whole process. --write puts the table into
Benchmarks.md. --distances 1 10 50 measures instead, in single precision, how far the weights are from PyTorch's after so many
steps, and how far PyTorch's are from its own with channels_last_3d, which sums in another order; --write puts that
table into Benchmarks.md. --python and --segmentd name an interpreter with PyTorch and the program; without, both are made.
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

PACKAGES = ("torch==2.13.0", "numpy==2.4.6", "safetensors", "pyyaml")
PUBLISHED = ("synapse", "acdc", "lung", "tumor")
NAMES = {"segmentd": "segmentd", "torch-fp32": "PyTorch fp32", "torch-bf16": "PyTorch bf16"}
COMPARED_STEPS = 2


# What runs within PyTorch's environment: `worker STEP FOLDER NETWORK THREADS`.

def description(name):
    """The network's sizes and the samples of a batch."""
    sys.path.insert(0, str(ROOT / "Scripts/train"))
    import unetrpp
    if name in PUBLISHED:
        return getattr(unetrpp, name.upper()), 2
    import yaml
    read = lambda file: yaml.safe_load((ROOT / "Scripts/train" / file).read_text())
    return unetrpp.Description.from_yaml(read(f"{name}.yaml")["network"]), read(f"{name}.training.yaml")["batch"]


def build_network(name):
    import torch
    import unetrpp
    torch.manual_seed(1)
    network = unetrpp.UNETRPP(description(name)[0], deep_supervision=True).train()
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout3d):
            module.p = 0.0
    return network


def prepare(folder, name):
    """Writes the first weights and a batch: boxes of the classes, brighter than noise."""
    import torch
    from safetensors.torch import save_file
    import yaml
    d, samples = description(name)
    network = build_network(name)
    save_file({key: value.clone().contiguous() for key, value in network.state_dict().items()
               if not key.endswith("num_batches_tracked")}, folder / "weights.safetensors")
    labels = torch.zeros(samples, *d.patch)
    for label in range(1, d.classes):
        places = [[int(torch.rand(()) * size / 2) for size in d.patch] for _ in range(samples)]
        for sample, (z, y, x) in enumerate(places):
            labels[sample, z:z + d.patch[0] // 2, y:y + d.patch[1] // 2, x:x + d.patch[2] // 2] = label
    images = torch.randn(samples, d.input_channels, *d.patch) + labels[:, None] / d.classes
    save_file({"images": images, "labels": labels}, folder / "batch.safetensors")
    (folder / "network.yaml").write_text(yaml.safe_dump(d.to_yaml()))


def trainer(engine, folder, name, channels_last=False):
    """The network and a function that makes one step and returns the loss before it."""
    import torch
    from safetensors.torch import load_file
    network = build_network(name)
    network.load_state_dict(load_file(folder / "weights.safetensors"), strict=False)
    from train import loss_of, parameter_groups
    data = load_file(folder / "batch.safetensors")
    images, labels = data["images"], data["labels"].long()
    if engine == "torch-bf16" or channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(parameter_groups(network, 1e-2), 1e-4, fused=True)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=engine == "torch-bf16"):
            logits = network(images)
        loss = loss_of(logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        return loss.item()
    return network, step


def distance(found, network, first):
    """How far weights are from the network's, relative to how far those moved."""
    wanted = network.state_dict()
    squares = [0.0, 0.0]
    for key, value in found.items():
        squares[0] += (value - wanted[key]).double().square().sum().item()
        squares[1] += (wanted[key] - first[key]).double().square().sum().item()
    return (squares[0] / squares[1]) ** 0.5


def serve(engine, folder, name, threads):
    """Makes a step for each line of standard input; answers with a line of JSON."""
    import torch
    from safetensors.torch import load_file
    torch.set_num_threads(threads)
    network, step = trainer(engine, folder, name)
    for _ in range(COMPARED_STEPS):
        step()
    answer = {"version": torch.__version__}
    if engine == "torch-fp32" and (folder / "output.safetensors").exists():
        answer["distance"] = distance(load_file(folder / "output.safetensors"), network,
                                      load_file(folder / "weights.safetensors"))
    print(json.dumps(answer), flush=True)
    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        loss = step()
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        status = pathlib.Path("/proc/self/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        print(json.dumps({"seconds": seconds, "processor": processor, "loss": loss, "peakMB": peak / 1024}), flush=True)


def distances(folder, name, threads):
    """Prints how far segmentd's weights, STEPS.safetensors, and those of channels_last_3d are from PyTorch's."""
    import torch
    from safetensors.torch import load_file
    torch.set_num_threads(threads)
    first = load_file(folder / "weights.safetensors")
    (plain, step), (other, other_step) = (trainer("torch-fp32", folder, name, last) for last in (False, True))
    counts = {int(file.stem): file for file in folder.glob("[0-9]*.safetensors")}
    rows = []
    for count in range(1, max(counts) + 1):
        losses = step(), other_step()
        if count in counts:
            own = {key: value for key, value in other.state_dict().items() if key in first}
            rows.append({"steps": count, "distance": distance(load_file(counts[count]), plain, first),
                         "torchFromItself": distance(own, plain, first), "loss": losses[0], "otherLoss": losses[1],
                         "torch": torch.__version__})
    print(json.dumps(rows))


def worker(step, folder, name, threads):
    if step == "prepare":
        description(name)  # makes the folder of the recipes known
        return prepare(folder, name)
    description(name)
    if step == "distances":
        return distances(folder, name, threads)
    serve(step, folder, name, threads)


# What drives them.

class Peer(LoadedPeer):
    """PyTorch."""

    def __init__(self, engine, python, folder, name, threads):
        self.seconds, self.processor, self.peak, self.losses = [], [], 0, []
        super().__init__([python, __file__, "--worker", engine, str(folder), name, str(threads)], threads)
        self.version, self.distance = self.greeting["version"], self.greeting.get("distance")

    def turn(self):
        answer = self.ask()
        self.seconds.append(answer["seconds"])
        self.processor.append(answer["processor"])
        self.losses.append(answer["loss"])
        self.peak = max(self.peak, answer["peakMB"])


class Ours:
    """segmentd, started anew for each turn; the first two steps of a process are not counted."""

    def __init__(self, binary, folder, name, threads):
        self.seconds, self.processor, self.peak, self.losses, self.distance = [], [], 0, [], None
        variant = name if name in PUBLISHED else folder / "network.yaml"
        self.command = [binary, "train-step", "--variant", variant, "--weights", folder / "weights.safetensors",
                        "--batch", folder / "batch.safetensors", "--threads", str(threads), "--json"]
        self.run(COMPARED_STEPS, "--output", folder / "output.safetensors")

    def run(self, steps, *more):
        report = json.loads(subprocess.run(self.command + ["--steps", str(steps), *more], check=True,
                                           capture_output=True, env=clean_environment()).stdout)
        self.version = f"{report['isa']}, OpenBLAS {report['blasCore']}"
        return report

    def turn(self):
        report = self.run(COMPARED_STEPS + 1)
        self.seconds += report["seconds"][COMPARED_STEPS:]
        self.processor += report["processorSeconds"][COMPARED_STEPS:]
        self.losses += report["losses"][COMPARED_STEPS:]
        self.peak = max(self.peak, report["peakMB"])

    def close(self):
        pass


def compare(options, name, python):
    """Rows of one network, all trainers and numbers of threads."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([python, __file__, "--worker", "prepare", str(folder), name, "1"], check=True,
                       env=clean_environment())
        for threads in options.threads:
            trainers = {}
            for trainer in options.trainers:
                print(f"{name}, {threads} threads: starting {trainer}", file=sys.stderr)
                trainers[trainer] = (Ours(options.segmentd, folder, name, threads) if trainer == "segmentd"
                                     else Peer(trainer, python, folder, name, threads))
            for _ in range(options.rounds):
                for trainer in trainers.values():
                    time.sleep(0.3)  # threads of the one before may still spin
                    trainer.turn()
            for key, trainer in trainers.items():
                trainer.close()
                rows.append({
                    "network": name, "threads": threads, "trainer": key, "version": trainer.version,
                    "medianSeconds": statistics.median(trainer.seconds), "minSeconds": min(trainer.seconds),
                    "processorSeconds": statistics.median(trainer.processor), "peakMB": trainer.peak, "loss": trainer.losses[0]})
            distance = next((trainer.distance for trainer in trainers.values() if trainer.distance is not None), None)
            if distance is not None and "segmentd" in trainers:
                next(row for row in rows if (row["trainer"], row["threads"]) == ("segmentd", threads))["distance"] = distance
    return rows


def compare_weights(options, name, python):
    """Rows of one network: distances after each number of steps."""
    with tempfile.TemporaryDirectory() as folder:
        folder, threads = pathlib.Path(folder), max(options.threads)
        command = [python, __file__, "--worker"]
        subprocess.run(command + ["prepare", str(folder), name, "1"], check=True, env=clean_environment())
        ours = Ours(options.segmentd, folder, name, threads)
        losses = {steps: ours.run(steps, "--output", folder / f"{steps}.safetensors")["losses"][-1]
                  for steps in options.distances}
        found = subprocess.run(command + ["distances", str(folder), name, str(threads)], check=True,
                               capture_output=True, env=clean_environment())
        return [{"network": name, "version": ours.version, **row, "segmentdLoss": losses[row["steps"]]}
                for row in json.loads(found.stdout)]


def weights_table(rows):
    """Markdown: for each network, the weights after each number of steps."""
    lines = [f"{datetime.date.today()}, {processor()}. segmentd {rows[0]['version']}; PyTorch {rows[0]['torch']}.", "",
             "| network | steps | distance of segmentd's weights | PyTorch's from itself | loss of segmentd | loss of PyTorch |",
             "|---|---|---|---|---|---|"]
    return "\n".join(lines + [
        f"| {row['network']} | {row['steps']} | {row['distance']:.1e} | {row['torchFromItself']:.1e} "
        f"| {row['segmentdLoss']:.5f} | {row['loss']:.5f} |" for row in rows])


def table(rows):
    """Markdown: for each network and number of threads, every trainer compared with PyTorch in single precision."""
    versions = "; ".join(dict.fromkeys(f"{NAMES[row['trainer']]} {row['version']}" for row in rows))
    lines = [f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores. {versions}.", "",
             "| network | threads | trainer | median s | processor s | median / PyTorch fp32 | processor / PyTorch fp32 "
             "| peak MB | loss of step 3 | distance of the weights after step 2 |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        base = next((other for other in rows if other["trainer"] == "torch-fp32"
                     and (other["network"], other["threads"]) == (row["network"], row["threads"])), None)
        ratios = [f"{row[key] / base[key]:.2f}" if base else "" for key in ("medianSeconds", "processorSeconds")]
        far = f"{row['distance']:.1e}" if "distance" in row else ""
        lines.append(f"| {row['network']} | {row['threads']} | {NAMES[row['trainer']]} | {row['medianSeconds']:.3f} "
                     f"| {row['processorSeconds']:.3f} | {' | '.join(ratios)} | {row['peakMB']:.0f} "
                     f"| {row['loss']:.5f} | {far} |")
    return "\n".join(lines)


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        step, folder, name, threads = sys.argv[2:]
        return worker(step, pathlib.Path(folder), name, int(threads))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["acdc", "cardiac", "hippocampus"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2, 1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trainers", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--distances", nargs="+", type=int, metavar="STEPS", help="compare weights after so many steps")
    parser.add_argument("--segmentd", help="the program; without, it is built")
    parser.add_argument("--python", help="an interpreter that has PyTorch; without, one is set up")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--write", action="store_true", help="put the table into Benchmarks.md")
    options = parser.parse_args()
    python = options.python or environment("training", PACKAGES)
    if not options.segmentd:
        options.segmentd = build()
    if options.distances:
        rows = [row for name in options.networks for row in compare_weights(options, name, python)]
        if options.write:
            write_table("training-weights", weights_table(rows))
        return print(json.dumps({"rows": rows}, indent=2) if options.json else weights_table(rows))
    rows = [row for name in options.networks for row in compare(options, name, python)]
    if options.write:
        write_table("training", table(rows))
    print(json.dumps({"rows": rows}, indent=2) if options.json else table(rows))


main()
