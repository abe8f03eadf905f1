"""Habits of scanners: tiles, several volumes in one series, rounded numbers, tables; and what is wrong with them."""

import copy

import numpy
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DSfloat

from series_changes import (
    COLUMNS,
    ROWS,
    SLICES,
    STEP,
    clone,
    defect,
    enhanced,
    of_each,
    raw,
)

# Tiles of one image: all slices of the series, the positions computed from the first.


def as_mr(d):
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = MRImageStorage
    d.Modality = "MR"
    del d.RescaleType
    return d


def tiled(slices, per_row, per_column):
    d = as_mr(clone(slices[0]))
    d.Rows, d.Columns = ROWS * per_column, COLUMNS * per_row
    whole = numpy.zeros((d.Rows, d.Columns), "<u2")
    for k, s in enumerate(slices):
        row, column = k // per_row * ROWS, k % per_row * COLUMNS
        pixels = numpy.frombuffer(s.PixelData, "<u2").reshape(ROWS, COLUMNS)
        whole[row : row + ROWS, column : column + COLUMNS] = pixels
    d.PixelData = whole.tobytes()
    return d


def mosaic(slices, per_side=4):
    """Siemens': the corner is that of a slice as large as the mosaic about the same centre."""
    d = tiled(slices, per_side, per_side)
    d.Manufacturer, d.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    down, right = d.PixelSpacing
    shift = [(per_side - 1) * COLUMNS * right / 2, (per_side - 1) * ROWS * down / 2]
    x, y, z = slices[0].ImagePositionPatient
    d.ImagePositionPatient = [DSfloat(round(x - shift[0], 4)), DSfloat(round(y - shift[1], 4)), z]
    return d


def numaris_x(d, block=0x11, normal=(0.0, 0.0, 1.0), count=SLICES):
    d.add_new((0x0021, block), "LO", "SIEMENS MR SDI 02")
    d.add_new((0x0021, block << 8 | 0x01), "US", count)
    if normal:
        d.add_new((0x0021, block << 8 | 0x02), "FD", list(normal))
    return d


def with_protocol(d, step):
    lines = [f"sSliceArray.lSize = {SLICES}"]
    lines += [f"sSliceArray.asSlice[{k}].sPosition.dTra = {k * step}" for k in range(1, SLICES)]
    lines += ["sSliceArray.asSlice[0].sNormal.dTra = 1"]
    d.add_new((0x0021, 0x0010), "LO", "SIEMENS MR SDS 01")
    d.add_new((0x0021, 0x1019), "OB", b"\0\1<x>\n" + "\n".join(lines).encode() + b"\n### END\n")
    return d


@defect("accepted")
def mosaic_of_numaris_x(s):
    return [numaris_x(mosaic(s))]


@defect("accepted")
def mosaic_of_numaris_x_in_its_sequence(s):
    d = mosaic(s)
    d.add_new((0x0021, 0x0011), "LO", "SIEMENS MR SDI 02")
    d.add_new((0x0021, 0x11FE), "SQ", Sequence([numaris_x(Dataset(), 0x10)]))
    return [with_protocol(d, STEP)]


@defect("accepted")
def mosaic_numbered_from_the_head(s):
    """The first tile is the last slice, and the normal points to the feet."""
    return [numaris_x(mosaic(s[::-1]), normal=(0.0, 0.0, -1.0))]


@defect("held")
def mosaic_without_a_normal(s):
    return [numaris_x(mosaic(s), normal=None)]


@defect("held")
def mosaic_without_a_count(s):
    return [mosaic(s)]


@defect("held")
def mosaic_whose_protocol_has_other_steps(s):
    return [with_protocol(numaris_x(mosaic(s)), STEP + 0.5)]


@defect("held")
def mosaic_of_more_tiles_than_fit(s):
    return [numaris_x(mosaic(s), count=17)]


