"""Measures the input and output limits of the bundle on the training volumes and prints them for hippocampus.yaml.

    python measure_limits.py --data ../../../shared/hippocampus

The definitions are those of Sources/Segmentation/IntensityStatistic.swift and OutputLimit.swift. Printed for each
statistic: least and most on the 192 training volumes, and on the 48 held-out ones; then the pattern (block means of the
mean training volume, orientation S, A, R) and the labels' volumes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from pipeline import read_nifti

HERE = Path(__file__).parent
BLOCKS = (4, 5, 4)


def blocks(image):
    """Means over BLOCKS parts along z, y, x, mean 0 and length 1."""
    edges = [[k * size // count for k in range(count + 1)] for size, count in zip(image.shape, BLOCKS)]
    means = np.array([[[image[z0:z1, y0:y1, x0:x1].mean() for x0, x1 in zip(edges[2], edges[2][1:])]
                       for y0, y1 in zip(edges[1], edges[1][1:])] for z0, z1 in zip(edges[0], edges[0][1:])])
    means -= means.mean()
    return means / np.linalg.norm(means)


def neighbours(centred, axis):
    moved = np.moveaxis(centred, axis, 0)
    return 2 * (moved[1:] * moved[:-1]).sum() / ((moved[1:] ** 2).sum() + (moved[:-1] ** 2).sum())


def statistics(image, pattern):
    image = image.astype(np.float64)
    mean, deviation = image.mean(), image.std()
    ranks = np.sort(image.ravel())
    low, middle, high = (ranks[(ranks.size - 1) * p // 100] for p in (1, 50, 99))
    found = blocks(image)
    return {
        "zeroFraction": float((image == 0).mean()),
        "coefficientOfVariation": float(deviation / mean) if mean > 0 else float("inf"),
        "skewness": float((((image - mean) / deviation) ** 3).mean()),
        "medianPosition": float((middle - low) / (high - low)) if high > low else 0.0,
        "neighbourCorrelation": float(np.mean([neighbours(image - mean, axis) for axis in range(3)])),
        # all volumes show one side; the other is mirrored along x
        "patternCorrelation": float(max((found * pattern).sum(), (found[..., ::-1] * pattern).sum())),
    }


def labels_measured(labels):
    """Millilitres and the share of the largest part connected over faces, of both labels (1 mm voxels)."""
    result = []
    for value in (1, 2):
        parts, _ = ndimage.label(labels == value)
        sizes = np.bincount(parts.ravel())[1:]
        result.append((sizes.sum() / 1000, sizes.max() / sizes.sum()))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    a = parser.parse_args()
    split = json.loads((HERE / "split.json").read_text())
    volumes = {part: [read_nifti(a.data / "images" / f"{name}.nii.gz") for name in split[part]]
               for part in ("training", "heldOut")}
    pattern = np.mean([blocks(image.astype(np.float64)) for image in volumes["training"]], axis=0)
    pattern = pattern / np.linalg.norm(pattern)
    figures = {part: [statistics(image, pattern) for image in images] for part, images in volumes.items()}
    print(f"{'statistic':24s} training        held out")
    for name in figures["training"][0]:
        ranges = [f"{min(f[name] for f in figures[part]):.3f} {max(f[name] for f in figures[part]):.3f}"
                  for part in ("training", "heldOut")]
        print(f"{name:24s} {ranges[0]:15s} {ranges[1]}")
    measured = np.array([labels_measured(read_nifti(a.data / "labels" / f"{name}.nii.gz")) for name in split["training"]])
    for index, label in enumerate(("anterior", "posterior")):
        print(f"{label}: {measured[:, index, 0].min():.2f} to {measured[:, index, 0].max():.2f} ml, "
              f"largest part at least {measured[:, index, 1].min():.3f}")
    print("pattern:")
    print(f"  shape: {list(BLOCKS)}")
    print("  values: [" + ", ".join(f"{value:.3f}" for value in pattern.ravel()) + "]")


if __name__ == "__main__":
    main()
