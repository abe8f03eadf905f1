"""Golden gradients and training steps of small networks from PyTorch, for Tests/TrainingTests.

    python make_training_goldens.py ../../Fixtures/golden/training

`gradients_KIND.safetensors` for a small network of each kind of block, computed in double: `gradient.NAME` of every
parameter for a batch of two and made-up gradients of all logits, `running.NAME` the running statistics after it,
`logits.0`...`2` some of the logits. `steps_KIND.safetensors`: whole training steps in single precision with the loss of
train.py and clipping at 12 (`sgd`: Nesterov, `adamw`): `RULE.losses`, and `RULE.STEP` some values of every tensor after 1, 10
and 50 steps. The metadata says how far PyTorch is from itself: the gradients in single precision from those in double (the
largest and the median relative distance of a tensor); the steps with another order of memory (channels last), whose sums round differently, as the
distance of all values relative to how far they moved.
Weights, images and labels follow from names by rule SM64-v1 (check_golden.py), so that they need not be stored.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from check_golden import stream
from train import loss_of, parameter_groups
from unetrpp import UNETRPP, Description

BATCH, STEPS, SAMPLES = 2, (1, 10, 50), 40
SHAPES = {"synapse": ((16, 32, 64), 1, 5, (2, 4, 4)), "acdc": ((8, 32, 64), 1, 4, (1, 4, 4)),
          "lung": ((16, 32, 32), 1, 2, (1, 4, 4)), "tumor": ((32, 32, 64), 4, 4, (4, 4, 4))}
RULES = {"sgd": lambda model: torch.optim.SGD(model.parameters(), 1e-4, momentum=0.99, nesterov=True, weight_decay=3e-5),
         "adamw": lambda model: torch.optim.AdamW(parameter_groups(model, 1e-2), 1e-4)}


def description(kind):
    patch, channels, classes, stem = SHAPES[kind]
    return Description(kind, patch, channels, classes, stem, feature_size=4, dims=(8, 8, 16, 16), depths=(1, 1, 1, 1),
                       decoder_depths=(1, 1, 1), projections=(8, 8, 4, 2), decoder_projections=(8, 8, 8))


def weight(name, shape):
    """A tensor by its name: of the size that keeps activations near 1, none of them 0 or 1 throughout."""
    last = name.rsplit(".", 1)[-1]
    center, scale = {"gamma": (0.5, 0.25), "temperature": (2.0, 1.0), "temperature2": (8.0, 4.0), "pos_embed": (0.0, 0.5),
                     "bias": (0.0, 0.25), "running_mean": (0.0, 0.25), "running_var": (1.0, 0.5),
                     "EF": (0.0, 1.5 / shape[0] ** 0.5)}.get(last, (0.0, 0.0))
    if scale == 0:
        fan = shape[0] if "transp_conv" in name else np.prod(shape[1:])
        center, scale = (1.0, 0.25) if len(shape) == 1 else (0.0, 1.5 / float(fan) ** 0.5)
    values = (center + scale * stream(name, int(np.prod(shape)))).astype(np.float32)
    return torch.from_numpy(values).reshape(shape)


def network(kind, dtype):
    model = UNETRPP(description(kind), deep_supervision=True)
    shared = kind == "synapse"  # F is a second name of E
    state = {name: weight(name.replace(".F.", ".E.") if shared else name, tuple(value.shape))
             for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    model.load_state_dict(state, strict=False)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout3d):
            module.p = 0.0
    return model.to(dtype).train()


def batch(kind, step):
    """Images and labels: a box for each class, brighter than the noise around it."""
    (depth, height, width), channels, classes, _ = SHAPES[kind]
    labels = np.zeros((BATCH, depth, height, width), np.int64)
    for sample in range(BATCH):
        for label in range(1, classes):
            places = stream(f"labels.{step}.{sample}.{label}", 3)
            z, y, x = (int((e + 1) * size / 4) for e, size in zip(places, (depth, height, width)))
            labels[sample, z:z + depth // 2, y:y + height // 2, x:x + width // 2] = label
    noise = stream(f"images.{step}", BATCH * channels * depth * height * width)
    images = noise.reshape(BATCH, channels, depth, height, width) + 0.5 * labels[:, None]
    return torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels)


def names(model):
    """Every tensor once, in ascending order of name."""
    shared = {".E.", ".F."} if model.description.blocks == "synapse" else set()
    return sorted(name for name, value in model.state_dict().items()
                  if value.is_floating_point() and not (shared and ".F." in name))


def gradients(kind, dtype):
    """Gradients, running statistics and logits for made-up gradients of the logits."""
    model = network(kind, dtype)
    images, _ = batch(kind, 0)
    logits = model(images.to(dtype))
    total = 0.0
    for level, values in enumerate(logits):
        wanted = torch.from_numpy(0.01 * stream(f"gradient.{level}", values.numel()).astype(np.float32))
        total = total + (values * wanted.reshape(values.shape).to(dtype)).sum()
    total.backward()
    found = {f"logits.{level}": sample(values.detach()) for level, values in enumerate(logits)}
    found |= {f"gradient.{name}": value.grad for name, value in model.named_parameters()}
    state = model.state_dict()
    return found | {f"running.{name}": state[name] for name in state if "running" in name}


def sample(values, count=SAMPLES):
    """Some of the values, at even distances; all of few."""
    flat = values.reshape(-1)
    if len(flat) <= count:
        return flat.clone()
    return flat[[i * len(flat) // count for i in range(count)]].clone()


def training(kind, rule, memory):
    """Losses, and some values of every tensor after some steps."""
    model = network(kind, torch.float32).to(memory_format=memory)
    optimizer = RULES[rule](model)
    losses, found = [], {}
    for step in range(max(STEPS)):
        images, labels = batch(kind, step)
        loss = loss_of(model(images.to(memory_format=memory)), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 12)
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in STEPS:
            state = model.state_dict()
            found[f"{rule}.{step + 1}"] = torch.cat([sample(state[name].contiguous()) for name in names(model)])
    return found | {f"{rule}.losses": torch.tensor(losses)}


def distance(found, wanted, start):
    return ((found.double() - wanted).norm() / (wanted - start).norm()).item()


def gradient_golden(kind):
    """Gradients in double, and the distance of PyTorch's single precision."""
    arrays, single = gradients(kind, torch.float64), gradients(kind, torch.float32)
    names = [name for name in arrays if name.startswith("gradient.")]
    # A gradient that cancels is known only as well as the sums that cancel: 1 % of a typical one is added.
    typical = np.median([arrays[name].norm().item() for name in names])
    errors = [(single[name].double() - arrays[name]).norm().item() / (arrays[name].norm().item() + 0.01 * typical)
              for name in names]
    return arrays, {"largest": f"{max(errors):.2e}", "median": f"{np.median(errors):.2e}"}


def step_golden(kind):
    """Weights after steps, and the distance of PyTorch from itself."""
    model = network(kind, torch.float32)
    start = torch.cat([sample(model.state_dict()[name]) for name in names(model)])
    arrays, texts = {}, {}
    for rule in RULES:
        wanted, other = (training(kind, rule, memory) for memory in (torch.contiguous_format, torch.channels_last_3d))
        arrays |= wanted
        for name in (f"{rule}.{step}" for step in STEPS):
            texts[name] = f"{distance(other[name], wanted[name], start):.2e}"
        texts[f"{rule}.losses"] = f"{(other[f'{rule}.losses'] - wanted[f'{rule}.losses']).abs().max().item():.2e}"
    return arrays, texts


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, golden in (("gradients", gradient_golden), ("steps", step_golden)):
        for kind in SHAPES:
            arrays, texts = golden(kind)
            arrays = {key: value.float().contiguous() for key, value in arrays.items()}
            save_file(arrays, folder / f"{name}_{kind}.safetensors", metadata=texts)
            print(name, kind, texts, flush=True)


if __name__ == "__main__":
    main()
