"""Says where the segments of a segmentation object lie in the patient, read with pydicom.

usage: segment_places.py SEGMENTATION X,Y,Z [X,Y,Z ...]

Prints a JSON object: for each segment number its voxels in ml, and for each place (LPS, mm) the ml
within 9 mm of it and their centre; and the source images that the frames refer to.
"""

import json
import sys

import numpy
import pydicom

d = pydicom.dcmread(sys.argv[1])
targets = [numpy.array([float(v) for v in text.split(",")]) for text in sys.argv[2:]]
shared = d.SharedFunctionalGroupsSequence[0]
measures = shared.PixelMeasuresSequence[0]
row, column = numpy.array(
    shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
down, across = (float(v) for v in measures.PixelSpacing)
voxel = down * across * float(measures.SpacingBetweenSlices) / 1000
points, sources = {}, set()
masks = d.pixel_array.reshape(-1, d.Rows, d.Columns)
for mask, groups in zip(masks, d.PerFrameFunctionalGroupsSequence):
    segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    origin = numpy.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
    j, i = numpy.nonzero(mask)
    points.setdefault(segment, []).append(
        origin + i[:, None] * across * row + j[:, None] * down * column)
    for image in groups.DerivationImageSequence[0].SourceImageSequence:
        sources.add(image.ReferencedSOPInstanceUID)
found = {}
for segment, parts in points.items():
    places = numpy.concatenate(parts)
    near = []
    for target in targets:
        own = places[numpy.linalg.norm(places - target, axis=1) < 9]
        near.append({"millilitres": len(own) * voxel,
                     "centre": own.mean(0).tolist() if len(own) else None})
    found[str(segment)] = {"millilitres": len(places) * voxel, "near": near}
print(json.dumps({"segments": found, "sources": sorted(sources),
                  "instanceNumber": int(d.InstanceNumber), "series": d.SeriesInstanceUID,
                  "description": d.ContentDescription}))
