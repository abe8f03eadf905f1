"""One defect each: nothing of such a series may be segmented."""

from pydicom.uid import RLELossless

from series_changes import (
    COLUMNS,
    ROWS,
    SLICES,
    clone,
    defect,
    enhanced,
    of_each,
    of_slice,
    raw,
    uid,
)

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
