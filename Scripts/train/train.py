"""Trains UNETR++ by a recipe: `hippocampus` (Medical Segmentation Decathlon, Task04) or `cardiac` (ACDC).

    python train.py --data ../../../shared/hippocampus --folder ~/hippocampus-training [--steps 9000]
                    [--network unet] [--deadline 2026-11-23T14:14]
    python train.py --recipe cardiac --data ../../../shared/cardiac --folder ~/cardiac-training [--network unet [--width 32]]

Split: the recipe's file names what is held out; it was drawn once (recipe.py). Every step seeds its own random numbers,
so a run that was stopped, at whatever moment, continues from `checkpoint.pt` in the folder as if nothing had happened: the
same command continues it. The learning rate is held for the part of the training that the recipe says (`hold`), then
falls polynomially (power 0.9) with the steps or, where a deadline is given, with the part of the time that is used up,
whichever is further; `loss.csv` keeps step, seconds, learning rate and loss, `dice.csv` the Dice of the averaged weights
on some held-out cases. An accelerator is used when present. On CPUs one thread is best for the small hippocampus network:
a step with two threads costs twice the processor time of one with a single thread, so `train.sh` gives the second core
to the plain 3D U-Net that is trained along with it. An accelerator needs `--workers` processes that draw its patches.
"""

import argparse
import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import augmentation
from accelerator import Batches, GraphedStep, prepare_cases
from metrics import dice
from networks import NAMES, network_class
from pipeline import segment
from recipe import Recipe
from unetrpp import UNETRPP


def loss_of(logits, labels):
    """Cross-entropy plus soft Dice over the foreground classes of the whole batch, averaged over the resolutions."""
    total, weights = 0.0, (1.0, 0.5, 0.25)
    for weight, level in zip(weights, logits):
        level = level.float()
        z, y, x = (fine // coarse for fine, coarse in zip(labels.shape[1:], level.shape[2:]))
        target = labels[:, ::z, ::y, ::x]
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
        floating = [(self.state[key], value) for key, value in model.state_dict().items() if value.is_floating_point()]
        torch._foreach_lerp_(*map(list, zip(*floating)), 1 - decay)


def keep_in_single_precision(module):
    """oneDNN's bfloat16 weight gradient is sometimes not finite on grids of two or three voxels (torch 2.13)."""
    forward = module.forward

    def without_autocast(x):
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float())

    module.forward = without_autocast


