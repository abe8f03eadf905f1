"""Dice of a DICOM SEG against a NIfTI label volume, compared by position in patient space.

usage: dice.py SEGMENTATION.dcm LABELS.nii.gz

Prints one number a segment, in the order of the labels 1, 2, …
"""

import sys

import nibabel
import numpy
import pydicom

segmentation, labels = pydicom.dcmread(sys.argv[1]), nibabel.load(sys.argv[2])
truth = numpy.asarray(labels.dataobj)
to_index = numpy.linalg.inv(numpy.diag([-1.0, -1.0, 1.0, 1.0]) @ labels.affine)

frames = segmentation.pixel_array
if frames.ndim == 2:
    frames = frames[None]
shared = segmentation.SharedFunctionalGroupsSequence[0]
cosines = numpy.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
down, across = numpy.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
names = {s.SegmentNumber: s.SegmentLabel for s in segmentation.SegmentSequence}
found = {number: numpy.zeros(truth.shape, bool) for number in names}
for frame, groups in zip(frames, segmentation.PerFrameFunctionalGroupsSequence):
    number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    position = numpy.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
    rows, columns = numpy.nonzero(frame)
    points = (position[:, None] + cosines[:3, None] * across * columns
              + cosines[3:, None] * down * rows)
    index = to_index[:3, :3] @ points + to_index[:3, 3:]
    nearest = numpy.rint(index).astype(int)
    assert numpy.abs(index - nearest).max(initial=0) < 1e-2, "a voxel is between voxels"
    found[number][tuple(nearest)] = True
for value in range(1, int(truth.max()) + 1):
    expected, got = truth == value, found.get(value, numpy.zeros(truth.shape, bool))
    print(f"{2 * (expected & got).sum() / max(expected.sum() + got.sum(), 1):.4f}")
