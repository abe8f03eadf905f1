"""Reads a segmentation object with highdicom, pydicom and dcmqi and compares it voxel by voxel.

usage: read_segmentation.py SEGMENTATION EXPECTED.json [--by-place]

EXPECTED.json: labels (path of raw uint8, slice-row-column), slices, rows, columns, affine (origin,
column, row, slice in LPS mm), images ([sopInstanceUID, frame number or 0] by slice), segments
(label to segment number), colors (segment number to RGB). Prints one line a reader; exits with 1
where any voxel differs.

highdicom and pydicom go by the source images, highdicom's volume and dcmqi by place. --by-place is for
tiles of one image, which references do not tell apart, and leaves the first two out.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import SimpleITK


def wanted_numbers(expected):
    shape = expected["slices"], expected["rows"], expected["columns"]
    labels = np.fromfile(expected["labels"], np.uint8).reshape(shape)
    numbers = np.zeros(shape, np.uint8)
    for label, number in expected["segments"].items():
        numbers[labels == int(label)] = number
    return numbers


def by_highdicom(path, expected):
    segmentation = highdicom.seg.segread(path)
    images = expected["images"]
    options = dict(combine_segments=True, relabel=False, assert_missing_frames_are_empty=True)
    if images[0][1]:
        return segmentation.get_pixels_by_source_frame(
            images[0][0], [frame for _, frame in images], **options)
    return segmentation.get_pixels_by_source_instance([uid for uid, _ in images], **options)


def by_highdicom_volume(path, expected):
    """Voxels go where highdicom says they are in the patient."""
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
    affine = expected["affine"]
    inverse = np.linalg.inv(np.array([affine["column"], affine["row"], affine["slice"]]).T)
    voxels = np.argwhere(volume.array > 0)
    points = voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    index = (points - affine["origin"]) @ inverse.T
    if np.abs(index - index.round()).max() > 0.01:
        raise ValueError("voxels outside the grid")
    column, row, place = index.round().astype(int).T
    numbers[place, row, column] = volume.array[tuple(voxels.T)]
    return numbers


def by_pydicom(path, expected):
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    numbers = np.zeros((expected["slices"], dataset.Rows, dataset.Columns), np.uint8)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        place = source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 0))
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        numbers[slices[place]][frame == 1] = number
    return numbers


def by_dcmqi(path, expected):
    """Voxels go where dcmqi says they are in the patient, not where their index says."""
    numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
    affine = expected["affine"]
    inverse = np.linalg.inv(np.array([affine["column"], affine["row"], affine["slice"]]).T)
    tool = Path(sys.executable).with_name("segimage2itkimage")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [tool, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"],
            check=True, capture_output=True)
        for number in expected["segments"].values():
            image = SimpleITK.ReadImage(str(Path(folder) / f"{number}.nrrd"))
            voxels = np.argwhere(SimpleITK.GetArrayFromImage(image) > 0)[:, ::-1]
            direction = np.array(image.GetDirection()).reshape(3, 3)
            points = image.GetOrigin() + (voxels * image.GetSpacing()) @ direction.T
            index = (points - affine["origin"]) @ inverse.T
            if np.abs(index - index.round()).max() > 0.01:
                raise ValueError(f"segment {number} has voxels outside the grid")
            column, row, place = index.round().astype(int).T
            numbers[place, row, column] = number
    return numbers


def check_colors(path, expected):
    segmentation = highdicom.seg.segread(path)
    for number, rgb in expected["colors"].items():
        item = segmentation.SegmentSequence[int(number) - 1]
        lab = highdicom.color.CIELabColor.from_dicom_value(item.RecommendedDisplayCIELabValue)
        if max(abs(a - b) for a, b in zip(lab.to_rgb(), rgb, strict=True)) > 1:
            raise ValueError(f"segment {number} is shown as {lab.to_rgb()}, not {rgb}")


def main():
    path = sys.argv[1]
    expected = json.loads(Path(sys.argv[2]).read_text())
    wanted = wanted_numbers(expected)
    readers = {
        "highdicom": by_highdicom,
        "pydicom": by_pydicom,
        "highdicom's volume": by_highdicom_volume,
        "dcmqi": by_dcmqi,
    }
    if "--by-place" in sys.argv:
        del readers["highdicom"], readers["pydicom"]
    failed = False
    for name, read in readers.items():
        wrong = int((read(path, expected) != wanted).sum())
        print(f"{name}: {wrong} of {wanted.size} voxels differ")
        failed |= wrong > 0
    check_colors(path, expected)
    sys.exit(1 if failed else 0)


main()
