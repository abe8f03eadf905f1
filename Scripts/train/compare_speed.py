"""Times one patch by segmentd and by PyTorch eager, in turn, and compares their logits.

See Scripts/compare-with-pytorch.sh.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
from safetensors.torch import load_file, save_file

import unetrpp


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--variant", required=True, choices=unetrpp.KINDS)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    description = getattr(unetrpp, options.variant.upper())
    network = unetrpp.UNETRPP(description).eval()
    with torch.no_grad():  # gamma starts at 1e-6, which would hide the attention from the comparison
        for name, parameter in network.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.5)
    state = {name: value.clone().contiguous() for name, value in network.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    patch = torch.randn(1, description.input_channels, *description.patch)

    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        save_file(state, folder / "weights.safetensors")
        save_file({"input": patch}, folder / "input.safetensors")
        command = [
            options.segmentd, "forward", "--variant", options.variant,
            "--weights", folder / "weights.safetensors", "--input", folder / "input.safetensors",
            "--output", folder / "output.safetensors", "--threads", str(options.threads),
            "--repeat", "3", "--json",
        ]
        with torch.inference_mode():
            network(patch)
            for _ in range(options.rounds):
                report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                ours += report["seconds"][1:]
                for _ in range(2):
                    start = time.perf_counter()
                    expected = network(patch)
                    theirs.append(time.perf_counter() - start)
        logits = load_file(folder / "output.safetensors")["logits"]
    print(f"{options.variant}, {options.threads} threads, {report['isa']}, {report['blasCore']}")
    for name, seconds in (("segmentd", ours), (f"PyTorch {torch.__version__} eager", theirs)):
        print(f"  {name}: median {statistics.median(seconds):.3f} s, min {min(seconds):.3f} s")
    print(f"  ratio of medians {statistics.median(theirs) / statistics.median(ours):.2f}")
    difference = (logits - expected).abs().max().item()
    print(f"  largest difference of logits {difference:.1e}, largest logit {expected.abs().max():.1e}")


main()
