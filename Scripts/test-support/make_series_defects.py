"""Series with one habit or defect each, as scanners, archives and anonymisers make them.

usage: make_series_defects.py FOLDER

Writes FOLDER/NAME/*.dcm and FOLDER/expected.json: by NAME, the Series Instance UID, the verdicts
that are right ("accepted", "repaired" or "held"; often one), and, where the series is not held,
the volumes' sizes [columns, rows, slices] and the step between slices in mm.
"""

import copy
import json
import math
import pathlib
import random
import sys

import numpy
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    generate_uid,
)
from pydicom.valuerep import DSfloat

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


# Habits that change nothing: the same volume must come out.


@defect("accepted")
def plain(s):
    pass


@defect("accepted")
def files_in_random_order(s):
    return random.sample(s, len(s))


@defect("accepted")
def instance_numbers_backwards_and_negative_step(s):
    for k, d in enumerate(s):
        d.InstanceNumber, d.SpacingBetweenSlices, d.SliceLocation = 99 - k, -3, -3.0 * k


@defect("accepted")
def rounding_jitter_of_the_orientation(s):
    for d in s:
        jitter = [random.uniform(-2e-5, 2e-5) for _ in range(6)]
        d.ImageOrientationPatient = [
            DSfloat(round(a + b, 6)) for a, b in zip([1, 0, 0, 0, 1, 0], jitter)
        ]


@defect("accepted")
def rounding_jitter_of_the_position(s):
    for k, d in enumerate(s):
        z = round(STEP * k + random.uniform(-8e-4, 8e-4), 4)
        d.ImagePositionPatient = [-20, -30, DSfloat(z)]


@defect("accepted")
def interleaved_acquisitions(s):
    for k, d in enumerate(s):
        d.AcquisitionNumber, d.InstanceNumber = k % 2 + 1, k // 2 + 1 + 5 * (k % 2)
        d.AcquisitionTime = f"1200{k % 2:02d}"


@defect("accepted")
def interleaved_stations(s):
    for k, d in enumerate(s):
        d.StationName, d.DeviceSerialNumber = f"CT{k % 2}", str(k % 2)


@defect("accepted")
def mixed_transfer_syntaxes(s):
    for d in s[::3]:
        d.compress(RLELossless, generate_instance_uid=False)


@defect("accepted")
def slope_differs_per_slice(s):
    for k, d in enumerate(s):
        d.RescaleSlope = 1 + k / 128


@defect("accepted")
@of_each
def dates_out_of_range(d):
    raw(d, "StudyDate", "20269999")
    d.add_new("AcquisitionDate", "LO", "00000000")
    d.add_new("AcquisitionTime", "LO", "250000")


@defect("accepted")
@of_each
def imager_pixel_spacing_differs(d):
    d.ImagerPixelSpacing, d.NominalScannedPixelSpacing = [0.4, 0.4], [1.6, 1.4]


@defect("accepted")
@of_each
def thickness_is_no_step(d):
    d.SliceThickness, d.SpacingBetweenSlices = 5, 7


@defect("accepted")
@of_each
def tilt_attribute_without_tilt(d):
    d.GantryDetectorTilt = 18.5


@defect("accepted")
@of_each
def monochrome1_throughout(d):
    d.PhotometricInterpretation = "MONOCHROME1"


@defect("accepted")
@of_each
def stored_in_the_high_bits(d):
    d.HighBit = 15
    d.PixelData = (numpy.frombuffer(d.PixelData, "<u2") << 4).astype("<u2").tobytes()


@defect("accepted")
@of_each
def overlay_in_the_unused_bits(d):
    d.PixelData = (numpy.frombuffer(d.PixelData, "<u2") | 0x8000).astype("<u2").tobytes()


@defect("accepted")
@of_each
def decimal_strings_padded(d):
    for keyword, text in [
        ("PixelSpacing", " 0.8 \\0.70000000 "),
        ("RescaleIntercept", "-1.024E+03"),
        ("ImagePositionPatient", "-20 \\ -30.0\\" + f"+{float(d.ImagePositionPatient[2]):.6e}"),
    ]:
        raw(d, keyword, text)


@defect("accepted")
def rows_and_columns_swapped_throughout(s):
    """The cosines of row and column in the other order: a mirrored, regular volume."""
    for d in s:
        d.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]