def grid(s, described=SLICES):
    d = tiled(s, 4, 3)
    d.Manufacturer, d.ImageType = "UIH", ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    items = []
    for k in range(described):
        item = Dataset()
        item.ImagePositionPatient = s[k].ImagePositionPatient
        items.append(item)
    d.add_new((0x0065, 0x0010), "LO", "Image Private Header")
    d.add_new((0x0065, 0x1050), "DS", str(SLICES))
    d.add_new((0x0065, 0x1051), "SQ", Sequence(items))
    return d


@defect("accepted")
def grid_of_united_imaging(s):
    return [grid(s)]


@defect("held")
def grid_of_united_imaging_with_a_slice_undescribed(s):
    return [grid(s, SLICES - 1)]


@defect("accepted")
def frames_that_are_called_a_mosaic(s):
    d = enhanced(s, range(SLICES))
    d.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    return [d]


# Several volumes.


def doubled(s, change):
    others = [clone(d) for d in s]
    for k, (d, o) in enumerate(zip(s, others)):
        change(k, d, o)
    return s + others


@defect("accepted", volumes=2)
def magnitude_and_phase_by_a_private_number(s):
    def mark(_, d, o):
        for image, number in [(d, 0), (o, 1)]:
            as_mr(image)
            image.add_new((0x0043, 0x0010), "LO", "GEMS_PARM_01")
            image.add_new((0x0043, 0x102F), "SS", number)

    return doubled(s, mark)


@defect("accepted", volumes=2)
def two_phases_over_midnight(s):
    def mark(k, d, o):
        d.AcquisitionDate, d.AcquisitionTime = "20260101", f"2359{40 + k:02}"
        o.AcquisitionDate, o.AcquisitionTime = "20260102", f"0000{k:02}"

    return doubled(s, mark)


@defect("accepted", volumes=5)
def five_phases_after_contrast(s):
    images = list(s)
    for phase in range(1, 5):
        for k, d in enumerate(s):
            o = clone(as_mr(d) if d.Modality == "CT" else d)
            o.TemporalPositionIdentifier, o.InstanceNumber = phase + 1, phase * SLICES + k + 1
            images.append(o)
    for d in s:
        d.TemporalPositionIdentifier = 1
    return images


@defect("held")
def last_phase_breaks_off(s):
    def mark(_, d, o):
        d.TemporalPositionIdentifier, o.TemporalPositionIdentifier = 1, 2

    return doubled(s, mark)[:-3]


@defect("repaired")
def trace_and_diffusion_coefficient(s):
    def mark(_, d, o):
        as_mr(d).ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"]
        as_mr(o).ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]

    return doubled(s, mark)


@defect("accepted", volumes=2)
def overlapping_blocks(s):
    def mark(k, d, o):
        d.AcquisitionNumber, o.AcquisitionNumber = 1, 2
        o.ImagePositionPatient = [-20, -30, DSfloat(STEP * (k + 7) + 1.5)]

    return doubled(s, mark)


@defect("repaired")
def scouts_in_three_planes(s):
    scouts = []
    for cosines in ([1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]):
        scout = clone(s[4])
        scout.ImageOrientationPatient = cosines
        scouts.append(scout)
    topogram = clone(s[4])
    topogram.ImageType, topogram.Rows = ["ORIGINAL", "PRIMARY", "LOCALIZER"], ROWS // 2
    topogram.PixelData = topogram.PixelData[: ROWS // 2 * COLUMNS * 2]
    return s + scouts + [topogram]


@defect("repaired")
def dose_screen_beside(s):
    screen = clone(s[0])
    screen.SOPClassUID = screen.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    screen.ImageType = ["DERIVED", "SECONDARY", "DOSE_INFO"]
    return s + [screen]


@defect("accepted")
def derived_by_lossy_compression(s):
    for d in s:
        d.ImageType, d.LossyImageCompression = ["DERIVED", "PRIMARY", "AXIAL"], "01"


@defect("held")
@of_each
def reformatted_throughout(d):
    d.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]


