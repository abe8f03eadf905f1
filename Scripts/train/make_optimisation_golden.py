"""Golden values of the loss and the optimisers from PyTorch, for Tests/TrainingTests.

    python make_optimisation_golden.py ../../Fixtures/golden/training

`loss.safetensors`: made-up logits at three resolutions and labels, the loss and its gradients: `recipe` is `loss_of` of
train.py, `reference` nnU-Net's Dice and cross-entropy written out here (`smooth` 1e-5, without background, for each sample;
targets at the centre of each coarse voxel). `optimisers.safetensors`: parameters after 1, 10 and 50 steps on made-up
gradients, clipped to a norm, and their moving averages. All numbers are seeded.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from train import loss_of

SHAPE, CLASSES, BATCH = (4, 16, 24), 4, 2
FACTORS = ((1, 1, 1), (1, 4, 4), (2, 8, 8))
STEPS = (1, 10, 50)


def reference_loss(logits, labels):
    """DC_and_CE_loss with deep supervision 1, 1/2, 1/4; plus 1, so that a perfect answer has loss 0."""
    total, weights = 0.0, (1.0, 0.5, 0.25)
    for weight, level, factors in zip(weights, logits, FACTORS):
        z, y, x = factors
        target = labels[:, z // 2 :: z, y // 2 :: y, x // 2 :: x]
        probability = level.softmax(1)
        wanted = F.one_hot(target, CLASSES).movedim(-1, 1).to(level.dtype)
        over = (2, 3, 4)
        true = (probability * wanted).sum(over)
        false_positive = (probability * (1 - wanted)).sum(over)
        false_negative = ((1 - probability) * wanted).sum(over)
        dice = (2 * true + 1e-5) / (2 * true + false_positive + false_negative + 1e-5 + 1e-8)
        total = total + weight * (F.cross_entropy(level, target) + 1 - dice[:, 1:].mean())
    return total / sum(weights[: len(logits)])


def loss_golden():
    generator = torch.Generator().manual_seed(11)
    labels = torch.zeros(BATCH, *SHAPE, dtype=torch.long)
    labels[:, 1:3, 3:13, 4:20] = torch.randint(0, CLASSES, (BATCH, 2, 10, 16), generator=generator)
    labels[1][labels[1] == 3] = 0  # a class that one sample lacks
    logits = [3 * torch.randn(BATCH, CLASSES, *(n // f for n, f in zip(SHAPE, factors)), generator=generator)
              for factors in FACTORS]
    logits[0][0, :, 0, 0, 0] = torch.tensor([0.0, 200.0, -30.0, 5.0])  # a probability far below what a float holds
    result = {"labels": labels.to(torch.uint8)} | {f"logits{i}": level for i, level in enumerate(logits)}
    for name, function in (("recipe", loss_of), ("reference", reference_loss)):
        for count in (1, 3):
            leaves = [level.double().requires_grad_() for level in logits[:count]]
            if name == "recipe":  # loss_of works in single precision
                leaves = [level.clone().requires_grad_() for level in logits[:count]]
            loss = function(leaves, labels)
            loss.backward()
            result[f"{name}{count}.loss"] = loss.detach().float().reshape(1)
            for i, leaf in enumerate(leaves):
                result[f"{name}{count}.gradient{i}"] = leaf.grad.float()
    return result


def run_optimiser(make, gradients, start, clip):
    """Parameters after some steps (decayed and not decayed in one vector) and the average."""
    half = len(start) // 2
    decayed, plain = start[:half].clone().requires_grad_(), start[half:].clone().requires_grad_()
    optimizer = make([{"params": [decayed]}, {"params": [plain], "weight_decay": 0.0}])
    average, found = start.clone(), {}
    for step, gradient in enumerate(gradients):
        decayed.grad, plain.grad = gradient[:half].clone(), gradient[half:].clone()
        if clip:
            torch.nn.utils.clip_grad_norm_([decayed, plain], clip)
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (1 - step / 100)
        optimizer.step()
        average.lerp_(torch.cat([decayed, plain]).detach(), 1 - min(0.9, (1 + step) / (10 + step)))
        if step + 1 in STEPS:
            found[f"values{step + 1}"] = torch.cat([decayed, plain]).detach().clone()
            found[f"average{step + 1}"] = average.clone()
    return found


def optimiser_golden():
    generator = torch.Generator().manual_seed(12)
    count = 200
    start = torch.randn(count, generator=generator)
    scale = torch.exp(2 * torch.randn(50, 1, generator=generator))
    gradients = scale * torch.randn(50, count, generator=generator)
    result = {"start": start, "gradients": gradients}
    rules = {"sgd": lambda p: torch.optim.SGD(p, 0.01, momentum=0.99, nesterov=True, weight_decay=3e-3),
             "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)}
    for name, make in rules.items():
        for clip in (0, 12):
            found = run_optimiser(make, gradients, start, clip)
            result |= {f"{name}{clip}.{key}": value for key, value in found.items()}
    return result


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, arrays in (("loss", loss_golden()), ("optimisers", optimiser_golden())):
        save_file({key: value.contiguous() for key, value in arrays.items()}, folder / f"{name}.safetensors")
        print(f"{name}: {len(arrays)} arrays")


if __name__ == "__main__":
    main()
