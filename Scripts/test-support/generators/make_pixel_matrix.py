"""One phantom in every transfer syntax and bit layout, with the stored values of each frame.

usage: make_pixel_matrix.py FOLDER

Writes FOLDER/NAME.dcm, FOLDER/NAME.i32 (the stored values as pydicom reads them, int32 little
endian, frame after frame) and FOLDER/matrix.json: [{name, frames, tolerance, lossless}].
The files are written by pydicom, DCMTK, GDCM, OpenJPEG and OpenJPH, whichever has the encoder. A
lossless file that pydicom does not read back to the phantom is an error here.
"""

import json
import pathlib
import subprocess
import sys

import numpy
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2K,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

ROWS, COLUMNS = 37, 43  # odd, so that eight-bit frames need padding

# allocated, stored, high bit, signed
LAYOUTS = [
    (8, 8, 7, 0), (8, 8, 7, 1), (8, 6, 5, 0), (8, 6, 7, 0), (8, 7, 6, 1),
    (16, 8, 7, 0), (16, 9, 8, 1), (16, 10, 9, 0), (16, 11, 10, 1), (16, 12, 11, 0),
    (16, 12, 11, 1), (16, 12, 15, 0), (16, 12, 15, 1), (16, 12, 13, 1), (16, 13, 12, 0),
    (16, 14, 13, 1), (16, 15, 14, 0), (16, 16, 15, 0), (16, 16, 15, 1),
]  # fmt: skip


def phantom(stored, signed, frames=1):
    """Values that span the whole range, smooth with an edge, the extremes among them."""
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    z, y, x = numpy.mgrid[0:frames, 0:ROWS, 0:COLUMNS]
    ramp = (numpy.sin(x / 5 + z) + numpy.cos(y / 4) + 2) / 4
    ramp = numpy.where(x + y > 30, ramp / 2, ramp)
    values = numpy.round(low + ramp * (high - low)).astype(numpy.int32)
    values[:, 0, 0], values[:, -1, -1] = low, high
    return values


def dataset(layout, values, syntax=ExplicitVRLittleEndian):
    allocated, stored, high_bit, signed = layout
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.")
    meta.TransferSyntaxUID = syntax
    d = FileDataset(
        None, {}, file_meta=meta, preamble=b"\0" * 128,
        is_implicit_VR=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )  # fmt: skip
    d.SOPClassUID, d.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID = d.SeriesInstanceUID = d.FrameOfReferenceUID = "2.25.7"
    d.PatientID, d.PatientName, d.Modality = "PHANTOM", "Phantom", "CT"
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.ImagePositionPatient, d.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    d.PixelSpacing, d.RescaleSlope, d.RescaleIntercept = [1, 1], 1, 0
    d.Rows, d.Columns = ROWS, COLUMNS
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = layout
    if len(values) > 1:
        d.NumberOfFrames = len(values)
    cells = (values & (1 << stored) - 1) << (high_bit + 1 - stored)
    # Signed values are extended into the bits above, as most scanners do.
    if signed and high_bit == stored - 1:
        cells = values
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    native = cells.astype(numpy.int32) & (1 << allocated) - 1
    pixels = native.astype(f"{order}u{allocated // 8}").tobytes()
    pixels += b"\0" * (len(pixels) % 2)
    if syntax == ExplicitVRBigEndian and allocated == 8:
        # OW is swapped by words, whatever a sample is (PS3.5 8.1.1).
        pixels = numpy.frombuffer(pixels, "<u2").byteswap().tobytes()
    d.PixelData = pixels
    d["PixelData"].VR = "OW" if allocated == 16 or syntax == ExplicitVRBigEndian else "OB"
    return d


