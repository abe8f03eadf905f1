"""Files for the tests of the listener and the sender: one for each transfer syntax."""

import pathlib
import subprocess

import numpy
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.uid import HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL
from pydicom.uid import JPEG2000, JPEG2000Lossless, MRImageStorage, SecondaryCaptureImageStorage
from pydicom.uid import SegmentationStorage, generate_uid


def image(sop_class, size=64, bits=12):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    d.StudyInstanceUID = d.SeriesInstanceUID = generate_uid(prefix="2.25.")
    d.PatientID, d.PatientName, d.Modality = "PHANTOM", "Phantom", "CT"
    d.Rows = d.Columns = size
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated = 8 if bits == 8 else 16
    d.BitsStored, d.HighBit, d.PixelRepresentation = bits, bits - 1, 0
    y, x = numpy.mgrid[0:size, 0:size]
    values = (x * 7 + y * 13) % (1 << bits)
    d.PixelData = values.astype(numpy.uint8 if bits == 8 else numpy.uint16).tobytes()
    return d


def phantom(folder, size="64"):
    folder, size = pathlib.Path(folder), int(size)
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "mr": MRImageStorage,
        "secondary-capture": SecondaryCaptureImageStorage,
        "segmentation": SegmentationStorage,
        "explicit-little": CTImageStorage,
    }
    for name, sop_class in names.items():
        image(sop_class, size).save_as(folder / f"{name}.dcm", enforce_file_format=True)
    image(CTImageStorage, size, 8).save_as(folder / "eight-bits.dcm", enforce_file_format=True)
    twelve, eight = str(folder / "explicit-little.dcm"), str(folder / "eight-bits.dcm")
    for name, command, source in [
        ("implicit-little", ["dcmconv", "+ti"], twelve),
        ("explicit-big", ["dcmconv", "+tb"], twelve),
        ("deflated", ["dcmconv", "+td"], twelve),
        ("rle", ["dcmcrle"], twelve),
        ("jpeg-baseline", ["dcmcjpeg", "+eb"], eight),
        ("jpeg-extended", ["dcmcjpeg", "+ee"], twelve),
        ("jpeg-lossless", ["dcmcjpeg", "+el"], twelve),
        ("jpeg-lossless-first-order", ["dcmcjpeg", "+e1"], twelve),
        ("jpeg-ls-lossless", ["dcmcjpls", "+el"], twelve),
        ("jpeg-ls-near-lossless", ["dcmcjpls", "+en"], twelve),
    ]:
        target = str(folder / f"{name}.dcm")
        subprocess.run(["/usr/bin/" + command[0], *command[1:], source, target], check=True)
    # The network layer carries codestreams and never looks into them, so any bytes will do.
    for name, syntax in [
        ("jpeg-2000-lossless", JPEG2000Lossless),
        ("jpeg-2000", JPEG2000),
        ("htj2k-lossless", HTJ2KLossless),
        ("htj2k-lossless-rpcl", HTJ2KLosslessRPCL),
        ("htj2k", HTJ2K),
    ]:
        d = dcmread(twelve)
        d.file_meta.TransferSyntaxUID = syntax
        d.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(range(256)) * 8])
        d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
        d.save_as(folder / f"{name}.dcm", enforce_file_format=True)
