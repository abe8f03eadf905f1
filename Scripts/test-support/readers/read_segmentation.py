"""Reads a segmentation object with highdicom, pydicom and dcmqi and compares it voxel by voxel.

usage: read_segmentation.py SEGMENTATION EXPECTED.json [--by-place] [--label-map FILE] [--structures FILE]

EXPECTED.json: labels (raw uint8 in a file beside it, slice-row-column), slices, rows, columns, affine (origin,
column, row, slice in LPS mm), images ([sopInstanceUID, frame number or 0] by slice), segments
(label to segment number), colors (segment number to RGB). Prints one line a reader; exits with 1
where any voxel differs.

highdicom and pydicom go by the source images, highdicom's volume and dcmqi by place. --by-place is for
tiles of one image, which references do not tell apart, and leaves the first two out. A label map is read by
the same programs; the contours of a structure set, as pydicom reads them, are filled where they are in the
patient.
"""

import argparse

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import SimpleITK


def read_expected(path):
    expected = json.loads(Path(path).read_text())
    expected["labels"] = Path(path).with_name(expected["labels"])
    return expected


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
    voxels = np.argwhere(volume.array > 0)
    points = voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    numbers[places(points, expected)] = volume.array[tuple(voxels.T)]
    return numbers


def places(points, expected):
    """Slices, rows and columns of points in the patient."""
    affine = expected["affine"]
    inverse = np.linalg.inv(np.array([affine["column"], affine["row"], affine["slice"]]).T)
    index = (points - affine["origin"]) @ inverse.T
    if np.abs(index - index.round()).max(initial=0) > 0.01:
        raise ValueError("voxels outside the grid")
    column, row, place = index.round().astype(int).T
    return place, row, column


def image_places(image, voxels, expected):
    """Slices, rows and columns of voxels (x, y, z) of an image of ITK."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return places(image.GetOrigin() + (voxels * image.GetSpacing()) @ direction.T, expected)


def by_pydicom(path, expected):
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    numbers = np.zeros((expected["slices"], dataset.Rows, dataset.Columns), np.uint8)
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        place = source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 0))
        if dataset.SegmentationType == "LABELMAP":
            numbers[slices[place]] = frame
            continue
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        numbers[slices[place]][frame == 1] = number
    return numbers


def by_dcmqi(path, expected):
    """Voxels go where dcmqi says they are in the patient, not where their index says."""
    numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
    tool = Path(sys.executable).with_name("segimage2itkimage")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [tool, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"],
            check=True, capture_output=True)
        for file in sorted(Path(folder).glob("*.nrrd")):
            image = SimpleITK.ReadImage(str(file))
            values = SimpleITK.GetArrayFromImage(image)
            voxels = np.argwhere(values > 0)[:, ::-1]
            place = image_places(image, voxels, expected)
            # Each file is of one segment, and has its number, but for those of a label map.
            numbers[place] = (
                values[values > 0] if is_label_map(path) else int(file.stem))
    return numbers


def is_label_map(path):
    return pydicom.dcmread(path, stop_before_pixels=True).SegmentationType == "LABELMAP"


def filled(points, columns, rows):
    """The pixels whose centres are within an odd number of edges of a polygon."""
    inside = np.zeros((rows, columns), bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if abs(y0 - y1) < 0.5:
            continue
        # An edge changes the rows that it crosses, left of where it crosses them.
        first, last = np.ceil(sorted((y0, y1))).astype(int)
        for row in range(max(first, 0), min(last, rows)):
            crossing = (x1 - x0) * (row - y0) / (y1 - y0) + x0
            inside[row, :max(int(np.ceil(crossing)), 0)] ^= True
    return inside


def by_contours(path, expected):
    dataset = pydicom.dcmread(path)
    shape = expected["slices"], expected["rows"], expected["columns"]
    numbers = np.zeros(shape, np.uint8)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    affine = expected["affine"]
    steps = np.array([affine["column"], affine["row"]])
    for region in dataset.ROIContourSequence:
        for contour in region.ContourSequence:
            image = contour.ContourImageSequence[0]
            place = image.ReferencedSOPInstanceUID, int(image.get("ReferencedFrameNumber", 0))
            origin = np.array(affine["origin"]) + slices[place] * np.array(affine["slice"])
            points = np.array(contour.ContourData, float).reshape(-1, 3) - origin
            pixels = np.linalg.lstsq(steps.T, points.T, rcond=None)[0].T
            inside = filled(pixels, expected["columns"], expected["rows"])
            numbers[slices[place]][inside] += int(region.ReferencedROINumber)
    return numbers


def check_colors(path, expected):
    segmentation = highdicom.seg.segread(path)
    for number, rgb in expected["colors"].items():
        item = next(s for s in segmentation.SegmentSequence if s.SegmentNumber == int(number))
        lab = highdicom.color.CIELabColor.from_dicom_value(item.RecommendedDisplayCIELabValue)
        if max(abs(a - b) for a, b in zip(lab.to_rgb(), rgb, strict=True)) > 1:
            raise ValueError(f"segment {number} is shown as {lab.to_rgb()}, not {rgb}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("segmentation")
    parser.add_argument("expected")
    parser.add_argument("--by-place", action="store_true")
    parser.add_argument("--label-map")
    parser.add_argument("--structures")
    arguments = parser.parse_args()
    expected = read_expected(arguments.expected)
    wanted = wanted_numbers(expected)
    readers = {
        "highdicom": by_highdicom,
        "pydicom": by_pydicom,
        "highdicom's volume": by_highdicom_volume,
        "dcmqi": by_dcmqi,
    }
    if arguments.by_place:
        del readers["highdicom"], readers["pydicom"]
    reads = [(name, read, arguments.segmentation) for name, read in readers.items()]
    if arguments.label_map:
        reads += [(f"{name}, label map", read, arguments.label_map) for name, read in readers.items()]
    if arguments.structures:
        reads.append(("contours", by_contours, arguments.structures))
    failed = False
    for name, read, path in reads:
        wrong = int((read(path, expected) != wanted).sum())
        print(f"{name}: {wrong} of {wanted.size} voxels differ")
        failed |= wrong > 0
    for path in filter(None, [arguments.segmentation, arguments.label_map]):
        check_colors(path, expected)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
