"""Times `segmentd resample` against scikit-image, SciPy and SimpleITK on the same arrays, in turn.

Prints, for each case, the best time of each and the largest difference from scikit-image, whose
resize is what the reference implementation's preprocessing calls.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

import numpy as np
import scipy.ndimage
import SimpleITK as sitk
import skimage.transform


def ct(shape, seed=1):
    """Steps and noise in Hounsfield units, with smooth structure."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    body = ((y - shape[1] / 2) ** 2 / (shape[1] * 0.4) ** 2
            + (x - shape[2] / 2) ** 2 / (shape[2] * 0.45) ** 2) < 1
    values = np.where(body, 40 + 60 * np.sin(z / 9) * np.cos(y / 13) * np.sin(x / 11), -1000)
    return (values + rng.normal(0, 20, shape)).astype(np.int16)


def resized(array, new_shape, axis, resize):
    """The whole array at once, or slice by slice along an axis, as the reference does it."""
    array = array.astype(np.float64)
    if axis is None:
        return resize(array, new_shape)
    wanted = np.clip(np.floor((np.arange(new_shape[axis]) + 0.5) * array.shape[axis]
                              / new_shape[axis]).astype(int), 0, array.shape[axis] - 1)
    plane = [n for i, n in enumerate(new_shape) if i != axis]
    # The reference resizes every slice; only the wanted ones are needed.
    slices = {i: resize(np.take(array, i, axis), plane) for i in np.unique(wanted)}
    return np.stack([slices[i] for i in wanted], axis)


def with_skimage(array, new_shape, order, axis):
    def resize(part, shape):
        return skimage.transform.resize(
            part, shape, order, mode="edge", anti_aliasing=False, clip=True).astype(np.float32)
    return resized(array, new_shape, axis, resize)


def with_scipy(array, new_shape, order, axis):
    def zoom(part, shape):
        factors = [n / o for n, o in zip(shape, part.shape)]
        out = scipy.ndimage.zoom(part, factors, order=order, mode="nearest", grid_mode=True)
        return np.clip(out, part.min(), part.max()).astype(np.float32)
    return resized(array, new_shape, axis, zoom)


def with_simpleitk(array, new_shape, order, axis):
    # The whole volume at once: SimpleITK has no rule for slices that are far apart.
    image = sitk.GetImageFromArray(array.astype(np.float64))
    old, new = image.GetSize(), tuple(reversed(new_shape))
    spacing = [o / n for o, n in zip(old, new)]
    origin = [s / 2 - 0.5 for s in spacing]
    interpolator = sitk.sitkBSpline if order == 3 else sitk.sitkLinear
    out = sitk.Resample(image, new, sitk.Transform(), interpolator, origin, spacing,
                        np.eye(3).ravel().tolist(), -1024.0, sitk.sitkFloat32, True)
    return sitk.GetArrayFromImage(out)


def with_segmentd(binary, array, new_shape, order, axis, rounds, folder):
    source, target = os.path.join(folder, "in.raw"), os.path.join(folder, "out.raw")
    array.astype("<i2").tofile(source)
    command = [binary, "resample", "--input", source, "--output", target, "--repeat", str(rounds),
               "--shape", *map(str, array.shape), "--new-shape", *map(str, new_shape)]
    if axis is not None:
        command += ["--separate-axis", str(axis)]
    if order == 1:
        command += ["--linear"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["seconds"], np.fromfile(target, "<f4").reshape(new_shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=300)
    arguments = parser.parse_args()
    n = arguments.slices
    cases = [
        ("CT, slices apart, cubic", (n, 512, 512), (round(n / 3), 528, 528), 3, 0),
        ("CT, all axes, cubic", (n, 512, 512), (round(n * 0.8), 480, 480), 3, None),
        ("MR, all axes, cubic", (155, 240, 240), (138, 213, 213), 3, None),
        ("CT back, all axes, linear", (round(n * 0.8), 480, 480), (n, 512, 512), 1, None),
    ]
    peers = [("scikit-image", with_skimage), ("SciPy zoom", with_scipy),
             ("SimpleITK", with_simpleitk)]
    print("| case | shape | segmentd s | " + " | ".join(f"{name} s (ratio)" for name, _ in peers)
          + " | largest difference |")
    print("|---|---|---|" + "---|" * len(peers) + "---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, shape, new_shape, order, axis in cases:
            array = ct(shape)
            ours, times, reference = [], {peer: [] for peer, _ in peers}, None
            for _ in range(arguments.rounds):
                seconds, result = with_segmentd(
                    arguments.segmentd, array, new_shape, order, axis, 1, folder)
                ours += seconds
                for peer, function in peers:
                    start = time.perf_counter()
                    out = function(array, new_shape, order, axis)
                    times[peer].append(time.perf_counter() - start)
                    if peer == "scikit-image":
                        reference = out
            difference = float(np.abs(result - reference).max())
            columns = [f"{min(t):.2f} ({min(t) / min(ours):.1f})" for t in times.values()]
            print(f"| {name} | {'×'.join(map(str, shape))} → {'×'.join(map(str, new_shape))} | "
                  f"{min(ours):.2f} | " + " | ".join(columns) + f" | {difference:.1e} |", flush=True)


main()
