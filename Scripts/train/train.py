"""Trains UNETR++ on the labelled hippocampus volumes of the Medical Segmentation Decathlon (Task04).

    python train.py --data ../../../shared/hippocampus --folder ~/hippocampus-training [--steps 9000]
                    [--network unet] [--deadline 2026-11-23T14:14]

Split: `split.json` names the held-out fifth; it was drawn once by `make_split` below. Every step seeds its own random
numbers, so a run that was stopped continues from `checkpoint.pt` in the folder as if nothing had happened. The learning
rate falls polynomially (power 0.9) with the steps or, where a deadline is given, with the part of the time that is used
up, whichever is further; `loss.csv` keeps step, seconds, learning rate and loss, `dice.csv` the Dice of the averaged
weights on some held-out cases. An accelerator is used when present. On CPUs one thread is best: a step of this small
network with two threads costs twice the processor time of one with a single thread, so `train.sh` gives the second core
to the plain 3D U-Net that is trained beside it.
"""

import argparse
import csv
import json
import os
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml

from metrics import dice
from pipeline import case_names, nonzero_box, normalise, read_nifti, segment
from unet import UNet
from unetrpp import UNETRPP, Description

HERE = Path(__file__).parent
LABELS = (1, 2)
NETWORKS = {"unetrpp": UNETRPP, "unet": UNet}


