"""Checks the training scripts on made-up stacks: split, resampling, loss, augmentation, U-Net, labels, stop and resume.

    python check_training.py            # about a minute; no data of patients

Every check prints what it found; exit status 1 if one failed.
"""

import csv
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import torch
import torch.nn.functional as F
import yaml

from accelerator import prepare_cases
from augmentation import Stack, StackAugmentation
from networks import network_class
from pipeline import case_names, keep_largest, read_volume, write_labels
from recipe import HERE, Recipe, patient_of
from resampling import resample, resample_labels
from train import loss_of

GROUPS = ("A", "A", "A", "B", "B", "B", "B", "C", "C", "C")
SPACING = (10.0, 1.5, 1.5)
failures = []


def check(name, ok, found=""):
    print(f"{'ok  ' if ok else 'FAIL'} {name} {found}", flush=True)
    if not ok:
        failures.append(name)


def stack(seed, slices=9, rows=70, columns=58):
    """A bright cavity with a wall in a textured background, wider at the first slice; labels 1 cavity, 2 wall."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    center = np.array([rows, columns]) / 2 + rng.uniform(-6, 6, 2)
    labels = np.zeros((slices, rows, columns), np.uint8)
    for z in range(slices):
        distance = np.hypot(y - center[0], x - center[1])
        labels[z][distance < 15 - z] = 2
        labels[z][distance < 10 - z] = 1
    image = np.array([300, 900, 500])[labels] + rng.normal(0, 40, labels.shape)
    return image.astype(np.int16), labels


def write_data(folder):
    """Ten patients in three groups, two phases each, as NIfTI with cases.csv."""
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    rows = []
    for index, group in enumerate(GROUPS):
        for phase in (1, 8):
            name = f"patient{index:03d}_frame{phase:02d}"
            for kind, voxels in zip(("images", "labels"), stack(100 * index + phase)):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine), folder / kind / f"{name}.nii.gz")
            rows.append({"patient": f"patient{index:03d}", "case": name, "group": group})
    with open(folder / "cases.csv", "w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_recipe(folder):
    """The cardiac recipe with a network for small patches and two labels."""
    model = yaml.safe_load((HERE / "cardiac.yaml").read_text())
    model["network"] |= {"patch": [16, 32, 32], "classes": 3, "dims": [8, 16, 32, 64]}
    model["preprocessing"]["spacing"] = [5, 1.5, 1.5]
    model["labels"] = model["labels"][:2]
    options = yaml.safe_load((HERE / "cardiac.training.yaml").read_text())
    options |= {"split": str(folder / "split.json"), "columns": ["cavity", "wall"]}
    options["unet"] = {"width": 4, "widest": 12, "strides": [[1, 2, 2], [2, 2, 2], [2, 2, 2]]}
    (folder / "small.yaml").write_text(yaml.safe_dump(model))
    (folder / "small.training.yaml").write_text(yaml.safe_dump(options))
    return Recipe(folder / "small")


def check_split(recipe, data):
    training, held_out = recipe.cases(data)
    check("every case is on one side", len(training) == 16 and len(held_out) == 4 and not set(training) & set(held_out))
    patients = {patient_of(name) for name in held_out}
    check("both phases of a patient are on one side", not patients & {patient_of(name) for name in training})
    check("the held-out patients are of different groups", len({GROUPS[int(name[-3:])] for name in patients}) == 2)
    check("a split that exists is kept", recipe.cases(data) == (training, held_out))


def check_resampling():
    image, labels = stack(1)
    finer = resample(image.astype(np.float32), SPACING, (5, 1.5, 1.5))
    check("slices far apart are repeated", finer.shape[0] == 18 and np.array_equal(finer[::2], image)
          and np.array_equal(finer[1::2], image))
    there = resample_labels(labels, SPACING, (5, 1.25, 1.25))
    back = resample_labels(there, (5, 1.25, 1.25), SPACING, labels.shape)
    check("labels survive the way there and back", (back != labels).mean() < 0.01, f"{(back != labels).mean():.4f} differ")
    cubic = resample(image.astype(np.float32), SPACING, (10, 1.0, 1.0))
    check("no overshoot", cubic.min() >= image.min() and cubic.max() <= image.max())
    ball = np.linalg.norm(np.mgrid[:20, :20, :20] - 9.5, axis=0) < 7
    volume = resample_labels(ball.astype(np.uint8), (1, 1, 1), (0.5, 0.5, 0.5)).sum() / 8
    check("volume of a resampled ball", abs(volume / ball.sum() - 1) < 0.02, f"{volume:.0f} of {ball.sum()} mm3")


def check_loss():
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (2, 16, 32, 32)))
    levels = [labels, labels[:, :, ::4, ::4], labels[:, ::2, ::8, ::8]]  # stem (1, 4, 4), then stages halve every axis
    perfect = [30.0 * F.one_hot(level, 3).movedim(-1, 1).float() for level in levels]
    check("the loss of perfect logits", loss_of(perfect, labels).item() < 1e-3, f"{loss_of(perfect, labels).item():.1e}")
    for wrong in range(3):
        spoilt = [-logits if index == wrong else logits for index, logits in enumerate(perfect)]
        check(f"a wrong level {wrong} is felt", loss_of(spoilt, labels).item() > 1)


def check_augmentation(recipe, data):
    name = recipe.cases(data)[0][0]
    case = StackAugmentation.prepare(recipe, *recipe.read(data, name))
    augmentation = StackAugmentation(recipe)
    draw = lambda seed: augmentation(case, np.random.default_rng((1, seed)))
    first, second = draw(3), draw(3)
    check("the same seed gives the same patch", all(torch.equal(a, b) for a, b in zip(first, second)))
    drawn = [draw(seed) for seed in range(60)]
    check("other seeds give others", not any(torch.equal(first[0], image) for image, _ in drawn[4:]))
    check("patches are finite and labels known",
          all(image.isfinite().all() and set(labels.unique().tolist()) <= {0, 1, 2} for image, labels in drawn))
    wall, cavity = (torch.cat([image[0][labels == label] for image, labels in drawn]).mean() for label in (2, 1))
    rest = torch.cat([image[0][labels == 0] for image, labels in drawn]).mean()
    check("labels stay on what they name", cavity > wall + 0.5 > rest + 1, f"{cavity:.2f} {wall:.2f} {rest:.2f}")
    check_plain_patches(recipe, case)


def check_plain_patches(recipe, case):
    """Without any change a patch shows the stack's slices as the sliding window does, each twice at 10 and 5 mm."""
    augmentation = StackAugmentation(recipe)
    augmentation.options = {"mirror": [0, 0, 0], "foreground": 0, "beyondEnds": 0}
    patch = (slice(None), slice(20, 52), slice(12, 44))
    case = Stack(case.image[patch], case.labels[patch], case.step, case.box)
    image, labels = augmentation(case, np.random.default_rng(5))
    rows = [int((case.image.float() - plane).abs().amax((1, 2)).argmin()) for plane in image[0]]
    check("planes of an unchanged patch are slices", (image[0] - case.image[rows].float()).abs().max() < 1e-3, rows)
    check("its labels are theirs", torch.equal(labels, case.labels[rows].long()))
    steps = np.diff(rows)
    check("slices come in order, each twice", set(steps) == {0, 1} and rows[-1] - rows[0] in (7, 8))


