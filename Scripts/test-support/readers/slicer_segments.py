"""Loads images and segments in the core of 3D Slicer, as its DICOM browser and QuantitativeReporting do, and says
where the segments are on the images.

usage: slicer_segments.py IMAGES SEGMENTS OUTPUT

IMAGES is a folder of DICOM files, SEGMENTS one of NUMBER.nrrd, as dcmqi makes them of a segmentation object. Each
segment is brought into the geometry of the images by Slicer, and OUTPUT/NUMBER.npy receives the places of its voxels
there (LPS, mm). Needs PyPI's trame-slicer[standalone].
"""

import sys
from pathlib import Path

import numpy
import slicer
import vtk
from trame_slicer.core import SlicerApp


def main(images, segments, output):
    app = SlicerApp()
    volumes = app.io_manager.load_volumes([str(path) for path in sorted(Path(images).iterdir())])
    if len(volumes) != 1:
        sys.exit(f"Slicer makes {len(volumes)} volumes of the images")
    matrix = vtk.vtkMatrix4x4()
    volumes[0].GetIJKToRASMatrix(matrix)
    to_ras = numpy.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
    for file in sorted(Path(segments).glob("*.nrrd")):
        node = app.io_manager.load_segmentation(str(file))
        segment = vtk.vtkStringArray()
        node.GetSegmentation().GetSegmentIDs(segment)
        labels = app.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        if not app.segmentations_logic.ExportSegmentsToLabelmapNode(node, segment, labels, volumes[0]):
            sys.exit(f"Slicer cannot bring {file.name} onto the images")
        image = labels.GetImageData()
        if image is None or image.GetPointData().GetScalars() is None:
            continue  # The segment has no voxel.
        voxels = numpy.argwhere(slicer.util.arrayFromVolume(labels) > 0)[:, ::-1]
        ras = voxels @ to_ras[:3, :3].T + to_ras[:3, 3]
        numpy.save(Path(output) / f"{file.stem}.npy", ras * [-1, -1, 1])


main(*sys.argv[1:])
