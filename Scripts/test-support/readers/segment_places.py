"""Says where the segments of a segmentation object are in the patient, read with pydicom.

usage: segment_places.py SEGMENTATION [--sources FOLDER] [X,Y,Z ...]

Prints a JSON object: for each segment number its voxels in ml, and for each place (LPS, mm) the ml
within 9 mm of it and their centre; the source images that the frames refer to, and those that
each item of the Referenced Series Sequence lists. With --sources
also the frames that are not where their source image of that folder is.
"""

import json
import pathlib
import sys

import numpy
import pydicom

# Places may begin with a minus sign, which argparse takes for an option.
arguments = sys.argv[1:]
d = pydicom.dcmread(arguments.pop(0))
folder = None
if arguments[:1] == ["--sources"]:
    folder, arguments = pathlib.Path(arguments[1]), arguments[2:]
targets = [numpy.array([float(v) for v in text.split(",")]) for text in arguments]
images = {}
for file in sorted(folder.rglob("*.dcm")) if folder else []:
    image = pydicom.dcmread(file, stop_before_pixels=True)
    images[image.SOPInstanceUID] = image
shared = d.SharedFunctionalGroupsSequence[0]
measures = shared.PixelMeasuresSequence[0]
row, column = numpy.array(
    shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
down, across = (float(v) for v in measures.PixelSpacing)
# Slices at uneven steps have no spacing of their own.
voxel = down * across * float(measures.get("SpacingBetweenSlices") or measures.SliceThickness) / 1000
points, sources, misplaced = {}, set(), 0
masks = d.pixel_array.reshape(-1, d.Rows, d.Columns)
for mask, groups in zip(masks, d.PerFrameFunctionalGroupsSequence):
    segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    origin = numpy.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
    j, i = numpy.nonzero(mask)
    points.setdefault(segment, []).append(
        origin + i[:, None] * across * row + j[:, None] * down * column)
    for image in groups.DerivationImageSequence[0].SourceImageSequence:
        sources.add(image.ReferencedSOPInstanceUID)
        own = images.get(image.ReferencedSOPInstanceUID)
        misplaced += own is None or list(own.ImagePositionPatient) != list(
            groups.PlanePositionSequence[0].ImagePositionPatient)
found = {}
for segment, parts in points.items():
    places = numpy.concatenate(parts)
    near = []
    for target in targets:
        own = places[numpy.linalg.norm(places - target, axis=1) < 9]
        near.append({"millilitres": len(own) * voxel,
                     "centre": own.mean(0).tolist() if len(own) else None})
    found[str(segment)] = {"millilitres": len(places) * voxel, "near": near}
references = {s.SeriesInstanceUID: sorted(i.ReferencedSOPInstanceUID
                                          for i in s.ReferencedInstanceSequence)
              for s in d.ReferencedSeriesSequence}
print(json.dumps({"references": references, "segments": found, "sources": sorted(sources),
                  "instanceNumber": int(d.InstanceNumber), "series": d.SeriesInstanceUID,
                  "description": d.ContentDescription,
                  "misplaced": misplaced if images else None}))