def save(path, content):
    """Writes to a neighbour first, so that a stop (or a full disk) in between leaves the previous checkpoint whole."""
    with open(f"{path}.new", "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def append(path, header, row):
    """Adds a row to a log in one write, with the header where there is none."""
    rows = [row] if path.exists() else [header, row]
    with open(path, "a") as file:
        file.write("".join(",".join(map(str, entries)) + "\n" for entries in rows))


def rows_of(path):
    """Header and rows of a log as whole lines; a row that a stop cut short is left out, an empty log has no header."""
    lines = path.read_bytes().decode().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def step_of(row):
    return int(row.split(",")[0])


def forget_after(path, step):
    """Drops the rows of a log that a resumed training will write again."""
    whole = rows_of(path)[:1] + [row for row in rows_of(path)[1:] if step_of(row) <= step]
    if len(whole) < 2:  # the next row brings its header
        path.unlink(missing_ok=True)
        return
    replacement = path.with_suffix(".new")
    replacement.write_bytes("".join(whole).encode())
    os.replace(replacement, path)


def arguments():
    """The command line's options, by default those of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="hippocampus", help="NAME of NAME.yaml and NAME.training.yaml")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="checkpoints and logs, outside the repository")
    parser.add_argument("--network", choices=NAMES, default="unetrpp")
    parser.add_argument("--width", type=int, help="channels of the plain U-Net at full resolution, if not the recipe's")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--deadline", type=datetime.fromisoformat, help="local time at which the rate reaches zero")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--hold", type=float, default=0.0, help="part of the training before the rate falls, below 1")
    parser.add_argument("--decay", type=float, default=1e-2)
    parser.add_argument("--average", type=float, default=0.999)
    parser.add_argument("--store-seconds", type=float, default=100, help="seconds between checkpoints")
    parser.add_argument("--evaluate-seconds", type=float, help="seconds between evaluations")
    parser.add_argument("--evaluate-steps", type=int, help="steps between evaluations")
    parser.add_argument("--evaluate-cases", type=int, default=12)
    parser.add_argument("--stop", type=int, help="stop after this step, as a kill would (to try resuming)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw patches, for an accelerator")
    recipe = Recipe(parser.parse_known_args()[0].recipe)
    names = {"evaluateSeconds": "evaluate_seconds", "evaluateSteps": "evaluate_steps", "evaluateCases": "evaluate_cases",
             "storeSeconds": "store_seconds"}
    parser.set_defaults(**{names.get(key, key): value for key, value in recipe.options.items()
                           if key not in ("split", "splitSeed", "splitByPatient", "columns", "cases", "augmentation", "unet")})
    a = parser.parse_args()
    if a.width is not None and (a.network != "unet" or a.width < 1):
        parser.error("--width is of --network unet and at least 1")
    a.unet = {**recipe.options.get("unet", {}), **({"width": a.width} if a.width else {})} if a.network == "unet" else None
    return a, recipe


def bfloat16_helps(device):
    """Whether the processor multiplies in bfloat16; where it only emulates that, single precision is faster."""
    if device != "cpu":
        return True
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def on_small_grids(model, description):
    """The modules whose grid measures three voxels or fewer along an axis."""
    if isinstance(model, UNETRPP):
        return [stage for i, stage in enumerate(model.unetr_pp_encoder.stages) if min(description.grid(i)) <= 3]
    small = [i for i, grid in enumerate(model.grids) if min(grid) <= 3]
    return [module for i in small for module in (model.down[i], model.up[i - 1], *model.merge[i : i + 1])]


def make_model(network, description, device):
    """`network`: what makes the network from a description (network_class)."""
    model = network(description, deep_supervision=True).to(device)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout3d):
            module.p = 0.0  # a short training on a small network has no use for it
    if device == "cpu":
        for module in on_small_grids(model, description):
            keep_in_single_precision(module)
    else:
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        model.compile()  # a minute at the first step; 17 ms instead of 31 for each further one of the cardiac recipe (H200)
    return model


class Training:
    """The model, its averaged weights and the optimizer; stored in and continued from `checkpoint.pt`."""

    def __init__(self, a, description, device):
        self.a, self.device, self.half = a, device, bfloat16_helps(device)
        self.model = make_model(network_class(a.network, a.unet), description, device)
        rate = a.rate if device == "cpu" else torch.tensor(a.rate, device=device)  # one that a graph reads anew
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model, a.decay), rate, fused=True,
                                           capturable=device != "cpu")
        self.learn = self.learn_from if device == "cpu" else GraphedStep(self.learn_from)
        self.average, self.step, self.used, self.started = Average(self.model, a.average), 0, 0.0, time.time()
        self.losses = []  # of the steps that loss.csv does not have yet
        self.checkpoint = a.folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.restore()

    def restore(self):
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if saved.get("network", "unetrpp") != self.a.network or (saved.get("unet") or {}) != (self.a.unet or {}):
            sys.exit(f"{self.checkpoint} is of {saved.get('network', 'unetrpp')} {saved.get('unet') or ''}, "
                     f"not of {self.a.network} {self.a.unet or ''}")
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.state = saved["average"]
        self.step, self.used, self.started = saved["step"], saved["used"], saved["started"]
        self.losses = list(map(torch.tensor, saved.get("losses", [])))
        for log in ("loss.csv", "dice.csv"):
            forget_after(self.a.folder / log, self.step)
        print(f"continuing at step {self.step}", flush=True)

    def store(self):
        """Writes the checkpoint; where it cannot be written, or a weight is not finite, the last good one stays."""
        if not all(value.isfinite().all() for value in self.average.state.values() if value.is_floating_point()):
            sys.exit(f"step {self.step}: a weight is not finite; {self.checkpoint} holds the last good ones")
        try:
            self.write()
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError where the disk is full
            Path(f"{self.checkpoint}.new").unlink(missing_ok=True)
            print(f"step {self.step}: the checkpoint was not written, the last one stays: {error}", flush=True)

    def write(self):
        save(self.checkpoint, {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                               "step": self.step, "average": self.average.state, "used": self.used,
                               "started": self.started, "network": self.a.network, "unet": self.a.unet,
                               "losses": [float(loss) for loss in self.losses]})

    def progress(self):
        """The part of the training that is done, by steps or by time."""
        done = self.step / self.a.steps
        if self.a.deadline:
            done = max(done, (time.time() - self.started) / (self.a.deadline.timestamp() - self.started))
        return done

    def mean_loss(self):
        """Of the steps since it was last asked for; on an accelerator, which does not skip a step, it has to be finite."""
        mean = float(np.mean([float(loss) for loss in self.losses]))
        if self.device != "cpu" and not np.isfinite(mean):
            sys.exit(f"step {self.step}: the loss is not finite; {self.checkpoint} holds the last good weights")
        self.losses = []
        return mean

    def train_step(self, x, labels):
        """One step at the rate that the progress asks for; the loss, on the device, and the rate."""
        warmup = min(1, (self.step + 1) / 50)
        left = min(1, max(0, 1 - self.progress()) / (1 - self.a.hold))
        rate = self.a.rate * left**0.9 * warmup
        for group in self.optimizer.param_groups:
            if self.device == "cpu":
                group["lr"] = rate
            else:
                group["lr"].fill_(rate)
        self.model.train()
        loss = self.learn(x, labels)
        if self.device == "cpu" and not loss.isfinite():  # the running statistics of the normalisations may have taken it in
            self.model.load_state_dict({**self.model.state_dict(), **{name: self.average.state[name] for name, _ in
                                                                      self.model.named_buffers()}})
            print(f"step {self.step}: the loss is not finite, weights kept", flush=True)
        else:
            self.average.update(self.model, self.step)
        self.step += 1
        return loss, rate

    def learn_from(self, x, labels):
        """The loss of a batch; the weights take its gradient in, where both are finite (on an accelerator in any case)."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half, cache_enabled=self.device == "cpu"):
            logits = self.model(x)
        loss = loss_of(logits, labels.long())
        if self.device == "cpu" and not loss.isfinite():
            return loss.detach()
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 12)
        if self.device != "cpu" or norm.isfinite():
            self.optimizer.step()
        else:
            print(f"step {self.step}: a gradient is not finite, weights kept", flush=True)
        return loss.detach()


