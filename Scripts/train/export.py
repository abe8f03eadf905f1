"""Writes the model bundle: weights in half precision, model.yaml with their hash, CARD.md with measured figures.

    python export.py --checkpoint ~/hippocampus-training/checkpoint.pt --data ../../../shared/hippocampus
                     --output ../../Sources/Segmentation/Models/hippocampus [--baseline unet.json]

The averaged weights are exported. Matrices and kernels are stored as F16, all one-dimensional tensors as F32. The
held-out fifth is measured with the checkpoint's single precision, with the exported file, and mirrored from left to right;
a loss of more than 0.0005 in mean Dice by half precision is refused. `--synthetic` names a folder of make_synthetic.py's
subjects and `--baseline` evaluate.py's figures of the plain 3D U-Net, both for the card.
"""

import argparse
import csv
import hashlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from textwrap import fill

import torch
import yaml
from safetensors.torch import save_file

from evaluate import HERE, evaluate, evaluate_series, load_bundle, load_checkpoint, show, summary

CARD = """# Hippocampus, anterior and posterior

UNETR++ (Shaker et al., IEEE TMI 2024) for T1-weighted MR crops around one hippocampus, 1 mm voxels.

**Research use only.** Not a medical device; not validated for diagnosis or treatment.

## Origin
Trained from random weights by the scripts in `Scripts/train`: {steps} steps in {minutes} minutes, AdamW with polynomial decay,
Dice and cross-entropy with deep supervision, averaged weights. {parameters:.1f} million parameters.
{history}

Data: Medical Segmentation Decathlon, Task04 Hippocampus, licence CC BY-SA 4.0: {training} volumes for training and
{held_out} held out (`Scripts/train/split.json`). Cite Antonelli et al., *The Medical Segmentation Decathlon*, Nat. Commun.
13:4128 (2022), and Simpson et al., arXiv:1902.09063 (2019). The weights are distributed under CC BY-SA 4.0.

## Measured on the {held_out} held-out volumes
{rows}
{baseline}The weights are stored in half precision; in single precision the mean Dice is {single:.4f}.
{note}
{synthetic}
## Limits
- Crops only: training volumes measured 24-47 mm (S), 40-59 mm (A), 31-43 mm (R). A whole head is refused by extent.
- Adults, healthy or with a psychotic disorder (Simpson et al., 2019), T1-weighted MPRAGE of one centre; other scanners,
  sequences, tumours, resections and strong atrophy were never seen.
- The border between anterior and posterior is a convention of the data's annotators.
- All volumes show the same side (by its place next to the brain stem the left one); the other was learned from mirrored
  copies. On the held-out volumes mirrored from left to right the mean Dice is {other_side:.4f}.
- Inputs whose fraction of zeros, coefficient of variation, skewness, median's position, correlation of neighbours or
  correlation with the mean training image leave the ranges of `model.yaml` are refused or carry a warning, as do results
  outside 0.8-3.0 ml (anterior) and 0.75-2.7 ml (posterior) or with less than 90 % in one connected part.
- Voxels far from 1 mm are refused; resampled volumes were not measured.
- Codes: SNOMED CT 5366008 (Hippocampus) with the modifiers 255549009 (Anterior) and 255551008 (Posterior), as listed in
  DICOM PS3.16 context groups (5366008 in CID 7140; the modifiers in CID 2). That SNOMED CT has no more specific code for
  each part was not verified.
"""

HEADER = "| class | mean Dice | worst Dice | mean HD95 (mm) | worst HD95 (mm) |\n|---|---|---|---|---|\n"
NOTE = "A part of these cases was watched while training; no weights were chosen by them."


