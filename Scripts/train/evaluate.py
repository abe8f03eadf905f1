"""Dice and HD95 on the held-out fifth of the recipe's split, by the inference that the bundle asks for.

    python evaluate.py --data ../../../shared/hippocampus --bundle ../../Sources/Segmentation/Models/hippocampus
    python evaluate.py --data ... --checkpoint ~/hippocampus-training/checkpoint.pt
    python evaluate.py --recipe cardiac --data ../../../shared/cardiac --checkpoint ~/cardiac-training/checkpoint.pt
    python evaluate.py --recipe cardiac --data ... --checkpoint ~/cardiac-unet/checkpoint.pt --output found
    python evaluate.py --series ../../Fixtures/series --bundle ...          # make_synthetic.py's subjects instead

Prints mean and worst case per class and, with --json FILE, writes them with every case's figures. With --output FOLDER the
labels found are written there as NIfTI, to be scored by `segmentd evaluate --predictions FOLDER`; a case whose file is there
already is not segmented again, so that the command may be stopped and repeated; FOLDER.weights says by which weights.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import torch
import yaml
from safetensors.torch import load_file

from metrics import dice, hd95
from networks import network_class
from pipeline import keep_largest, read_volume, segment, write_labels
from recipe import Recipe
from unetrpp import UNETRPP, Description, load_published

HERE = Path(__file__).parent


def load_model(model_file, weights, network=UNETRPP):
    """The network of a model.yaml's sizes with the given state dict, ready for inference."""
    description = Description.from_yaml(yaml.safe_load(Path(model_file).read_text())["network"])
    state = {key: value.float() for key, value in weights.items() if value.is_floating_point()}
    return load_published(network(description), state).eval()


def load_bundle(folder):
    return load_model(Path(folder) / "model.yaml", load_file(Path(folder) / "weights.safetensors"))


def load_checkpoint(path, model_file=HERE / "hippocampus.yaml"):
    """The averaged weights of a training, with `model.steps`."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    network = network_class(checkpoint.get("network", "unetrpp"), checkpoint.get("unet"))
    model = load_model(model_file, checkpoint["average"], network)
    model.steps = checkpoint["step"]
    return model


def evaluate(model, data, names, mirror_axes=(), other_side=False, recipe=None, output=None):
    """Per case: Dice and HD95 of every class, seconds; `other_side` mirrors the volumes from left to right.

    `output`: the folder that the labels found are written to, or from which they come where they are there.
    """
    recipe = recipe or Recipe("hippocampus")
    cases = []
    for name in names:
        image, labels, spacing = recipe.read(data, name)
        if other_side:
            image, labels = image[..., ::-1].copy(), labels[..., ::-1]
        written = output / f"{name}.nii.gz" if output else None
        found, seconds = (read_volume(written, recipe.acquired)[0], 0.0) if written and written.exists() else segmented(
            model, image, recipe, mirror_axes, spacing)
        if written and not written.exists():
            write_whole(written, found, Path(data) / "images" / f"{name}.nii.gz")
        cases.append(scores(name, found, labels, recipe, spacing, seconds))
    return cases


def claim(output, weights, mirror_axes):
    """Makes the folder for labels found by that file of weights, mirrored so; one that has those of another is refused."""
    output.mkdir(parents=True, exist_ok=True)
    mark = Path(f"{output}.weights")
    wanted = " ".join([hashlib.sha256(Path(weights).read_bytes()).hexdigest(), *(f"mirrored {axis}" for axis in mirror_axes)])
    if any(output.iterdir()) and not (mark.exists() and mark.read_text().strip() == wanted):
        sys.exit(f"{output} holds labels found by other weights than {weights}, or mirrored otherwise; name another folder")
    mark.write_text(wanted + "\n")


def write_whole(path, labels, like):
    """Under another name first: a file that is there is whole."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    write_labels(unfinished, labels, like)
    unfinished.replace(path)


