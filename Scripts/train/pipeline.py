"""Inference as the reference does it, in NumPy and PyTorch: crop, resample, normalise, sliding window with Gaussian weights.

Arrays are (z, y, x). A recipe's orientation says how they grow: towards S, A, R (a NIfTI file in RAS order, transposed),
or as acquired (slices, rows, columns). The Swift module Segmentation does the same; its figures must agree.
"""

from itertools import product
from math import ceil
from pathlib import Path

import nibabel
import numpy as np
import torch
from scipy import ndimage

from resampling import resample


def case_names(data):
    """Names of the labelled cases in a folder with `images` and `labels`, sorted."""
    return sorted(path.name.removesuffix(".nii.gz") for path in (Path(data) / "labels").glob("*.nii.gz"))


def read_volume(path, acquired=False):
    """The voxels as (z, y, x) and the spacing (mm, same order).

    Unless `acquired`, the axes must grow towards S, A, R; files stored in another order are refused.
    """
    image = nibabel.load(path)
    if not acquired and nibabel.aff2axcodes(image.affine) != ("R", "A", "S"):
        raise ValueError(f"{path}: axes {nibabel.aff2axcodes(image.affine)} instead of R, A, S")
    spacing = tuple(float(size) for size in image.header.get_zooms()[2::-1])
    if not all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise ValueError(f"{path}: spacing {spacing} is not positive")
    return np.asarray(image.dataobj).transpose(2, 1, 0), spacing


def read_nifti(path):
    """The voxels as (z, y, x) in axes growing towards S, A, R; refuses files stored in another order."""
    return read_volume(path)[0]


def nonzero_box(image):
    """Slices of the bounding box of the voxels that are not zero, holes filled; the whole array if all are zero."""
    mask = ndimage.binary_fill_holes(image != 0)
    found = ndimage.find_objects(mask.astype(np.uint8))
    return found[0] if found else tuple(slice(0, size) for size in image.shape)


def normalise(image):
    """Zero mean and unit population standard deviation over the whole array, float32."""
    image = image.astype(np.float32)
    return (image - image.mean()) / (image.std() + 1e-8)


def starts(size, patch, step):
    """First voxels of the tiles along one axis."""
    count = ceil((size - patch) / (patch * step)) + 1
    if count == 1:
        return [0]
    return [round(i * (size - patch) / (count - 1)) for i in range(count)]


def gaussian(patch):
    """Importance of a tile's voxels: a Gaussian of an eighth of the patch around its centre, maximum 1."""
    lines = [np.exp(-((np.arange(n) - n // 2) ** 2) / (2 * (n / 8) ** 2)) for n in patch]
    return (lines[0][:, None, None] * lines[1][:, None] * lines[2]).astype(np.float32)


def predict(model, image, patch, step=0.5, mirror_axes=(), autocast=False):
    """Class probabilities (K, z, y, x) of a normalised volume."""
    missing = [max(0, p - n) for p, n in zip(patch, image.shape)]
    below = [m // 2 for m in missing]
    padded = np.pad(image, [(b, m - b) for b, m in zip(below, missing)])
    weight = torch.from_numpy(gaussian(patch))
    corners = list(product(*(starts(n, p, step) for n, p in zip(padded.shape, patch))))
    if len(corners) == 1:
        weight = torch.ones_like(weight)
    mirrors = [axes for bits in product((False, True), repeat=len(mirror_axes))
               for axes in [tuple(axis + 1 for axis, bit in zip(mirror_axes, bits) if bit)]]
    total, counter, device = None, torch.zeros(padded.shape), next(model.parameters()).device
    source = torch.from_numpy(padded)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        for z, y, x in corners:
            box = (slice(z, z + patch[0]), slice(y, y + patch[1]), slice(x, x + patch[2]))
            tile = source[box][None]
            tiles = torch.stack([tile.flip(axes) if axes else tile for axes in mirrors])
            found = model(tiles.to(device)).float().softmax(1).cpu()
            probability = sum(p.flip(axes) if axes else p for p, axes in zip(found, mirrors)) / len(mirrors)
            if total is None:
                total = torch.zeros(len(probability), *padded.shape)
            total[(slice(None), *box)] += probability * weight
            counter[box] += weight
    total /= counter
    inner = tuple(slice(b, b + n) for b, n in zip(below, image.shape))
    return total[(slice(None), *inner)].numpy()


def segment(model, image, patch, mirror_axes=(), autocast=False, spacing=None, target=None):
    """Labels (z, y, x) uint8 of a raw volume: crop to what is not zero, resample, normalise, predict, back again.

    Where `spacing` and `target` (mm along z, y, x) are given, the network sees the volume at `target`; probabilities are
    resampled linearly to the volume's own voxels before the most probable label is chosen.
    """
    box = nonzero_box(image)
    source = image[box]
    resampled = resample(source.astype(np.float32), spacing, target) if spacing else source
    probability = predict(model, normalise(resampled), patch, mirror_axes=mirror_axes, autocast=autocast)
    if spacing:
        probability = np.stack([resample(p, target, spacing, source.shape, order=1) for p in probability])
    labels = np.zeros(image.shape, np.uint8)
    labels[box] = probability.argmax(0)
    return labels


def keep_largest(labels, rules, voxel_volume):
    """What a bundle's `largestComponents` leave of the labels; `voxel_volume` in mm3.

    The labels of a rule are one structure, of which the largest part (voxels joined by faces) stays, and those as large; with
    `removeBelow` the parts of that volume or more stay, too.
    """
    for rule in rules:
        parts, _ = ndimage.label(np.isin(labels, rule["labels"]))
        sizes = np.bincount(parts.ravel())[1:]
        if not len(sizes):
            continue
        small = sizes * voxel_volume < rule["removeBelow"] if "removeBelow" in rule else True
        removed = np.flatnonzero((sizes < sizes.max()) & small) + 1
        labels = np.where(np.isin(parts, removed), 0, labels).astype(labels.dtype)
    return labels


def write_labels(path, labels, like):
    """Labels (z, y, x) as NIfTI on the voxels of the file `like`, from which they came."""
    reference = nibabel.load(like)
    volume = labels.transpose(2, 1, 0)
    if volume.shape != reference.shape:
        raise ValueError(f"{path}: labels {volume.shape} do not fit {like}, {reference.shape}")
    image = nibabel.Nifti1Image(volume.astype(np.uint8), reference.affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