def make_split(names, seed=20261123):
    """The held-out fifth: the first fifth of a seeded permutation of the sorted case names."""
    order = np.random.default_rng(seed).permutation(len(names))
    held_out = sorted(names[i] for i in order[: len(names) // 5])
    return {"seed": seed, "heldOut": held_out, "training": [n for n in names if n not in set(held_out)]}


def load_case(data, name):
    """Image (normalised) and labels as (3, z, y, x) float32: image, label 1, label 2."""
    image = read_nifti(Path(data) / "images" / f"{name}.nii.gz")
    labels = read_nifti(Path(data) / "labels" / f"{name}.nii.gz")
    box = nonzero_box(image)
    planes = [normalise(image[box])] + [(labels[box] == label).astype(np.float32) for label in LABELS]
    return torch.from_numpy(np.stack(planes))


class Augmentation:
    """Draws patches: position, rotation, scaling, mirroring, then intensity changes, in the manner of nnU-Net."""

    def __init__(self, patch, mirror_x=0.3):
        self.patch, self.mirror_x = patch, mirror_x

    def __call__(self, case, rng):
        patch = self.spatial(case, rng)
        if rng.random() < self.mirror_x:  # left and right hippocampus are mirror images
            patch = patch.flip(-1)
        labels = torch.where(patch[2] > 0.5, 2, torch.where(patch[1] > 0.5, 1, 0))
        # a voxel shared by both labels belongs to the larger part, if together they fill half of it
        both = (patch[1] + patch[2] > 0.5) & (labels == 0)
        labels = torch.where(both, torch.where(patch[2] > patch[1], 2, 1), labels)
        return self.intensity(patch[:1], rng), labels

    def spatial(self, case, rng):
        size = np.array(case.shape[1:])
        patch = np.array(self.patch)
        spare = size - patch
        # tiles start anywhere in a larger volume; a smaller one lies in the middle, give or take two voxels
        start = np.where(spare > 0, rng.integers(0, np.maximum(spare, 0) + 1),
                         spare // 2 + rng.integers(-2, 3, 3))
        if rng.random() < 0.5:
            return self.slice(case, start)
        matrix = np.eye(3)
        if rng.random() < 0.7:
            for a, b in ((0, 1), (0, 2), (1, 2)):
                angle = np.deg2rad(rng.uniform(-20, 20))
                turn = np.eye(3)
                turn[a, a] = turn[b, b] = np.cos(angle)
                turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
                matrix = matrix @ turn
        if rng.random() < 0.7:
            matrix = matrix * rng.uniform(0.8, 1.2) * rng.uniform(0.9, 1.1, 3)
        # positions of the patch's voxels in the volume, in grid_sample's units and order (x, y, z)
        center = start + (patch - 1) / 2
        theta = np.zeros((3, 4))
        theta[:, :3] = matrix[::-1, ::-1] * patch[::-1][None] / size[::-1][:, None]
        theta[:, 3] = ((2 * center + 1) / size - 1)[::-1]
        grid = F.affine_grid(torch.tensor(theta[None], dtype=torch.float32), (1, 1, *self.patch), False)
        return F.grid_sample(case[None], grid, align_corners=False)[0]

    def slice(self, case, start):
        result = torch.zeros(case.shape[0], *self.patch)
        inside = [slice(max(0, s), min(n, s + p)) for s, n, p in zip(start, case.shape[1:], self.patch)]
        target = [slice(i.start - s, i.stop - s) for i, s in zip(inside, start)]
        result[(slice(None), *target)] = case[(slice(None), *inside)]
        return result

    def intensity(self, x, rng):
        seed = torch.Generator().manual_seed(int(rng.integers(2**62)))
        if rng.random() < 0.15:
            x = x + float(rng.uniform(0.05, 0.3)) * torch.randn(x.shape, generator=seed)
        if rng.random() < 0.15:
            x = blur(x, float(rng.uniform(0.4, 0.9)))
        if rng.random() < 0.15:
            factor = float(rng.uniform(0.5, 0.9))
            small = F.interpolate(x[None], scale_factor=factor, mode="nearest")
            x = F.interpolate(small, size=x.shape[1:], mode="trilinear")[0]
        if rng.random() < 0.3:
            x = x * float(rng.uniform(0.75, 1.25)) + float(rng.normal(0, 0.1))
        if rng.random() < 0.3:
            low, spread = x.min(), x.max() - x.min() + 1e-6
            mean, sd = x.mean(), x.std()
            x = ((x - low) / spread) ** float(np.exp(rng.uniform(-0.4, 0.4)))
            x = (x - x.mean()) / (x.std() + 1e-6) * sd + mean
        return x


def blur(x, sigma):
    """Gaussian blur of (1, D, H, W) with a kernel of five voxels."""
    kernel = torch.exp(-torch.arange(-2.0, 3.0) ** 2 / (2 * sigma**2))
    kernel /= kernel.sum()
    x = x[None]
    for shape, pad in (((5, 1, 1), (2, 0, 0)), ((1, 5, 1), (0, 2, 0)), ((1, 1, 5), (0, 0, 2))):
        x = F.conv3d(x, kernel.reshape(1, 1, *shape), padding=pad)
    return x[0]


def loss_of(logits, labels):
    """Cross-entropy plus soft Dice over the foreground classes of the whole batch, averaged over the resolutions."""
    total, weights = 0.0, (1.0, 0.5, 0.25)
    for weight, level in zip(weights, logits):
        level = level.float()
        stride = labels.shape[-1] // level.shape[-1]
        target = labels[:, ::stride, ::stride, ::stride]
        probability = level.softmax(1)[:, 1:]
        wanted = F.one_hot(target, level.shape[1]).movedim(-1, 1)[:, 1:].float()
        over = (0, 2, 3, 4)
        overlap = (2 * (probability * wanted).sum(over) + 1) / (probability.sum(over) + wanted.sum(over) + 1)
        total = total + weight * (F.cross_entropy(level, target) + 1 - overlap.mean())
    return total / sum(weights[: len(logits)])


def parameter_groups(model, decay):
    """Weight decay for matrices and kernels only."""
    kernels = [p for n, p in model.named_parameters() if p.ndim > 1 and "temperature" not in n and "pos_embed" not in n]
    chosen = set(map(id, kernels))
    return [{"params": kernels, "weight_decay": decay},
            {"params": [p for p in model.parameters() if id(p) not in chosen], "weight_decay": 0.0}]


class Average:
    """Exponential moving average of weights and running statistics."""

    def __init__(self, model, decay):
        self.decay = decay
        self.state = {key: value.clone() for key, value in model.state_dict().items()}

    def update(self, model, step):
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)


def keep_in_single_precision(module):
    """oneDNN's bfloat16 weight gradient is sometimes not finite on grids of two or three voxels (torch 2.13)."""
    forward = module.forward

    def without_autocast(x):
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float())

    module.forward = without_autocast


def save(path, content):
    """Writes to a neighbour first, so that a stop in between leaves the previous checkpoint whole."""
    torch.save(content, f"{path}.new")
    os.replace(f"{path}.new", path)


def append(path, header, row):
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(header)
        writer.writerow(row)


def forget_after(path, step):
    """Drops the rows of a log that a resumed training will write again."""
    if path.exists():
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *(row for row in rows if int(row.split(",")[0]) <= step)]) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="checkpoints and logs, outside the repository")
    parser.add_argument("--network", choices=NETWORKS, default="unetrpp")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--deadline", type=datetime.fromisoformat, help="local time at which the rate reaches zero")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=1e-2)
    parser.add_argument("--average", type=float, default=0.999)
    parser.add_argument("--evaluate-every", type=float, default=900, help="seconds between evaluations")
    parser.add_argument("--evaluate-cases", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_model(network, description, device):
    model = NETWORKS[network](description, deep_supervision=True).to(device)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout3d):
            module.p = 0.0  # a short training on a small network has no use for it
    if device == "cpu":
        smallest = [model.unetr_pp_encoder.stages[3]] if network == "unetrpp" else [model.down[4], model.up[3]]
        for module in smallest:
            keep_in_single_precision(module)
    return model


