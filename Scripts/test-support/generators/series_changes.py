"""A series of CT slices to be changed, and the register of changes with the verdicts that are right."""

import copy
import random

import numpy
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

COLUMNS, ROWS, SLICES, STEP = 30, 26, 10, 3.0
random.seed(4)


def uid():
    return generate_uid(prefix="2.25.")


def new_instance(d):
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = uid()
    return d


def clone(d):
    return new_instance(copy.deepcopy(d))


def base(series):
    """An upright CT: a bright ball in water, air around."""
    study, frame = uid(), uid()
    y, x = numpy.mgrid[0:ROWS, 0:COLUMNS]
    slices = []
    for k in range(SLICES):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        new_instance(d)
        d.SOPClassUID, d.Modality = CTImageStorage, "CT"
        d.PatientName, d.PatientID, d.PatientBirthDate = "Phantom^A", "PHANTOM", "19700101"
        d.PatientSex, d.PatientPosition = "O", "HFS"
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
        d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20260101", "120000", "1", ""
        d.ReferringPhysicianName, d.Manufacturer, d.PositionReferenceIndicator = "", "Test", ""
        d.SeriesNumber, d.InstanceNumber, d.AcquisitionNumber = 2, k + 1, 1
        d.ImageType, d.BodyPartExamined = ["ORIGINAL", "PRIMARY", "AXIAL"], "ABDOMEN"
        d.ImagePositionPatient = [-20.0, -30.0, STEP * k]
        d.ImageOrientationPatient, d.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.8, 0.7]
        d.SliceThickness, d.SpacingBetweenSlices, d.KVP = 3, 3, 120
        d.Rows, d.Columns, d.SamplesPerPixel = ROWS, COLUMNS, 1
        d.PhotometricInterpretation = "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -1024, "HU"
        inside = (x - 15) ** 2 + (y - 13) ** 2 < 120
        ball = (x - 15) ** 2 + (y - 13) ** 2 + (3 * (k - 5)) ** 2 < 60
        d.PixelData = numpy.where(ball, 1200, numpy.where(inside, 1030 + k, 24)).astype("<u2").tobytes()
        d["PixelData"].VR = "OW"
        slices.append(d)
    return slices


DEFECTS = {}


def defect(*verdicts, volumes=1, slices=SLICES, step=STEP, size=(COLUMNS, ROWS)):
    """Registers a function that changes the slices in place or returns others."""

    def register(change):
        dims = [[*size, slices]] * volumes if "held" not in verdicts else None
        DEFECTS[change.__name__] = (change, list(verdicts), dims, step)
        return change

    return register


def of_slice(index):
    """Turns a change of one dataset into a change of that slice."""

    def wrap(change):
        def whole(s):
            change(s[index])

        whole.__name__ = change.__name__
        return whole

    return wrap


def of_each(change):
    def whole(s):
        for d in s:
            change(d)

    whole.__name__ = change.__name__
    return whole


def raw(d, keyword, text):
    """Sets a decimal string letter by letter, also where it is none."""
    # Without VRs in the file nobody sees that pydicom was told of another one.
    d.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    del d[keyword]
    d.add_new(keyword, "LO", text.split("\\"))


def enhanced(slices, order, phases=1):
    """One enhanced CT instance of the slices in the order given."""
    d = copy.deepcopy(slices[0])
    new_instance(d)
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    order = list(order)
    for keyword in [
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
        "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "RescaleType",
    ]:  # fmt: skip
        delattr(d, keyword)
    d.NumberOfFrames = len(order)
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.8, 0.7]
    shared.PixelMeasuresSequence[0].SliceThickness = 3
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelValueTransformationSequence = [Dataset()]
    rescale = shared.PixelValueTransformationSequence[0]
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, -1024, "HU"
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for index, k in enumerate(order):
        group, content = Dataset(), Dataset()
        group.PlanePositionSequence = [Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = slices[k].ImagePositionPatient
        phase = index * phases // len(order) + 1
        content.StackID, content.InStackPositionNumber = "1", k + 1
        content.TemporalPositionIndex = phase
        content.DimensionIndexValues = [phase, k + 1]
        group.FrameContentSequence = [content]
        groups.append(group)
    d.PerFrameFunctionalGroupsSequence = Sequence(groups)
    d.PixelData = b"".join(slices[k].PixelData for k in order)
    return d
