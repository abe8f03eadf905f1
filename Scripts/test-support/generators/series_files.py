"""Habits and faults of files: how archives store the same slices."""

import copy

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from series_changes import defect, of_each, of_slice, uid

# `rewrite` changes the bytes of a file after it was written.


def dataset_offset(data):
    """Where the dataset begins: the group length of the file meta information says."""
    return 144 + int.from_bytes(data[140:144], "little")


@defect("accepted")
@of_each
def without_preamble(d):
    d.rewrite = lambda data: data[132:]


@defect("accepted")
@of_each
def bare_datasets(d):
    d.rewrite = lambda data: data[dataset_offset(data) :]


@defect("accepted")
@of_each
def bare_implicit_datasets(d):
    d.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    d.rewrite = lambda data: data[dataset_offset(data) :]


@defect("accepted")
@of_each
def deflated(d):
    d.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


@defect("accepted")
@of_each
def with_group_lengths(d):
    def insert(data):
        start = dataset_offset(data)
        length = b"\x08\x00\x00\x00UL\x04\x00" + (4711).to_bytes(4, "little")
        return data[:start] + length + data[start:]

    d.rewrite = insert


@defect("accepted")
@of_each
def values_of_odd_length(d):
    def shorten(data):
        # Study ID "1" without its padding.
        padded = b"\x20\x00\x10\x00SH\x02\x001 "
        assert padded in data
        return data.replace(padded, b"\x20\x00\x10\x00SH\x01\x001")

    d.rewrite = shorten


@defect("accepted")
@of_each
def geometry_without_value_representations(d):
    """UN in an explicit file, as an archive stores what it does not know."""
    for keyword in ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]:
        text = "\\".join(str(v) for v in d[keyword].value).encode()
        tag = d[keyword].tag
        del d[keyword]
        d.add_new(tag, "UN", text + b" " * (len(text) % 2))


@defect("accepted")
@of_each
def private_elements_without_a_creator(d):
    d.add_new((0x0019, 0x100C), "UN", b"12")
    d.add_new((0x0043, 0x1039), "UN", b"7\\8 ")


@defect("repaired")
def sent_twice_in_another_transfer_syntax(s):
    others = [copy.deepcopy(d) for d in s]
    for o in others:
        o.compress(RLELossless, generate_instance_uid=False)
    return s + others


@defect("accepted")
def directory_beside(s):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = uid(), ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.FileSetID, record = "TEST", Dataset()
    record.DirectoryRecordType, record.PatientID = "PATIENT", "PHANTOM"
    d.DirectoryRecordSequence = Sequence([record])
    return s + [d]


@defect("held")
@of_slice(-1)
def last_file_cut_off(d):
    d.rewrite = lambda data: data[:-700]


@defect("held")
@of_slice(-1)
def last_header_damaged(d):
    def damage(data):
        at = data.index(b"\x28\x00\x02\x00US")
        return data[: at + 4] + b"\0\0" + data[at + 6 :]

    d.rewrite = damage