class Matrix:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.entries = []

    def path(self, name):
        return str(self.folder / f"{name}.dcm")

    def add(self, name, values, lossless=True, tolerance=0, peer=True):
        """`peer` is false where pydicom's decoders do not read the file."""
        expected = values
        if peer:
            d = dcmread(self.path(name))
            read = self.stored(d)
            if lossless and not numpy.array_equal(read, values):
                sys.exit(f"{name}: pydicom reads other values than were written")
            expected = read
        expected.astype("<i4").tofile(self.folder / f"{name}.i32")
        self.entries.append(
            {"name": name, "frames": len(values), "tolerance": tolerance, "lossless": lossless}
        )

    @staticmethod
    def stored(d):
        array = pixel_array(d, raw=True, correct_unused_bits=d.HighBit == d.BitsStored - 1)
        array = array.reshape(-1, d.Rows, d.Columns).astype(numpy.int64)
        # pydicom gives the cells; the bits of a value are cut out of them here.
        bits = (array >> (d.HighBit + 1 - d.BitsStored)) & ((1 << d.BitsStored) - 1)
        if d.PixelRepresentation:
            bits = numpy.where(bits >> d.BitsStored - 1 & 1, bits - (1 << d.BitsStored), bits)
        return bits.astype(numpy.int32)

    def finish(self):
        (self.folder / "matrix.json").write_text(json.dumps(self.entries, indent=1))


def native(matrix):
    for layout in LAYOUTS:
        label = "{}-{}-{}-{}".format(*layout[:3], "su"[not layout[3]])
        values = phantom(layout[1], layout[3])
        for syntax, short in [
            (ExplicitVRLittleEndian, "explicit"),
            (ImplicitVRLittleEndian, "implicit"),
            (ExplicitVRBigEndian, "big"),
            (DeflatedExplicitVRLittleEndian, "deflated"),
        ]:
            d = dataset(layout, values, syntax)
            d.save_as(matrix.path(f"{short}-{label}"), enforce_file_format=True)
            # pydicom does not swap the words of 8-bit samples.
            peer = not (syntax == ExplicitVRBigEndian and layout[0] == 8)
            matrix.add(f"{short}-{label}", values, peer=peer)
        # pydicom's encoder leaves out the high bytes of values of eight bits and fewer.
        if layout[0] == 8 or layout[1] > 8:
            d = dataset(layout, values)
            d.compress(RLELossless, generate_instance_uid=False)
            d.save_as(matrix.path(f"rle-{label}"), enforce_file_format=True)
            matrix.add(f"rle-{label}", values)
        subprocess.run(
            ["/usr/bin/dcmcrle", matrix.path(f"explicit-{label}"), matrix.path(f"dcmcrle-{label}")],
            check=True,
        )
        matrix.add(f"dcmcrle-{label}", values)


def ordinary_layouts():
    """Layouts without bits above the stored ones, with a name and values for each."""
    for layout in LAYOUTS:
        _, stored, high_bit, signed = layout
        if high_bit == stored - 1:
            yield layout, "{}-{}-{}-{}".format(*layout[:3], "su"[not signed]), phantom(stored, signed)


