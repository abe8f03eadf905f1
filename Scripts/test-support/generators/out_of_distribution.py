"""Writes volumes of the right size and spacing that are no T1 image of a hippocampus.

usage: out_of_distribution.py SERIES OUTPUT [TOTALSEG]

SERIES: folder of a synthetic DICOM subject. TOTALSEG: folder with example_ct_sm.nii.gz and
example_mr_sm.nii.gz (3 mm), of which crops of the body and whole images in wrong spacing are made.
"""

import glob
import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from scipy import ndimage

SHAPE = (37, 51, 35)
rng = np.random.default_rng(3)
series, output = sys.argv[1], Path(sys.argv[2])
files = sorted((pydicom.dcmread(p) for p in glob.glob(series + "/*.dcm")), key=lambda d: int(d.InstanceNumber))
# Towards the right, the front and the head.
image = np.stack([d.pixel_array for d in files])[:, ::-1, ::-1].transpose(2, 1, 0).astype(float)


def save(name, values):
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), np.eye(4)), output / f"{name}.nii.gz")


save("empty", np.zeros(SHAPE))
save("constant", np.full(SHAPE, 17))
one = np.zeros(SHAPE)
one[9, 9, 9] = 400
save("one_voxel", one)
save("noise_gauss", rng.normal(400, 150, SHAPE))
save("noise_rayleigh", rng.rayleigh(100, SHAPE))
save("noise_smooth", 400 + 900 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5))
save("inverted", image.max() - image)
save("inverted_stretched", np.percentile(image, 95) - np.minimum(image, np.percentile(image, 95)))
save("hounsfield_offset", image - 1000)
save("two_values", np.where(image > np.median(image), 300, 100))
save("gamma", (image / image.max()) ** 4 * 1000)
save("half_empty", np.where(np.arange(image.shape[2]) < 14, image, 0))
save("upside_down", image[:, :, ::-1])
save("front_to_back", image[:, ::-1])
small = ndimage.zoom(image, 0.5)
save("shrunk_and_padded", np.pad(small, [(9, 9), (12, 12), (8, 8)]))

if len(sys.argv) > 3:
    for kind in ("ct", "mr"):
        body = np.asarray(nibabel.load(f"{sys.argv[3]}/example_{kind}_sm.nii.gz").dataobj).astype(float)
        save(f"{kind}_whole_as_1mm", ndimage.zoom(body, [n / m for n, m in zip(SHAPE, body.shape)], order=1))
        fine = ndimage.zoom(body, 3, order=1)
        for index in range(12):
            corner = [rng.integers(0, n - m) for n, m in zip(fine.shape, SHAPE)]
            part = fine[tuple(slice(c, c + m) for c, m in zip(corner, SHAPE))]
            save(f"{kind}_part{index:02d}", part)
            start = [rng.integers(0, max(1, n - m)) for n, m in zip(body.shape, (37, 51, 20))]
            coarse = body[tuple(slice(c, c + m) for c, m in zip(start, (37, 51, 20)))]
            save(f"{kind}_3mm_as_1mm{index:02d}", coarse)
