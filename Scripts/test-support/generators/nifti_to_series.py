"""Writes a NIfTI volume as a classic DICOM MR series, so that labelled volumes can be sent.

usage: nifti_to_series.py IMAGE.nii.gz FOLDER

Columns, rows and slices are the NIfTI axes i, j, k; values are scaled to 12 bits.
"""

import pathlib
import sys

import nibabel
import numpy
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

image, folder = nibabel.load(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
affine = numpy.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # RAS to LPS
steps = numpy.linalg.norm(affine[:3, :3], axis=0)
directions = affine[:3, :3] / steps
values = numpy.asarray(image.dataobj, dtype=numpy.float64)
stored = numpy.rint(4095 * (values - values.min()) / max(numpy.ptp(values), 1e-9)).astype("<u2")

study, series, frame_of_reference = (generate_uid(prefix="2.25.") for _ in range(3))
for k in range(stored.shape[2]):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID, d.SeriesInstanceUID = study, series
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = frame_of_reference, ""
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "TEST^VOLUME", "TEST", "", "O"
    d.StudyDate, d.StudyTime, d.StudyID = "20260101", "120000", "1"
    d.AccessionNumber, d.ReferringPhysicianName = "", ""
    d.Modality, d.SeriesNumber, d.InstanceNumber = "MR", 1, k + 1
    d.Manufacturer, d.BodyPartExamined, d.PatientPosition = "segmentd", "BRAIN", "HFS"
    d.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = "GR", "MP", "", "3D"
    d.RepetitionTime, d.EchoTime, d.EchoTrainLength = "8", "3", "1"
    d.ImageOrientationPatient = [f"{v:.9g}" for v in (*directions[:, 0], *directions[:, 1])]
    d.ImagePositionPatient = [f"{v:.9g}" for v in affine[:3, 2] * k + affine[:3, 3]]
    d.PixelSpacing = [f"{steps[1]:.9g}", f"{steps[0]:.9g}"]
    d.SliceThickness = f"{steps[2]:.9g}"
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Columns, d.Rows = stored.shape[0], stored.shape[1]
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.PixelData = stored[:, :, k].T.tobytes()
    if len(d.PixelData) % 2:
        d.PixelData += b"\0"
    d["PixelData"].VR = "OW"
    d.save_as(folder / f"IM{k + 1:04d}.dcm", enforce_file_format=True)
print(series)
