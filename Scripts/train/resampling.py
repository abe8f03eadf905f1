"""Resampling to the network's spacing and back, as nnU-Net does it (scikit-image >= 0.19's `resize`, here by SciPy).

Arrays are (z, y, x). Where slices lie more than three times as far apart as pixels, each slice is resampled by itself and
slices are repeated or left out along z (nearest); elsewhere the volume is resampled as a whole. Samples lie at
(i + 0.5) * old / new - 0.5, edges are continued. The Swift module Volumes does the same.
"""

import numpy as np
from scipy import ndimage

ANISOTROPY = 3  # ratio of spacings above which slices are taken one by one


def shape_at(shape, spacing, target):
    """Voxels along each axis after resampling from `spacing` to `target` (mm; half rounds to even)."""
    return tuple(int(n) for n in np.round(np.array(spacing) / np.array(target) * np.array(shape)))


def sliced_axis(spacing, target):
    """The axis along which slices are far apart before or else after resampling; None where there is no single one."""
    for candidate in (spacing, target):
        candidate = np.array(candidate, float)
        if candidate.max() / candidate.min() > ANISOTROPY:
            axes = np.flatnonzero(candidate == candidate.max())
            return int(axes[0]) if len(axes) == 1 else None
    return None


def nearest_indices(old, new):
    """Which of `old` slices is shown by each of `new`."""
    return np.minimum(np.floor(old / new * (np.arange(new) + 0.5)).astype(int), old - 1)


def resize(array, shape, order):
    """All axes at once by a spline of that order; never beyond the least and greatest value of the input."""
    if array.shape == tuple(shape):
        return array
    factors = [new / old for new, old in zip(shape, array.shape)]
    found = ndimage.zoom(array.astype(np.float64), factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(found, array.min(), array.max()).astype(np.float32)


def resample(array, spacing, target, shape=None, order=3):
    """`array` from `spacing` to `target` (mm along z, y, x); `shape` where the way back must give the old one."""
    shape = shape or shape_at(array.shape, spacing, target)
    if array.shape == tuple(shape):
        return array
    axis = sliced_axis(spacing, target)
    if axis is None:
        return resize(array, shape, order)
    slices = np.moveaxis(array, axis, 0)
    size = [n for i, n in enumerate(shape) if i != axis]
    found = np.stack([resize(plane, size, order) for plane in slices])
    return np.moveaxis(found[nearest_indices(len(found), shape[axis])], 0, axis)


def resample_labels(labels, spacing, target, shape=None):
    """Labels by linear resampling of each label's mask: a voxel takes the label that fills half of it or more."""
    shape = shape or shape_at(labels.shape, spacing, target)
    found = np.zeros(shape, labels.dtype)
    for value in np.unique(labels):
        found[resample((labels == value).astype(np.float32), spacing, target, shape, order=1) >= 0.5] = value
    return found