def dcmtk(matrix):
    """DCMTK's encoders of JPEG and JPEG-LS, and its own big-endian form."""
    for layout, label, values in ordinary_layouts():
        allocated, stored, _, signed = layout
        source = matrix.path(f"explicit-{label}")
        tools = [
            ("dcmconv-big", ["dcmconv", "+tb"], True, 0),
            ("jpeg-lossless", ["dcmcjpeg", "+el"], True, 0),
            ("jpeg-lossless-sv1", ["dcmcjpeg", "+e1"], True, 0),
            ("jpeg-ls", ["dcmcjpls", "+el"], True, 0),
        ]
        # DCMTK makes near-lossless JPEG-LS of unsigned values only, and of fewer than 8 bits one
        # that pydicom's decoder reads wrongly.
        if not signed and stored >= 8:
            tools.append(("jpeg-ls-near", ["dcmcjpls", "+en", "+md", "3"], False, 0))
        # Lossy DCT coding is of unsigned values; inverse transforms may round differently.
        if not signed and allocated == 8 and stored == 8:
            tools.append(("jpeg-baseline", ["dcmcjpeg", "+eb"], False, 1))
        if not signed and allocated == 16 and stored == 12:
            tools.append(("jpeg-extended", ["dcmcjpeg", "+ee"], False, 1))
        for kind, command, lossless, tolerance in tools:
            name = f"{kind}-{label}"
            done = subprocess.run(
                ["/usr/bin/" + command[0], *command[1:], source, matrix.path(name)],
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                sys.exit(f"{name}: {done.stderr}")
            peer = not (kind == "dcmconv-big" and allocated == 8)
            matrix.add(name, values, lossless, tolerance, peer)


def openjpeg(matrix):
    for layout, label, values in ordinary_layouts():
        for syntax, short, options in [
            (JPEG2000Lossless, "j2k-lossless", {}),
            (JPEG2000, "j2k", {"j2k_cr": [6]}),
        ]:
            d = dataset(layout, values)
            d.compress(syntax, generate_instance_uid=False, **options)
            d.save_as(matrix.path(f"{short}-{label}"), enforce_file_format=True)
            lossless = syntax == JPEG2000Lossless
            matrix.add(f"{short}-{label}", values, lossless, 0 if lossless else 1)


def openjph(matrix):
    """High-throughput JPEG 2000 of unsigned values, which is what OpenJPH takes as an image."""
    for layout in [l for l in LAYOUTS if l[2] == l[1] - 1 and not l[3] and l[1] in (8, 12, 16)]:
        allocated, stored, _, _ = layout
        values = phantom(stored, 0)
        label = "{}-{}-{}-u".format(*layout[:3])
        picture, code = matrix.folder / "frame.pgm", matrix.folder / "frame.j2c"
        header = f"P5 {COLUMNS} {ROWS} {(1 << stored) - 1}\n".encode()
        picture.write_bytes(header + values.astype(">u2" if stored > 8 else "u1").tobytes())
        for syntax, short, options, lossless in [
            (HTJ2KLossless, "htj2k-lossless", ["-reversible", "true", "-prog_order", "LRCP"], True),
            (HTJ2KLosslessRPCL, "htj2k-rpcl", ["-reversible", "true"], True),
            (HTJ2K, "htj2k", ["-qstep", "0.002"], False),
        ]:
            subprocess.run(
                ["ojph_compress", "-i", picture, "-o", code, *options],
                check=True,
                capture_output=True,
            )
            d = dataset(layout, values, syntax)
            d.PixelData = encapsulate([code.read_bytes()])
            d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
            d.save_as(matrix.path(f"{short}-{label}"), enforce_file_format=True)
            matrix.add(f"{short}-{label}", values, lossless, 0 if lossless else 1)
        picture.unlink()
        code.unlink()


def fragments(matrix):
    """Three frames in several fragments each, found by either offset table or by none."""
    layout, values = (16, 12, 11, 0), phantom(12, 0, frames=3)
    for coding in ("j2k", "jpeg", "jpegls"):
        d = dataset(layout, values)
        if coding == "j2k":
            d.compress(JPEG2000Lossless, generate_instance_uid=False)
        else:
            d.save_as(matrix.path("frames"), enforce_file_format=True)
            command = ["dcmcjpeg", "+e1"] if coding == "jpeg" else ["dcmcjpls", "+el"]
            target = matrix.path("compressed")
            subprocess.run(
                ["/usr/bin/" + command[0], *command[1:], matrix.path("frames"), target], check=True
            )
            d = dcmread(target)
            (matrix.folder / "compressed.dcm").unlink()
            (matrix.folder / "frames.dcm").unlink()
        codes = list(generate_frames(d.PixelData, number_of_frames=3))
        for kind, pieces, has_table in [
            ("one", 1, False), ("table", 3, True), ("no-table", 3, False)
        ]:  # fmt: skip
            d.PixelData = encapsulate(codes, fragments_per_frame=pieces, has_bot=has_table)
            name = f"fragments-{coding}-{kind}"
            d.save_as(matrix.path(name), enforce_file_format=True)
            matrix.add(name, values)
        pixels, offsets, lengths = encapsulate_extended(codes)
        d.PixelData, d.ExtendedOffsetTable, d.ExtendedOffsetTableLengths = pixels, offsets, lengths
        d.save_as(matrix.path(f"fragments-{coding}-extended"), enforce_file_format=True)
        matrix.add(f"fragments-{coding}-extended", values)
    d = dataset(layout, values)
    d.compress(RLELossless, generate_instance_uid=False)
    d.save_as(matrix.path("fragments-rle"), enforce_file_format=True)
    matrix.add("fragments-rle", values)
    for syntax, short in [(ExplicitVRBigEndian, "big"), (ExplicitVRLittleEndian, "explicit")]:
        eight = phantom(8, 1, frames=3)
        d = dataset((8, 8, 7, 1), eight, syntax)
        d.save_as(matrix.path(f"frames-{short}"), enforce_file_format=True)
        matrix.add(f"frames-{short}", eight, peer=short != "big")


def main():
    matrix = Matrix(sys.argv[1])
    for step in (native, dcmtk, openjpeg, openjph, fragments):
        step(matrix)
    matrix.finish()


main()