@defect("accepted")
def feet_first(s):
    for k, d in enumerate(s):
        d.PatientPosition, d.ImagePositionPatient = "FFS", [-20, -30, -STEP * k]


@defect("accepted", step=STEP)
def oblique(s):
    a = math.radians(25)
    row, column = numpy.array([1, 0, 0]), numpy.array([0, math.cos(a), math.sin(a)])
    normal = numpy.cross(row, column)
    for k, d in enumerate(s):
        d.ImageOrientationPatient = [DSfloat(round(v, 6)) for v in [*row, *column]]
        d.ImagePositionPatient = [DSfloat(round(v, 4)) for v in STEP * k * normal]


@defect("accepted")
def signed_and_unsigned_mixed(s):
    for d in s[::2]:
        d.PixelRepresentation = 1


@defect("accepted")
def far_from_the_isocentre(s):
    for k, d in enumerate(s):
        d.ImagePositionPatient = [-20, -30, DSfloat(1847.5 + STEP * k)]


@defect("accepted")
def enhanced_frames_shuffled(s):
    return [enhanced(s, random.sample(range(SLICES), SLICES))]


@defect("accepted", volumes=2, slices=SLICES)
def enhanced_two_phases(s):
    return [enhanced(s, list(range(SLICES)) * 2, phases=2)]


# Series that hold several volumes, or one after a repair that must be named.


@defect("accepted", "repaired", volumes=2)
def two_kernels(s):
    others = [clone(d) for d in s]
    for d, o in zip(s, others):
        d.ConvolutionKernel, o.ConvolutionKernel = "Br40", "Bl64"
        o.InstanceNumber = d.InstanceNumber + SLICES
    return s + others


@defect("accepted", "repaired", volumes=2)
def two_echoes(s):
    for d in s:
        d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = MRImageStorage
        d.Modality, d.EchoTime = "MR", 4.6
        del d.RescaleType
    others = [clone(d) for d in s]
    for o in others:
        o.EchoTime = 9.2
    return s + others


@defect("repaired")
def a_projection_among_the_slices(s):
    mip = clone(s[4])
    mip.ImageType = ["DERIVED", "SECONDARY", "MIP"]
    return s + [mip]


@defect("repaired", step=None)
def tilted(s):
    a = math.radians(12)
    for d in s:
        d.ImageOrientationPatient = [1, 0, 0, 0, round(math.cos(a), 6), round(math.sin(a), 6)]


@defect("accepted", "repaired")
def sent_twice(s):
    return s + [copy.deepcopy(s[3])]


@defect("accepted", "repaired")
def sent_again_under_a_new_uid(s):
    return s + [clone(s[3])]


# Defects: nothing may be segmented.


@defect("held")
@of_slice(4)
def rows_and_columns_swapped_in_one(d):
    d.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]


@defect("held")
def other_pixels_at_one_position(s):
    other = clone(s[3])
    other.PixelData = s[8].PixelData
    return s + [other]


@defect("held")
@of_each
def decimal_commas(d):
    raw(d, "ImagePositionPatient", f"-20,0\\-30,0\\{d.ImagePositionPatient[2]:.1f}".replace(".", ","))


@defect("held")
@of_slice(5)
def a_position_that_is_no_number(d):
    raw(d, "ImagePositionPatient", "nan\\-30\\15")


@defect("held")
@of_slice(5)
def an_endless_position(d):
    raw(d, "ImagePositionPatient", "inf\\-30\\15")


@defect("held")
@of_slice(5)
def a_position_of_two_numbers(d):
    raw(d, "ImagePositionPatient", "-30\\15")


@defect("held")
@of_each
def more_rows_than_pixels(d):
    d.Rows += 4


@defect("held")
@of_slice(5)
def more_rows_than_pixels_in_one(d):
    d.Rows += 4


@defect("held")
@of_slice(5)
def pixel_data_too_long(d):
    d.PixelData += bytes(2 * COLUMNS)


@defect("held")
@of_slice(5)
def pixel_data_too_short(d):
    d.PixelData = d.PixelData[:-2]


@defect("held")
@of_slice(5)
def no_pixel_data(d):
    del d.PixelData