def evaluate_series(model, folder):
    """The same for the synthetic hippocampus subjects that make_synthetic.py wrote to a folder."""
    cases = []
    for known in sorted(Path(folder).glob("*.labels.safetensors")):
        name = known.name.removesuffix(".labels.safetensors")
        planes = [pydicom.dcmread(path).pixel_array for path in sorted((known.parent / name).glob("*.dcm"))]
        # planes were written with rows towards P and columns towards L
        image = np.stack(planes)[:, ::-1, ::-1].astype(np.float32)
        labels = load_file(known)["labels"].numpy()[:, ::-1, ::-1]
        recipe = Recipe("hippocampus")
        found, seconds = segmented(model, image, recipe)
        cases.append(scores(name, found, labels, recipe, (1.0, 1.0, 1.0), seconds))
    return cases


def segmented(model, image, recipe, mirror_axes=(), spacing=(1.0, 1.0, 1.0)):
    """The labels found, of which the recipe's postprocessing is done, and the seconds."""
    begun = time.perf_counter()
    found = segment(model, image, model.description.patch, mirror_axes, spacing=spacing, target=recipe.spacing)
    found = keep_largest(found, recipe.largest_components, float(np.prod(spacing)))
    return found, time.perf_counter() - begun


def scores(name, found, labels, recipe, spacing, seconds):
    return {"case": name, "seconds": round(seconds, 2), "labels": [
        {"label": label, "dice": dice(found == label, labels == label),
         "hd95": hd95(found == label, labels == label, spacing)} for label in recipe.labels]}


def summary(cases):
    """Means over cases per class and over all classes, and the worst."""
    scores = np.array([[[label["dice"], label["hd95"]] for label in case["labels"]] for case in cases])
    mean = scores.mean(0)
    return {"cases": len(cases),
            "mean": {"dice": mean[:, 0].mean(), "hd95": mean[:, 1].mean()},
            "labels": [{"label": cases[0]["labels"][i]["label"], "dice": mean[i, 0], "hd95": mean[i, 1], "worstDice": scores[:, i, 0].min(),
                        "worstHd95": scores[:, i, 1].max()} for i in range(len(mean))],
            "secondsPerCase": float(np.median([case["seconds"] for case in cases]))}


def show(result):
    print("class  Dice   worst  HD95 mm  worst")
    for label in result["labels"]:
        print(f"{label['label']:5d}  {label['dice']:.4f} {label['worstDice']:.4f} {label['hd95']:7.3f} "
              f"{label['worstHd95']:7.3f}")
    print(f"mean   {result['mean']['dice']:.4f}        {result['mean']['hd95']:7.3f}  "
          f"({result['cases']} cases, {result['secondsPerCase']:.2f} s a case)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="hippocampus")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--series", type=Path, help="folder of synthetic series instead of the held-out volumes")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--mirror", type=int, nargs="*", default=[], help="axes mirrored at inference (0, 1, 2 = z, y, x)")
    parser.add_argument("--other-side", action="store_true", help="mirror the volumes from left to right")
    parser.add_argument("--output", type=Path, help="folder for the labels found, by one set of weights")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    recipe = Recipe(a.recipe)
    model = load_bundle(a.bundle) if a.bundle else load_checkpoint(a.checkpoint, recipe.model_file)
    if a.series:
        cases = evaluate_series(model, a.series)
    elif a.data:
        if a.output and a.other_side:
            parser.error("--output is of volumes as they are, not mirrored")
        if a.output:
            claim(a.output, a.checkpoint or a.bundle / "weights.safetensors", a.mirror)
        cases = evaluate(model, a.data, recipe.cases(a.data)[1], a.mirror, a.other_side, recipe, a.output)
    else:
        parser.error("--data or --series is needed")
    result = {**summary(cases), "steps": getattr(model, "steps", None),
              "parameters": sum(p.numel() for p in model.parameters()) / 1e6}
    show(result)
    if a.json:
        a.json.write_text(json.dumps({**result, "perCase": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
