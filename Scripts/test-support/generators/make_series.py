"""Writes a synthetic classic CT or MR series: a bright ellipsoid in a darker body.

usage: make_series.py FOLDER [--modality CT] [--slices 16] [--size 48] [--spacing 2.0 1.0 1.0]
                      [--orientation axial|coronal|sagittal|oblique] [--study UID] [--seed 1]
                      [--description TEXT] [--without N ...] [--shift N MM]
                      [--echo-times MS MS ...]

--without leaves slices out, from 1; --shift moves one along the normal; with --echo-times each slice
comes once for each echo, in one series.
"""

import argparse
import pathlib

import numpy
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

ORIENTATIONS = {
    "axial": ([1, 0, 0], [0, 1, 0]),
    "coronal": ([1, 0, 0], [0, 0, -1]),
    "sagittal": ([0, 1, 0], [0, 0, -1]),
    "oblique": ([0.96, 0.28, 0], [-0.224, 0.768, -0.6]),
}


def planes(shape, modality, seed):
    """Stored values, one slice at a time."""
    random = numpy.random.default_rng(seed)
    axes = [numpy.linspace(-1, 1, n) for n in shape]
    y, x = numpy.meshgrid(*axes[1:], indexing="ij")
    for z in axes[0]:
        values = numpy.where(x**2 + y**2 < 0.8, 40.0, -1000.0)
        values[(x / 0.4) ** 2 + (y / 0.5) ** 2 + (z / 0.6) ** 2 < 1] = 180.0
        values += random.normal(0, 10, shape[1:])
        stored = values + 1024 if modality == "CT" else values + 1100
        yield numpy.clip(numpy.rint(stored), 0, 4095).astype(numpy.uint16)


def parsed_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--modality", choices=["CT", "MR"], default="CT")
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--spacing", type=float, nargs=3, default=[2.0, 1.0, 1.0])
    parser.add_argument("--orientation", choices=ORIENTATIONS, default="axial")
    parser.add_argument("--study", default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--description", default="phantom")
    parser.add_argument("--without", type=int, nargs="+", default=[])
    parser.add_argument("--shift", type=float, nargs=2, default=[0, 0])
    parser.add_argument("--echo-times", nargs="+", default=["3"])
    return parser.parse_args()


def image(options, index, plane, echo):
    """One instance: all of it but the UIDs that it shares with its series, and its number."""
    row, column = (numpy.array(v, float) for v in ORIENTATIONS[options.orientation])
    normal = numpy.cross(row, column)
    meta = FileMetaDataset()
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID = CTImageStorage if options.modality == "CT" else MRImageStorage
    d.SOPInstanceUID = generate_uid(prefix="2.25.")
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.PatientName, d.PatientID = "SYNTHETIC^PHANTOM", "PHANTOM"
    d.PatientBirthDate, d.PatientSex = "", "O"
    d.StudyDate, d.StudyTime = "20260101", "120000"
    d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "1", "", ""
    d.Modality, d.SeriesNumber = options.modality, 1
    d.SeriesDescription, d.Manufacturer = options.description, "segmentd"
    d.PatientPosition, d.Laterality = "HFS", ""
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if options.modality == "CT" else "M"]
    d.ImageOrientationPatient = [f"{v:.6g}" for v in (*row, *column)]
    shift = options.shift[1] if index + 1 == options.shift[0] else 0
    position = normal * (options.spacing[0] * index + shift) + numpy.array([-20.0, -30.0, 10.0])
    d.ImagePositionPatient = [f"{v:.8g}" for v in position]
    d.PixelSpacing = [options.spacing[1], options.spacing[2]]
    d.SliceThickness = options.spacing[0]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows = d.Columns = options.size
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    if options.modality == "CT":
        d.RescaleIntercept, d.RescaleSlope, d.RescaleType = -1024, 1, "HU"
        d.KVP, d.AcquisitionNumber = "120", "1"
    else:
        d.ScanningSequence, d.SequenceVariant = "GR", "NONE"
        d.ScanOptions, d.MRAcquisitionType = "", "3D"
        d.RepetitionTime, d.EchoTime, d.EchoTrainLength = "8", echo, "1"
    d.PixelData = plane.tobytes()
    d["PixelData"].VR = "OW"
    return d


def main():
    options = parsed_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    study = options.study or generate_uid(prefix="2.25.")
    series, frame_of_reference = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
    shape = (options.slices, options.size, options.size)
    images = [
        image(options, index, plane, echo)
        for index, plane in enumerate(planes(shape, options.modality, options.seed))
        for echo in options.echo_times if index + 1 not in options.without
    ]  # fmt: skip
    for number, d in enumerate(images, 1):
        d.StudyInstanceUID, d.SeriesInstanceUID, d.InstanceNumber = study, series, number
        d.FrameOfReferenceUID, d.PositionReferenceIndicator = frame_of_reference, ""
        d.save_as(options.folder / f"IM{number:04d}.dcm", enforce_file_format=True)
    print(study, series)


main()