@defect("accepted")
def positron_emission_with_a_slope_for_each_slice(s):
    for k, d in enumerate(s):
        d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
        d.Modality, d.Units, d.RescaleIntercept = "PT", "BQML", 0
        d.RescaleSlope, d.FrameReferenceTime = DSfloat(round(0.5 + k / 64, 6)), 1000 + k
        del d.RescaleType


# Numbers.


def at(s, place):
    for k, d in enumerate(s):
        d.ImagePositionPatient = [DSfloat("-20.517578"), -30, DSfloat(place(k))]


@defect("repaired", step=None)
def positions_rounded_to_tenths(s):
    at(s, lambda k: round(1.24 * k, 1))


@defect("repaired", step=None)
def positions_rounded_to_halves(s):
    at(s, lambda k: round(2 * 3.27 * k) / 2)


@defect("accepted", step=None)
def positions_rounded_to_hundredths(s):
    at(s, lambda k: round(0.626 * k, 2))


@defect("held")
def one_step_half_a_millimetre_wider(s):
    at(s, lambda k: STEP * k + (0.5 if k > 5 else 0))


@defect("accepted")
def orientation_drifts(s):
    for k, d in enumerate(s):
        d.ImageOrientationPatient = [1, DSfloat(round(1e-5 * k, 6)), 0, 0, 1, 0]


@defect("accepted")
def padding_stored_with_the_other_sign(s):
    for d in s:
        d.PixelRepresentation = 1
        d.add_new("PixelPaddingValue", "US", 63536)


# A table in the place of slope and intercept.


def table(d, entries=2048, kind="HU", beside_slope=False):
    if not beside_slope:
        del d.RescaleSlope, d.RescaleIntercept, d.RescaleType
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [2048, 0, 16])
    item.ModalityLUTType = kind
    item.add_new("LUTData", "OW", numpy.arange(entries, dtype="<u2").tobytes())
    d.ModalityLUTSequence = Sequence([item])


@defect("accepted")
@of_each
def table_instead_of_a_slope(d):
    table(d)


@defect("held")
@of_each
def table_beside_a_slope(d):
    table(d, beside_slope=True)


@defect("held")
@of_each
def table_cut_short(d):
    table(d, entries=2000)


@defect("held")
@of_each
def table_of_optical_density(d):
    table(d, kind="OD")


# The patient as archives write him.


@defect("accepted")
def name_padded_by_an_archive(s):
    forms = ["Phantom^A", "Phantom^A^^^ ", "PHANTOM^A", "Phantom^A=\u5c71\u7530", "Phantom ^A", ""]
    for k, d in enumerate(s):
        d.SpecificCharacterSet = "ISO_IR 192"
        d.PatientName = forms[k % len(forms)]


@defect("held")
def name_of_another_component_in_one(s):
    s[5].PatientName = "Phantom^A^B"


@defect("held")
@of_each
def empty_orientation(d):
    raw(d, "ImageOrientationPatient", "")


@defect("accepted")
def instance_numbers_missing(s):
    for d in s:
        del d.InstanceNumber


@defect("accepted")
@of_each
def more_digits_than_a_decimal_string_holds(d):
    z = float(d.ImagePositionPatient[2])
    raw(d, "ImagePositionPatient", f"-20.00000000000000000001\\-30\\{z:.24f}")


@defect("accepted", volumes=2, slices=SLICES)
def enhanced_phases_in_any_order(s):
    d = enhanced(s, list(range(SLICES)) * 2, phases=2)
    groups = list(d.PerFrameFunctionalGroupsSequence)
    size = 2 * ROWS * COLUMNS
    order = [(7 * k) % (2 * SLICES) for k in range(2 * SLICES)]
    d.PerFrameFunctionalGroupsSequence = Sequence([copy.deepcopy(groups[k]) for k in order])
    d.PixelData = b"".join(d.PixelData[k * size : (k + 1) * size] for k in order)
    return [d]
