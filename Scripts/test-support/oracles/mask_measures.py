"""Random pairs of masks with the measures that MedPy, SciPy and Scripts/train/metrics.py give.

usage: mask_measures.py FOLDER

Leaves NAME.found and NAME.known (uint8, z, y, x), NAME.distances (float64: SciPy's Euclidean
distance from every voxel to the nearest known one) and cases.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
from medpy.metric import binary
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "train"))
import metrics  # noqa: E402


def blobs(rng, shape, sigma, part):
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return smooth > np.quantile(smooth, 1 - part)


def pairs(rng):
    spacings = [(1, 1, 1), (3.0, 0.78, 0.78), (0.5, 1.25, 2.0), (6.35, 1.52, 1.52)]
    for index in range(24):
        shape = tuple(int(n) for n in rng.integers(4, 40, 3))
        sigma = [0, 1, 2][index % 3]
        known = blobs(rng, shape, sigma, [0.02, 0.2, 0.6][index % 3])
        found = blobs(rng, shape, sigma, 0.2) if index % 2 else known ^ blobs(rng, shape, sigma, 0.05)
        yield f"random{index}", found, known, spacings[index % 4]
    empty, single, full = np.zeros((7, 8, 9), bool), np.zeros((7, 8, 9), bool), np.ones((7, 8, 9), bool)
    single[0, 7, 3] = True
    for name, found, known in [("both-empty", empty, empty), ("found-empty", empty, full),
                               ("known-empty", single, empty), ("single", single, full),
                               ("equal", full, full), ("apart", single, single[::-1, ::-1, ::-1])]:
        yield name, found, known, (2.0, 1.0, 0.5)
    flat = np.zeros((1, 30, 30), bool)
    flat[0, 5:20, 5:20] = True
    yield "one-slice", np.roll(flat, 4, 2), flat, (5.0, 0.7, 0.7)
    line = np.zeros((40, 1, 1), bool)
    line[3:9] = True
    yield "one-line", np.roll(line, 11, 0), line, (1.1, 1.0, 1.0)


folder = Path(sys.argv[1])
cases = []
for name, found, known, spacing in pairs(np.random.default_rng(95)):
    found.astype(np.uint8).tofile(folder / f"{name}.found")
    known.astype(np.uint8).tofile(folder / f"{name}.known")
    case = {"name": name, "shape": found.shape, "spacing": spacing,
            "dice": metrics.dice(found, known), "hd95": metrics.hd95(found, known, spacing)}
    if not np.isfinite(case["hd95"]):
        case["hd95"] = None
    if found.any() and known.any():
        case["medpyDice"] = float(binary.dc(found, known))
        case["medpyHD95"] = float(binary.hd95(found, known))
        case["medpyHD95mm"] = float(binary.hd95(found, known, voxelspacing=spacing))
        case["ravd"] = float(binary.ravd(found, known))
    if known.any():
        ndimage.distance_transform_edt(~known, spacing).tofile(folder / f"{name}.distances")
    cases.append(case)
(folder / "cases.json").write_text(json.dumps(cases))