def store(state):
    """The tensors that inference needs, matrices and kernels in half precision."""
    wanted = {key: value for key, value in state.items()
              if value.is_floating_point() and not key.startswith(("out2.", "out3."))}
    return {key: (value.half() if value.dim() > 1 else value.float()).contiguous().clone()
            for key, value in wanted.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--baseline", type=Path, help="figures of the U-Net trained along with it (evaluate.py --json)")
    parser.add_argument("--history", default="", help="what else should be said about the training")
    parser.add_argument("--note", default=NOTE, help="how the held-out cases were used while training")
    parser.add_argument("--processes", type=int, default=2)
    a = parser.parse_args()
    checkpoint = torch.load(a.checkpoint, map_location="cpu", weights_only=True)
    tensors = store(checkpoint["average"])
    if not all(value.isfinite().all() for value in tensors.values()):
        sys.exit("a weight does not fit half precision")
    a.output.mkdir(parents=True, exist_ok=True)
    weights = a.output / "weights.safetensors"
    save_file(tensors, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.chmod(0o644)
    template = (HERE / "hippocampus.yaml").read_text()
    body = "".join(line + "\n" for line in template.splitlines() if not line.startswith("# What the trained"))
    (a.output / "model.yaml").write_text(body + f"weights: {{file: weights.safetensors, sha256: {digest}}}\n")

    single, cases, other_side, synthetic = measure_all(a)
    result = summary(cases)
    show(result)
    single, other_side = summary(single)["mean"]["dice"], summary(other_side)["mean"]["dice"]
    print(f"single precision {single:.4f}, mirrored volumes {other_side:.4f}")
    if result["mean"]["dice"] < single - 0.0005:
        sys.exit(f"half precision costs Dice: {single:.4f} to {result['mean']['dice']:.4f}")
    write_card(a, checkpoint, tensors, result, single, other_side, summary(synthetic) if synthetic else None)
    baseline = json.loads(a.baseline.read_text()) if a.baseline else None
    (HERE / "held_out.json").write_text(json.dumps({**result, "perCase": cases, "unet": baseline}, indent=1) + "\n")
    curves(a.checkpoint.parent)


def measure_all(a):
    """Cases in single precision, from the bundle, mirrored, synthetic; the processor's cores work side by side."""
    with ProcessPoolExecutor(max_workers=a.processes) as pool:
        jobs = [pool.submit(measure, kind, a) for kind in ("single", "bundle", "other side", "synthetic")]
        return [job.result() for job in jobs]


def measure(kind, a):
    torch.set_num_threads(1)  # see train.py: threads cost more than they give
    model = load_checkpoint(a.checkpoint) if kind == "single" else load_bundle(a.output)
    if kind == "synthetic":
        return evaluate_series(model, a.synthetic) if a.synthetic else []
    description = yaml.safe_load((a.output / "model.yaml").read_text())
    held_out = json.loads((HERE / "split.json").read_text())["heldOut"]
    return evaluate(model, a.data, held_out, description["inference"]["mirrorAxes"], kind == "other side")


def rows(result):
    """A row of the card's table for each class, and the mean."""
    names = ("anterior", "posterior")
    lines = [f"| {names[l['label'] - 1]} | {l['dice']:.4f} | {l['worstDice']:.4f} | {l['hd95']:.3f} | {l['worstHd95']:.3f} |\n"
             for l in result["labels"]]
    return "".join(lines) + f"| mean | {result['mean']['dice']:.4f} | | {result['mean']['hd95']:.3f} | |\n"


def write_card(a, checkpoint, tensors, result, single, other_side, synthetic):
    split = json.loads((HERE / "split.json").read_text())
    baseline = ""
    if a.baseline:
        figures = json.loads(a.baseline.read_text())
        baseline = (f"A plain 3D U-Net of equal size, trained and applied the same way ({figures['parameters']:.1f} million "
                    f"parameters, {figures['steps']} steps):\n\n{HEADER}{rows(figures)}\n")
    line = ""
    if synthetic:
        line = (f"\nOn {synthetic['cases']} synthetic subjects of `Scripts/train/make_synthetic.py` (drawn from a statistical "
                f"model, noisier\nand less coherent than real images): mean Dice {synthetic['mean']['dice']:.3f} "
                f"(anterior {synthetic['labels'][0]['dice']:.3f}, posterior {synthetic['labels'][1]['dice']:.3f}), "
                f"mean HD95 {synthetic['mean']['hd95']:.2f} mm.\n")
    (a.output / "CARD.md").write_text(CARD.format(
        steps=checkpoint["step"], minutes=round(checkpoint["used"] / 60), training=len(split["training"]),
        held_out=len(split["heldOut"]), rows=HEADER + rows(result), baseline=baseline,
        single=single, note=fill(a.note, 120), history=fill(a.history, 120), synthetic=line, other_side=other_side,
        parameters=sum(v.numel() for k, v in tensors.items() if "running" not in k and ".F." not in k) / 1e6))


def curves(folder):
    """Copies the logs next to the scripts and draws them."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3))
    for name, axis in (("loss", left), ("dice", right)):
        if not (folder / f"{name}.csv").exists():
            continue
        with open(folder / f"{name}.csv") as file:
            rows = list(csv.DictReader(file))
        (HERE / f"{name}.csv").write_text((folder / f"{name}.csv").read_text())
        steps = [int(row["step"]) for row in rows]
        for column in (["loss"] if name == "loss" else ["anterior", "posterior", "worst"]):
            axis.plot(steps, [float(row[column]) for row in rows], label=column, linewidth=1)
        axis.set(xlabel="step", title={"loss": "training loss", "dice": "Dice, held-out cases watched"}[name])
        axis.grid(alpha=0.3)
        axis.legend()
    left.set_ylim(0, 1)
    figure.tight_layout()
    figure.savefig(HERE / "curves.png", dpi=80)


if __name__ == "__main__":
    main()