@defect("held")
@of_slice(5)
def run_length_code_cut_off(d):
    d.compress(RLELossless, generate_instance_uid=False)
    code = d.PixelData[16:-8]
    half = code[: len(code) // 4 * 2]
    item = b"\xfe\xff\x00\xe0"
    d.PixelData = item + bytes(4) + item + len(half).to_bytes(4, "little") + half
    d.PixelData += b"\xfe\xff\xdd\xe0" + bytes(4)


@defect("held")
@of_slice(5)
def monochrome1_in_one(d):
    d.PhotometricInterpretation = "MONOCHROME1"


@defect("held")
@of_slice(5)
def colour_in_one(d):
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PlanarConfiguration = 3, "RGB", 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 8, 8, 7
    d.PixelData = bytes(3 * ROWS * COLUMNS)


@defect("held")
@of_slice(5)
def empty_frame_of_reference_in_one(d):
    d.FrameOfReferenceUID = ""


@defect("held")
@of_each
def only_imager_pixel_spacing(d):
    d.ImagerPixelSpacing = d.PixelSpacing
    del d.PixelSpacing


@defect("held")
@of_slice(5)
def pixel_spacing_swapped_in_one(d):
    d.PixelSpacing = [0.7, 0.8]


@defect("held")
@of_each
def pixel_spacing_of_zero(d):
    d.PixelSpacing = [0, 0]


@defect("held")
def side_of_the_body_changes(s):
    for k, d in enumerate(s):
        d.Laterality = "L" if k < 7 else "R"


@defect("held")
@of_slice(5)
def another_patients_name_in_one(d):
    d.PatientName = "Phantom^B"


@defect("held")
@of_slice(5)
def another_birth_date_in_one(d):
    d.PatientBirthDate = "19700102"


@defect("held")
@of_slice(5)
def another_study_in_one(d):
    d.StudyInstanceUID = uid()


@defect("held")
@of_slice(5)
def another_modality_in_one(d):
    d.Modality = "MR"


@defect("held")
@of_slice(5)
def one_slice_beside_the_line(d):
    d.ImagePositionPatient = [-15, -30, d.ImagePositionPatient[2]]


@defect("held")
def two_slices_missing(s):
    return s[:4] + s[6:]


@defect("held")
def two_gaps_and_an_odd_step(s):
    s[7].ImagePositionPatient = [-20, -30, 22.1]
    return s[:2] + s[3:5] + s[6:]


@defect("held")
@of_each
def no_rescale_intercept(d):
    del d.RescaleIntercept


@defect("held")
@of_slice(5)
def slope_of_zero_in_one(d):
    d.RescaleSlope = 0


@defect("held")
@of_each
def optical_density_instead_of_hounsfield_units(d):
    d.RescaleType = "OD"


@defect("held")
@of_slice(5)
def two_frames_claimed_of_one(d):
    d.NumberOfFrames = 2


@defect("held")
@of_each
def orientation_not_perpendicular(d):
    d.ImageOrientationPatient = [1, 0, 0, 0.5, 0.866025, 0]


@defect("held")
@of_each
def orientation_of_zeros(d):
    d.ImageOrientationPatient = [0, 0, 0, 0, 0, 0]


@defect("held")
def every_slice_at_one_position(s):
    for d in s:
        d.ImagePositionPatient = [-20, -30, 0]


@defect("held")
def enhanced_frame_without_position(s):
    d = enhanced(s, range(SLICES))
    del d.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
    return [d]


@defect("held")
def enhanced_frame_missing(s):
    return [enhanced(s, [k for k in range(SLICES) if k != 6])]


@defect("held")
def enhanced_more_frames_than_described(s):
    d = enhanced(s, range(SLICES))
    d.NumberOfFrames = SLICES + 1
    return [d]


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


def main():
    folder = pathlib.Path(sys.argv[1])
    expected = {}
    for name, (change, verdicts, dims, step) in DEFECTS.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        series = uid()
        slices = base(series)
        changed = change(slices) or slices
        for index, d in enumerate(changed):
            # As they are: pydicom must mend nothing.
            d.save_as(target / f"{index:03}.dcm", enforce_file_format=True)
        expected[name] = {
            "series": series, "verdicts": verdicts, "volumes": dims,
            "step": step if dims else None,
        }  # fmt: skip
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


main()