class Training:
    """The model, its averaged weights and the optimizer; stored in and continued from `checkpoint.pt`."""

    def __init__(self, a, description, device):
        self.a, self.device = a, device
        self.model = make_model(a.network, description, device)
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model, a.decay), a.rate, fused=True)
        self.average, self.step, self.used, self.started = Average(self.model, a.average), 0, 0.0, time.time()
        self.checkpoint = a.folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.restore()

    def restore(self):
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.state = saved["average"]
        self.step, self.used, self.started = saved["step"], saved["used"], saved["started"]
        for log in ("loss.csv", "dice.csv"):
            forget_after(self.a.folder / log, self.step)
        print(f"continuing at step {self.step}", flush=True)

    def store(self):
        save(self.checkpoint, {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                               "step": self.step, "average": self.average.state, "used": self.used,
                               "started": self.started, "network": self.a.network})

    def progress(self):
        """The part of the training that is done, by steps or by time."""
        done = self.step / self.a.steps
        if self.a.deadline:
            done = max(done, (time.time() - self.started) / (self.a.deadline.timestamp() - self.started))
        return done

    def train_step(self, cases, augmentation):
        """One step at the rate that the progress asks for; the loss and the rate."""
        warmup = min(1, (self.step + 1) / 50)
        rate = self.a.rate * max(0, 1 - self.progress()) ** 0.9 * warmup
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng((self.a.seed, self.step, 0))
        drawn = [augmentation(cases[i], rng) for i in rng.choice(len(cases), self.a.batch, replace=False)]
        x = torch.stack([image for image, _ in drawn]).to(self.device)
        labels = torch.stack([target for _, target in drawn]).to(self.device)
        self.model.train()
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.model(x)
        loss = loss_of(logits, labels)
        loss.backward()
        if torch.nn.utils.clip_grad_norm_(self.model.parameters(), 12).isfinite():
            self.optimizer.step()
        else:
            print(f"step {self.step}: a gradient is not finite, weights kept", flush=True)
        self.optimizer.zero_grad()
        self.average.update(self.model, self.step)
        self.step += 1
        return loss.item(), rate


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.folder.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    split_file = HERE / "split.json"
    if not split_file.exists():
        split_file.write_text(json.dumps(make_split(case_names(a.data)), indent=1) + "\n")
    split = json.loads(split_file.read_text())
    description = Description.from_yaml(yaml.safe_load((HERE / "hippocampus.yaml").read_text())["network"])
    cases = [load_case(a.data, name) for name in split["training"]]
    training, augmentation, losses = Training(a, description, device), Augmentation(description.patch), []
    begun = time.time() - training.used
    last_save = last_evaluation = time.time()
    while training.progress() < 1:
        loss, rate = training.train_step(cases, augmentation)
        training.used = time.time() - begun
        losses.append(loss)
        if training.step % 20 == 0:
            append(a.folder / "loss.csv", ["step", "seconds", "rate", "loss"],
                   [training.step, round(training.used), f"{rate:.2e}", f"{np.mean(losses):.4f}"])
            losses = []
        if time.time() - last_save > 100:
            training.store()
            last_save = time.time()
        if time.time() - last_evaluation > a.evaluate_every:
            evaluate(a, split, description, training)
            last_evaluation = time.time()
    training.store()
    evaluate(a, split, description, training)
    print(f"finished at step {training.step}", flush=True)


def evaluate(a, split, description, training):
    """Dice of the averaged weights on the first held-out cases (of a fixed random order)."""
    model = NETWORKS[a.network](description).cpu()
    model.load_state_dict(training.average.state, strict=False)
    model.eval()
    names = np.random.default_rng(0).permutation(split["heldOut"])[: a.evaluate_cases]
    scores = []
    for name in names:
        image, labels = (read_nifti(a.data / kind / f"{name}.nii.gz") for kind in ("images", "labels"))
        found = segment(model, image, description.patch, autocast=True)
        scores.append([dice(found == label, labels == label) for label in LABELS])
    mean = np.mean(scores, 0)
    append(a.folder / "dice.csv", ["step", "seconds", "anterior", "posterior", "worst"],
           [training.step, round(training.used), *(f"{m:.4f}" for m in mean), f"{np.min(scores):.4f}"])
    print(f"step {training.step}, {training.used:.0f} s: Dice {mean.round(4)}, worst {np.min(scores):.3f}", flush=True)


if __name__ == "__main__":
    main()