def check_bad_input(recipe, data):
    """A spoilt case is refused with an error that names it."""
    name = case_names(data)[0]
    path = {kind: data / kind / f"{name}.nii.gz" for kind in ("images", "labels")}
    affine = nibabel.load(path["labels"]).affine
    image, labels = (nibabel.load(path[kind]).get_fdata().astype(np.float32) for kind in ("images", "labels"))
    for what, kind, voxels in (("another size", "labels", labels[:-1]), ("an unknown label", "labels", labels + 3),
                               ("a voxel that is no number", "images", np.where(labels > 0, np.nan, image))):
        whole = path[kind].read_bytes()
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), affine), path[kind])
        try:
            recipe.read(data, name)
            check(f"{what} is refused", False)
        except ValueError as error:
            check(f"{what} is refused", name in str(error), error)
        path[kind].write_bytes(whole)


def check_unet(recipe):
    """The plain U-Net of the recipes: sizes, kernels, levels; the small one's logits fit the loss."""
    for name, millions, grid in (("cardiac", 16.110, (4, 5, 5)), ("hippocampus", 8.821, (2, 3, 2))):
        described = Recipe(name)
        with torch.device("meta"):
            model = network_class("unet", described.options.get("unet"))(described.network)
        count = sum(p.numel() for p in model.parameters()) / 1e6
        check(f"size of the {name} U-Net", abs(count - millions) < 0.001 and model.grids[-1] == grid,
              f"{count:.3f} million parameters, coarsest grid {model.grids[-1]}")
    model = network_class("unet", recipe.options["unet"])(recipe.network, deep_supervision=True)
    check("slices are not mixed at full resolution", [level[0].kernel_size for level in model.down]
          == [(1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)])
    check("channels double up to the widest", [level[0].out_channels for level in model.down] == [4, 8, 12, 12])
    logits = model(torch.randn(1, 1, *recipe.network.patch))
    check("three levels in training", [tuple(level.shape[2:]) for level in logits] == model.grids[:3])
    loss_of(logits, torch.zeros(1, *recipe.network.patch, dtype=torch.long)).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    check("every weight has a gradient", not without, without)


