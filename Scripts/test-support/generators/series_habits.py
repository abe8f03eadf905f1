"""Habits of scanners, archives and anonymisers that make no other volume, or several, or one to be repaired."""

import copy
import math
import random

import numpy
from pydicom.uid import MRImageStorage, RLELossless
from pydicom.valuerep import DSfloat

from series_changes import (
    SLICES,
    STEP,
    clone,
    defect,
    enhanced,
    of_each,
    raw,
)

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
