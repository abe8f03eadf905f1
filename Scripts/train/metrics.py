"""Dice and the 95th percentile of the Hausdorff distance.

HD95: the larger of the two directed 95th percentiles (linear interpolation) of the distances in mm from the surface
voxels of one mask to the nearest surface voxel of the other. Surface voxels are those with a face neighbour outside the
mask; outside the array counts as outside the mask.
"""

import numpy as np
from scipy import ndimage


def dice(found, wanted):
    """2 |A and B| / (|A| + |B|); 1 where both are empty."""
    total = found.sum() + wanted.sum()
    return 1.0 if total == 0 else float(2 * (found & wanted).sum() / total)


def surface(mask):
    return mask & ~ndimage.binary_erosion(mask)


def hd95(found, wanted, spacing=(1.0, 1.0, 1.0)):
    """In mm; 0 where both are empty, infinite where one is."""
    if not found.any() or not wanted.any():
        return 0.0 if found.any() == wanted.any() else float("inf")
    a, b = surface(found), surface(wanted)
    to_b = ndimage.distance_transform_edt(~b, spacing)[a]
    to_a = ndimage.distance_transform_edt(~a, spacing)[b]
    return float(max(np.percentile(to_b, 95), np.percentile(to_a, 95)))