def check_labels(recipe, data, folder):
    """The largest part stays, and what is written comes back on the same voxels."""
    labels = np.zeros((4, 6, 7), np.uint8)
    labels[:2, :3, :3], labels[2, 3, 3], labels[3, 5, 5:] = 1, 2, 2  # 18 voxels; one that touches a corner; two
    together, each = ([{"labels": group} for group in groups] for groups in ([[1, 2]], [[1], [2]]))
    check("the largest part of labels taken together",
          np.array_equal(keep_largest(labels, together, 1), labels * (labels == 1)))
    check("of each label", keep_largest(labels, each, 1).sum() == 18 + 2 * 2)
    check("parts of some volume may stay", keep_largest(labels, [{**together[0], "removeBelow": 6}], 3).sum() == 18 + 2 * 2)
    check("nothing stays nothing", not keep_largest(labels * 0, together, 1).any())
    name = case_names(data)[0]
    _, known, spacing = recipe.read(data, name)
    write_labels(folder / "written.nii.gz", known, data / "images" / f"{name}.nii.gz")
    found, written = read_volume(folder / "written.nii.gz", recipe.acquired)
    affines = [nibabel.load(path).affine for path in (folder / "written.nii.gz", data / "images" / f"{name}.nii.gz")]
    check("labels written are read as they were", np.array_equal(found, known) and written == spacing
          and np.array_equal(*affines))


def check_processes(recipe, data):
    names = recipe.cases(data)[0][:3]
    alone, by_two = (prepare_cases(StackAugmentation, recipe, data, names, workers) for workers in (0, 2))
    check("cases prepared by processes are the same, in order", all(
        torch.equal(a.image, b.image) and torch.equal(a.labels, b.labels) and a.step == b.step for a, b in zip(alone, by_two)))


def train(recipe, data, folder, *options, **keywords):
    command = [sys.executable, HERE / "train.py", "--recipe", recipe, "--data", data, "--folder", folder, "--steps", "40",
               "--evaluate-steps", "20", "--evaluate-cases", "1", *options]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, **keywords)


def state(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def same(one, other):
    return all(torch.equal(one[part][key], other[part][key]) for part in ("model", "average") for key in one[part])


def check_training(recipe, data, folder):
    whole, parts, killed = (folder / name for name in ("whole", "parts", "killed"))
    train(recipe, data, whole).wait()
    rows = list(csv.DictReader(open(whole / "loss.csv")))
    check("the loss falls", float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"]), [row["loss"] for row in rows])
    for stop in ("7", "20", "40"):
        train(recipe, data, parts, "--stop", stop).wait()
    check("a stopped training continues as if it had not stopped", same(state(whole), state(parts)))
    check("and so do its logs", logs(whole) == logs(parts))
    process = train(recipe, data, killed, "--store-seconds", "0")
    while not (killed / "loss.csv").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with open(killed / "loss.csv", "a") as file:
        file.write("39,1")  # a row that a kill cut short
    (killed / "dice.csv").touch()  # a log that it left empty
    check("a killed training has a checkpoint", state(killed)["step"] < 40, f"of step {state(killed)['step']}")
    train(recipe, data, killed).wait()
    check("and continues as if it had not been killed", same(state(whole), state(killed)) and
          logs(whole) == logs(killed))


def check_unet_training(recipe, data, folder):
    """The U-Net stops and resumes, too; a checkpoint of other sizes is refused and stays."""
    whole, parts = folder / "unet", folder / "unet-parts"
    train(recipe, data, whole, "--network", "unet").wait()
    for stop in ("25", "40"):
        train(recipe, data, parts, "--network", "unet", "--stop", stop).wait()
    check("a stopped U-Net continues as if it had not stopped", same(state(whole), state(parts)) and logs(whole) == logs(parts))
    before = (whole / "checkpoint.pt").read_bytes()
    for options in ((), ("--network", "unet", "--width", "6")):
        process = train(recipe, data, whole, *options, stderr=subprocess.PIPE, text=True)
        message = process.communicate()[1]
        check(f"another network is refused: {' '.join(options) or 'unetrpp'}", process.returncode == 1
              and "checkpoint.pt is of unet" in message and (whole / "checkpoint.pt").read_bytes() == before, message.strip())


def logs(folder):
    """Step and loss of every row, and the evaluations without their seconds."""
    return [[(row["step"], *(value for key, value in row.items() if key != "seconds"))
             for row in csv.DictReader(open(folder / log))] for log in ("loss.csv", "dice.csv")]


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_data(folder / "data")
        recipe = write_recipe(folder)
        check_split(recipe, folder / "data")
        check_resampling()
        check_loss()
        check_augmentation(recipe, folder / "data")
        check_bad_input(recipe, folder / "data")
        check_unet(recipe)
        check_labels(recipe, folder / "data", folder)
        check_processes(recipe, folder / "data")
        check_training(folder / "small", folder / "data", folder)
        check_unet_training(folder / "small", folder / "data", folder)
    sys.exit(f"failed: {', '.join(failures)}" if failures else 0)


if __name__ == "__main__":
    main()