class Run:
    """The loop over steps: logs, checkpoints, evaluations."""

    def __init__(self, a, recipe):
        self.a, self.recipe = a, recipe
        self.training_names, self.held_out = recipe.cases(a.data)
        kind = augmentation.KINDS[recipe.options["cases"]]
        cases = prepare_cases(kind, recipe, a.data, self.training_names, a.workers)
        self.training = Training(a, recipe.network, "cuda" if torch.cuda.is_available() else "cpu")
        self.batches = Batches(cases, kind(recipe), a.batch, a.seed)
        self.asked_to_stop = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.asked_to_stop = True

    def steps(self):
        """Trains to the end, or until the process is asked to stop; True at the end."""
        training, a = self.training, self.a
        if self.evaluation_due() and training.step not in map(step_of, rows_of(a.folder / "dice.csv")[1:]):
            self.evaluate()  # the stop came before the evaluation's end
        begun = time.time() - training.used
        last_save = last_evaluation = time.time()
        batches = self.batches.from_step(training.step, a.steps, a.workers, training.device != "cpu")
        while training.progress() < 1 and not self.asked_to_stop and training.step != a.stop:
            loss, rate = training.train_step(*next(batches))
            training.used = time.time() - begun
            training.losses.append(loss.clone())
            if training.step % 20 == 0:
                mean = training.mean_loss()
                append(a.folder / "loss.csv", ["step", "seconds", "rate", "loss"],
                       [training.step, round(training.used), f"{rate:.2e}", f"{mean:.4f}"])
            if time.time() - last_save > a.store_seconds:
                training.store()
                last_save = time.time()
            by_time = a.evaluate_seconds and time.time() - last_evaluation > a.evaluate_seconds
            if by_time or self.evaluation_due():
                training.store()
                self.evaluate()
                last_evaluation = time.time()
        training.store()
        return training.progress() >= 1

    def evaluation_due(self):
        """Whether this step is one of those after which the weights are evaluated."""
        return self.training.step > 0 and self.a.evaluate_steps and self.training.step % self.a.evaluate_steps == 0

    def evaluate(self):
        """Dice of the averaged weights on the first held-out cases (of a fixed random order)."""
        a, training, recipe = self.a, self.training, self.recipe
        model = network_class(a.network, a.unet)(recipe.network).to(training.device)
        model.load_state_dict(training.average.state, strict=False)
        model.eval()
        names = np.random.default_rng(0).permutation(self.held_out)[: a.evaluate_cases]
        scores = []
        for name in names:
            image, labels, spacing = recipe.read(a.data, name)
            found = segment(model, image, recipe.network.patch, autocast=training.half, spacing=spacing,
                            target=recipe.spacing)
            scores.append([dice(found == label, labels == label) for label in recipe.labels])
        mean = np.mean(scores, 0)
        append(a.folder / "dice.csv", ["step", "seconds", *recipe.columns, "worst"],
               [training.step, round(training.used), *(f"{m:.4f}" for m in mean), f"{np.min(scores):.4f}"])
        print(f"step {training.step}, {training.used:.0f} s: Dice {mean.round(4)}, worst {np.min(scores):.3f}", flush=True)


def main():
    a, recipe = arguments()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.folder.mkdir(parents=True, exist_ok=True)
    run = Run(a, recipe)
    if run.steps():
        run.evaluate()
        print(f"finished at step {run.training.step}", flush=True)


if __name__ == "__main__":
    main()
