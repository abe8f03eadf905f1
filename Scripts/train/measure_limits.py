"""Measures the input and output limits of a bundle on the training cases and prints them for the recipe's `NAME.yaml`.

    python measure_limits.py --data ../../../shared/hippocampus
    python measure_limits.py --recipe cardiac --data ../../../shared/cardiac

The definitions are those of Sources/Segmentation/Limits. Printed: spacing and extent, then for each statistic of the
intensities least and most on the training cases, and on the held-out ones; the labels' volumes and their largest parts; of a
cine recipe the cavities' volumes and ejection fractions between a patient's two phases; last the pattern (block means of the
mean training volume) where --blocks asks for one. The limits are chosen by the training column alone; the other shows how many
of the held-out cases they would refuse.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from scipy import ndimage

from recipe import Recipe, patient_of


def blocks(image, counts):
    """Means over `counts` parts along z, y, x, mean 0 and length 1."""
    edges = [[k * size // count for k in range(count + 1)] for size, count in zip(image.shape, counts)]
    means = np.array([[[image[z0:z1, y0:y1, x0:x1].mean() for x0, x1 in zip(edges[2], edges[2][1:])]
                       for y0, y1 in zip(edges[1], edges[1][1:])] for z0, z1 in zip(edges[0], edges[0][1:])])
    means -= means.mean()
    return means / np.linalg.norm(means)


def correlation(found, pattern, mirror_axes):
    """The best over the mirrorings of the axes."""
    return max(float((np.flip(found, [axis for axis, bit in zip(mirror_axes, bits) if bit]) * pattern).sum())
               for bits in product((False, True), repeat=len(mirror_axes)))


def neighbours(centred, axis):
    moved = np.moveaxis(centred, axis, 0)
    return 2 * (moved[1:] * moved[:-1]).sum() / ((moved[1:] ** 2).sum() + (moved[:-1] ** 2).sum())


def statistics(image):
    image = image.astype(np.float64)
    mean, deviation = image.mean(), image.std()
    ranks = np.sort(image.ravel())
    low, middle, high = (ranks[(ranks.size - 1) * p // 100] for p in (1, 50, 99))
    return {
        "zeroFraction": float((image == 0).mean()),
        "coefficientOfVariation": float(deviation / mean) if mean > 0 else float("inf"),
        "skewness": float((((image - mean) / deviation) ** 3).mean()),
        "medianPosition": float((middle - low) / (high - low)) if high > low else 0.0,
        "neighbourCorrelation": float(np.mean([neighbours(image - mean, axis) for axis in range(3)])),
    }


def labels_measured(labels, values, spacing):
    """Millilitres and the share of the largest part connected over faces, of each label."""
    result = []
    for value in values:
        parts, _ = ndimage.label(labels == value)
        sizes = np.bincount(parts.ravel())[1:]
        share = sizes.max() / sizes.sum() if sizes.size else 0.0
        result.append((sizes.sum() * np.prod(spacing) / 1000, share))
    return result


class Case:
    """What is kept of a training or held-out case."""

    def __init__(self, name, image, labels, spacing, values, counts):
        self.name, self.spacing = name, np.array(spacing)
        self.extent = self.spacing * image.shape
        self.figures = statistics(image)
        self.blocks = blocks(image.astype(np.float64), counts) if counts else None
        self.labels = labels_measured(labels, values, spacing)


def show_ranges(parts):
    """Spacing, extent and the statistics: least and most of either part."""
    def line(name, of):
        ranges = [f"{min(map(of, cases)):.3f} {max(map(of, cases)):.3f}" for cases in parts.values()]
        print(f"{name:24s} {ranges[0]:19s} {ranges[1]}")

    print(f"{'':24s} {'training':19s} held out")
    for axis, name in enumerate("zyx"):
        line(f"spacing {name} (mm)", lambda case: case.spacing[axis])
        line(f"extent {name} (mm)", lambda case: case.extent[axis])
    for name in parts["training"][0].figures:
        line(name, lambda case: case.figures[name])


def show_labels(columns, cases):
    for index, column in enumerate(columns):
        volumes, shares = zip(*(case.labels[index] for case in cases))
        print(f"{column}: {min(volumes):.2f} to {max(volumes):.2f} ml, largest part at least {min(shares):.3f}")


def show_cycle(cavities, recipe, cases):
    """A patient's two phases: the larger volume of the first cavity is end-diastolic."""
    patients = {}
    for case in cases:
        patients.setdefault(patient_of(case.name), []).append([volume for volume, _ in case.labels])
    indices = [recipe.labels.index(value) for value in cavities]
    pairs = [sorted(phases, key=lambda volumes: -volumes[indices[0]]) for phases in patients.values() if len(phases) == 2]
    for index in indices:
        diastolic, systolic = np.array([[pair[0][index], pair[1][index]] for pair in pairs]).T
        fraction = 1 - systolic / diastolic
        print(f"{recipe.columns[index]}: end-diastolic {diastolic.min():.1f} to {diastolic.max():.1f} ml, ejection fraction "
              f"{fraction.min():.3f} to {fraction.max():.3f} ({len(pairs)} patients)")


def show_pattern(parts, mirror_axes, counts):
    pattern = np.mean([case.blocks for case in parts["training"]], axis=0)
    pattern = pattern / np.linalg.norm(pattern)
    for part, cases in parts.items():
        found = [correlation(case.blocks, pattern, mirror_axes) for case in cases]
        print(f"patternCorrelation, {part}: {min(found):.3f} {max(found):.3f}")
    print("pattern:")
    print(f"  shape: {list(counts)}")
    print("  values: [" + ", ".join(f"{value:.3f}" for value in pattern.ravel()) + "]")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="hippocampus")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--blocks", type=int, nargs=3, metavar=("Z", "Y", "X"), help="print the pattern of so many blocks")
    a = parser.parse_args()
    recipe = Recipe(a.recipe)
    model = yaml.safe_load(recipe.model_file.read_text())
    parts = {part: [Case(name, *recipe.read(a.data, name), recipe.labels, a.blocks) for name in names]
             for part, names in zip(("training", "heldOut"), recipe.cases(a.data))}
    show_ranges(parts)
    show_labels(recipe.columns, parts["training"])
    if "cine" in model:
        show_cycle(model["cine"]["cavities"], recipe, parts["training"])
    if a.blocks:
        show_pattern(parts, model["inference"]["mirrorAxes"], a.blocks)


if __name__ == "__main__":
    main()
