"""Writes the model bundle: weights in half precision, model.yaml with their hash, CARD.md with measured figures.

    python export.py --checkpoint ~/hippocampus-training/checkpoint.pt --data ../../../shared/hippocampus
                     --output ../../Sources/Segmentation/Models/hippocampus [--baseline unet.json]
    python export.py --recipe cardiac --checkpoint ... --data ... --output ... [--cases 4] [--figures figures.md]

The averaged weights are exported. Matrices and kernels are stored as F16, all one-dimensional tensors as F32. The held-out
cases (--cases: so many of them) are measured with the checkpoint's single precision and with the exported file; a loss of more
than 0.0005 in mean Dice by half precision is refused. Where the model mirrors, they are measured mirrored from left to right
too. `NAME.card.md` is the card's text. For the card: `--figures`, a text measured on the exported bundle (figures.py's), in
place of the table of what was measured here; `--synthetic`, a folder of make_synthetic.py's subjects; `--baseline`,
evaluate.py's figures of the plain 3D U-Net.
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
from safetensors.torch import save_file

from evaluate import HERE, evaluate, evaluate_series, load_bundle, load_checkpoint, show, summary
from recipe import Recipe

HEADER = "| class | mean Dice | worst Dice | mean HD95 (mm) | worst HD95 (mm) |\n|---|---|---|---|---|\n"
NOTE = "A part of these cases was watched while training; no weights were chosen by them."


def store(state):
    """The tensors that inference needs, matrices and kernels in half precision."""
    wanted = {key: value for key, value in state.items()
              if value.is_floating_point() and not key.startswith(("out2.", "out3."))}
    return {key: (value.half() if value.dim() > 1 else value.float()).contiguous().clone()
            for key, value in wanted.items()}


def write_bundle(recipe, tensors, output):
    """The weights, and the recipe's model.yaml with their hash."""
    output.mkdir(parents=True, exist_ok=True)
    weights = output / "weights.safetensors"
    save_file(tensors, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.chmod(0o644)
    template = recipe.model_file.read_text()
    body = "".join(line + "\n" for line in template.splitlines() if not line.startswith("# What the trained"))
    (output / "model.yaml").write_text(body + f"weights: {{file: weights.safetensors, sha256: {digest}}}\n")


def main():
    a = arguments()
    recipe = Recipe(a.recipe)
    checkpoint = torch.load(a.checkpoint, map_location="cpu", weights_only=True)
    tensors = store(checkpoint["average"])
    if not all(value.isfinite().all() for value in tensors.values()):
        sys.exit("a weight does not fit half precision")
    write_bundle(recipe, tensors, a.output)
    found = measure_all(a)
    result = summary(found["bundle"])
    show(result)
    single = summary(found["single"])["mean"]["dice"]
    print(f"single precision {single:.4f}")
    if result["mean"]["dice"] < single - 0.0005:
        sys.exit(f"half precision costs Dice: {single:.4f} to {result['mean']['dice']:.4f}")
    write_card(a, recipe, checkpoint, tensors, result, single, found)
    baseline = json.loads(a.baseline.read_text()) if a.baseline else None
    prefix = recipe.split_file.name.removesuffix("split.json")
    (HERE / f"{prefix}held_out.json").write_text(
        json.dumps({**result, "perCase": found["bundle"], "unet": baseline}, indent=1) + "\n")
    curves(a.checkpoint.parent, recipe, prefix)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="hippocampus")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--baseline", type=Path, help="figures of the U-Net trained along with it (evaluate.py --json)")
    parser.add_argument("--history", default="", help="what else should be said about the training")
    parser.add_argument("--note", default=NOTE, help="how the held-out cases were used while training")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cases", type=int, help="so many of the held-out cases, evenly chosen; all where left out")
    parser.add_argument("--figures", type=Path, help="Markdown for the card in place of the table of what is measured here")
    return parser.parse_args()


def measure_all(a):
    """Cases in single precision, from the bundle, mirrored, synthetic; the processor's cores work side by side."""
    kinds = ["single", "bundle"]
    kinds += ["other side"] if Recipe(a.recipe).mirror_axes else []
    kinds += ["synthetic"] if a.synthetic else []
    with ProcessPoolExecutor(max_workers=a.processes) as pool:
        jobs = {kind: pool.submit(measure, kind, a) for kind in kinds}
        return {kind: job.result() for kind, job in jobs.items()}


