"""Reads a measurement report with highdicom and compares each number with what numpy measures.

usage: read_report.py REPORT IMAGES SEGMENTATION...

Prints one line for each group of measurements, and ends with status 1 at the first number that differs.
"""

import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom


def volumes(images):
    """Values and place of each image, by SOP Instance UID and frame."""
    planes = {}
    for path in sorted(Path(images).iterdir()):
        image = pydicom.dcmread(path)
        if "PixelData" not in image:
            continue
        values = image.pixel_array.astype(float)
        values = values * float(image.get("RescaleSlope", 1)) + float(image.get("RescaleIntercept", 0))
        planes[image.SOPInstanceUID] = values
    return planes


def measure(segmentation, number, planes, step):
    """Millilitres, mean, standard deviation and lengths of the axes of a segment."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    spacing = [float(x) for x in shared.PixelMeasuresSequence[0].PixelSpacing]
    cosines = np.array([float(x) for x in shared.PlaneOrientationSequence[0].ImageOrientationPatient])
    row, column = cosines[:3] * spacing[1], cosines[3:] * spacing[0]
    values, points = [], []
    masks = segmentation.pixel_array
    for index, frame in enumerate(segmentation.PerFrameFunctionalGroupsSequence):
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        place = np.array([float(x) for x in frame.PlanePositionSequence[0].ImagePositionPatient])
        rows, columns = np.nonzero(masks[index])
        values.append(planes[source.ReferencedSOPInstanceUID][rows, columns])
        points.append(place + np.outer(columns, row) + np.outer(rows, column))
    values, points = np.concatenate(values), np.concatenate(points)
    volume = len(values) * spacing[0] * spacing[1] * step / 1000
    axes = 4 * np.sqrt(np.clip(np.linalg.eigvalsh(np.cov(points.T, bias=True)), 0, None))
    return [volume, values.mean(), values.std(), *sorted(axes, reverse=True)]


def main():
    report = hd.sr.srread(sys.argv[1])
    assert isinstance(report, hd.sr.Comprehensive3DSR), type(report)
    planes = volumes(sys.argv[2])
    segmentations = {s.SOPInstanceUID: s for s in map(pydicom.dcmread, sys.argv[3:])}
    places = {}
    for path in Path(sys.argv[2]).iterdir():
        image = pydicom.dcmread(path, stop_before_pixels=True)
        cosines = [float(x) for x in image.ImageOrientationPatient]
        normal = np.cross(cosines[:3], cosines[3:])
        places[round(float(np.dot(normal, [float(x) for x in image.ImagePositionPatient])), 4)] = 1
    positions = sorted(places)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    groups = report.content.get_volumetric_roi_measurement_groups()
    for group in groups:
        reference = group.referenced_segment or group.reference
        uid = reference.referenced_sop_instance_uid
        number = reference.referenced_segment_numbers[0]
        segment = segmentations[uid].SegmentSequence[number - 1]
        assert group.tracking_identifier == segment.TrackingID
        assert group.tracking_uid == segment.TrackingUID
        finding = segment.SegmentedPropertyTypeCodeSequence[0]
        assert group.finding_type.value == finding.CodeValue
        found = [(m.name.meaning, m.value, m.unit.value) for m in group.get_measurements()]
        due = measure(segmentations[uid], number, planes, step)
        assert len(found) == len(due), found
        for (name, value, _), wanted in zip(found, due):
            if abs(value - wanted) > 2e-5 * abs(wanted) + 1e-3:
                print(f"{name}: {value} in the report, {wanted} measured")
                return 1
        units = [unit for _, _, unit in found]
        print(f"{segment.SegmentLabel}: {units[0]} {units[1]} {units[3]} equal")
    for group in report.content.get_image_measurement_groups():
        for m in group.get_measurements():
            print(f"{group.tracking_identifier}: {m.name.meaning} {m.value:g} {m.unit.value}")
    return 0


sys.exit(main())
