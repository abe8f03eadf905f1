"""Imports full-size checkpoints of all four networks and compares the logits with the golden ones.

    python check_full_import.py SEGMENTD [VARIANT…]

For each variant, writes one state dictionary with PyTorch as zip container, legacy stream and safetensors, imports the
three with `segmentd models import`, and runs `segmentd forward` on a patch by rule: with the file that PyTorch's
safetensors wrote, and with the weights of each bundle. All logits must be the same bits, and those at 200 voxels
within 5e-4 of ../shared/golden/full_VARIANT.json. Needs torch, numpy and safetensors (see make_checkpoints.py), and
2 GB in the folder for temporary files.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "generators"))
from make_checkpoints import uniform, write_full  # noqa: E402

PRESETS = {"synapse": "synapse", "acdc": "acdc", "lung": "lung", "tumor": "brats"}
GOLDEN = Path(__file__).resolve().parents[4] / "shared/golden"


def patch(shape):
    """The input rule of the golden files."""
    c, d, h, w = shape
    blocks = [-(-d // 8), -(-h // 16), -(-w // 16)]
    block = uniform("input/block", c * int(np.prod(blocks))).reshape(c, *blocks)
    block = block.repeat(8, 1).repeat(16, 2).repeat(16, 3)[:, :d, :h, :w]
    return (0.5 * uniform("input/noise", c * d * h * w).reshape(shape) + 1.5 * block).astype(np.float32)


def run(*arguments):
    start = time.monotonic()
    result = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\n{result.stdout}{result.stderr}")
    return result.stdout, time.monotonic() - start


def check(segmentd, variant, folder):
    golden = json.loads((GOLDEN / f"full_{variant}.json").read_text())
    write_full(variant, folder)
    values = patch(golden["input_shape"][1:])
    assert hashlib.sha256(values.tobytes()).hexdigest() == golden["input_sha256_f32le"], "another input"
    save_file({"input": values[None]}, folder / "input.safetensors")
    state = load_file(folder / f"{variant}.safetensors")
    digest = hashlib.sha256()
    for name in sorted(state, key=str.encode):
        # The golden hash is of the network without its heads of deep supervision.
        if not name.startswith(("out2.", "out3.")): digest.update(name.encode() + b"\0" + state[name].tobytes())
    weights = {"torch's safetensors": folder / f"{variant}.safetensors"}
    for name in (f"{variant}.model", f"{variant}-legacy.model", f"{variant}.safetensors"):
        bundle = f"from-{name}"
        out, seconds = run(segmentd, "models", "import", "--preset", PRESETS[variant], "--checkpoint", folder / name,
                           "--name", bundle, "--models", folder / "models", "--json")
        report = json.loads(out)
        weights[bundle] = folder / "models" / bundle / "weights.safetensors"
        print(f"{variant}: {report['format']}: {len(report['taken'])} taken, {len(report['left'])} left, {seconds:.2f} s")
    first = None
    for name, path in weights.items():
        run(segmentd, "forward", "--variant", variant, "--weights", path, "--input", folder / "input.safetensors",
            "--output", folder / "logits.safetensors")
        logits = load_file(folder / "logits.safetensors")["logits"]
        if first is None: first = logits
        assert np.array_equal(first, logits), f"{variant}: {name} gives other logits"
    expected = np.array(golden["logits_at_positions"], dtype=np.float64)
    found = first.reshape(golden["classes"], -1)[:, golden["positions_linear_voxel_index"]]
    found = found.T if expected.shape[1] == golden["classes"] else found
    difference = np.abs(found - expected).max()
    labels = np.bincount(first[0].argmax(0).ravel(), minlength=golden["classes"])
    moved = int(np.abs(labels - golden["argmax_hist"]).sum())
    same = "the golden weights" if digest.hexdigest() == golden["weights_sha256"] else "OTHER WEIGHTS"
    print(f"{variant}: {same}; {len(weights)} times the same bits; at 200 voxels at most {difference:.2e} from the "
          f"golden logits; argmax histogram differs by {moved} voxels")
    assert difference < 5e-4


if __name__ == "__main__":
    for variant in sys.argv[2:] or PRESETS:
        with tempfile.TemporaryDirectory() as folder:
            check(sys.argv[1], variant, Path(folder))
    print(f"peak memory of the largest child {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10} MB")