def measure(kind, a):
    torch.set_num_threads(1)  # see train.py: threads cost more than they give
    recipe = Recipe(a.recipe)
    model = load_checkpoint(a.checkpoint, recipe.model_file) if kind == "single" else load_bundle(a.output)
    if kind == "synthetic":
        return evaluate_series(model, a.synthetic)
    return evaluate(model, a.data, chosen(recipe.cases(a.data)[1], a.cases), recipe.mirror_axes, kind == "other side", recipe)


def chosen(names, count):
    """So many of the names, evenly spread over them."""
    return names if not count else [names[(2 * k + 1) * len(names) // (2 * count)] for k in range(min(count, len(names)))]


def rows(result, columns):
    """A row of the card's table for each class, and the mean."""
    lines = [f"| {name} | {l['dice']:.4f} | {l['worstDice']:.4f} | {l['hd95']:.3f} | {l['worstHd95']:.3f} |\n"
             for name, l in zip(columns, result["labels"])]
    return "".join(lines) + f"| mean | {result['mean']['dice']:.4f} | | {result['mean']['hd95']:.3f} | |\n"


def baseline_text(a, columns):
    if not a.baseline:
        return ""
    figures = json.loads(a.baseline.read_text())
    return (f"A plain 3D U-Net of equal size, trained and applied the same way ({figures['parameters']:.1f} million "
            f"parameters, {figures['steps']} steps):\n\n{HEADER}{rows(figures, columns)}\n")


def synthetic_text(cases):
    if not cases:
        return ""
    result = summary(cases)
    return (f"\nOn {result['cases']} synthetic subjects of `Scripts/train/make_synthetic.py` (drawn from a statistical "
            f"model, noisier\nand less coherent than real images): mean Dice {result['mean']['dice']:.3f} "
            f"(anterior {result['labels'][0]['dice']:.3f}, posterior {result['labels'][1]['dice']:.3f}), "
            f"mean HD95 {result['mean']['hd95']:.2f} mm.\n")


def write_card(a, recipe, checkpoint, tensors, result, single, found):
    split = json.loads(recipe.split_file.read_text())
    other_side = summary(found["other side"])["mean"]["dice"] if "other side" in found else float("nan")
    table = HEADER + rows(result, recipe.columns)
    (a.output / "CARD.md").write_text((HERE / f"{recipe.name}.card.md").read_text().format(
        steps=checkpoint["step"], minutes=round(checkpoint["used"] / 60), training=len(split["training"]),
        held_out=len(split["heldOut"]), rows=table, figures=a.figures.read_text() if a.figures else table,
        baseline=baseline_text(a, recipe.columns), single=single, half=result["mean"]["dice"], cases=result["cases"],
        note=fill(a.note, 120), history=fill(a.history, 120), synthetic=synthetic_text(found.get("synthetic")),
        other_side=other_side,
        parameters=sum(v.numel() for k, v in tensors.items() if "running" not in k and not shared(k, tensors)) / 1e6))


def shared(key, tensors):
    """Whether a tensor is another one by a second name: some blocks project keys and values by the same weights."""
    return ".F." in key and tensors[key].equal(tensors[key.replace(".F.", ".E.")])


def curves(folder, recipe, prefix):
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
        (HERE / f"{prefix}{name}.csv").write_text((folder / f"{name}.csv").read_text())
        steps = [int(row["step"]) for row in rows]
        for column in (["loss"] if name == "loss" else [*recipe.columns, "worst"]):
            axis.plot(steps, [float(row[column]) for row in rows], label=column, linewidth=1)
        axis.set(xlabel="step", title={"loss": "training loss", "dice": "Dice, held-out cases watched"}[name])
        axis.grid(alpha=0.3)
        axis.legend()
    left.set_ylim(0, 1)
    figure.tight_layout()
    figure.savefig(HERE / f"{prefix}curves.png", dpi=80)


if __name__ == "__main__":
    main()
