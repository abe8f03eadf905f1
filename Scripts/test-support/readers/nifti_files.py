"""Writes NIfTI files with nibabel, or compares label files with those they were made for.

usage: nifti_files.py write FOLDER
       nifti_files.py compare LABELS SOURCE      same version, sform, qform and codes to the bit
       nifti_files.py affine FILE                the affine as JSON, four rows

`write` leaves for each file NAME its scaled voxels in NAME.f64 (x fastest) and, in files.json,
its shape, affine (RAS), version and datatype.
"""

import json
import sys
from pathlib import Path

import nibabel
import numpy as np

TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def oblique(rng):
    q = nibabel.quaternions.mat2quat(np.eye(3)) + rng.normal(0, 0.3, 4)
    rotation = nibabel.quaternions.quat2mat(q / np.linalg.norm(q))
    flip = np.diag(rng.choice([-1.0, 1.0], 3))
    affine = np.eye(4)
    affine[:3, :3] = rotation @ flip @ np.diag(rng.uniform(0.4, 4, 3))
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return affine


def make(rng, index, kind, version, order):
    shape = tuple(int(n) for n in rng.integers(2, 9, 3))
    if index % 7 == 3:
        shape += (3,)
    info = np.iinfo(kind) if kind[0] in "iu" else None
    values = (rng.integers(max(info.min, -2**52), min(info.max, 2**52), shape, endpoint=True)
              if info else rng.normal(0, 1000, shape)).astype(kind)
    klass = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    header = klass.header_class(endianness=order)
    header.set_data_dtype(np.dtype(kind).newbyteorder(order))
    image = klass(values, None, header)
    affine = oblique(rng)
    # Each of the maps alone, both equal, and both different (the sform counts).
    if index % 4 != 1:
        image.set_sform(affine, 1)
    if index % 4 != 2:
        image.set_qform(affine if index % 4 != 3 else oblique(rng), 1)
    if index % 4 == 1:
        image.set_sform(None, 0)
    if index % 4 == 2:
        image.set_qform(None, 0)
    return image


def write(folder):
    rng = np.random.default_rng(20261124)
    listed = []
    index = 0
    for kind in TYPES:
        for version in (1, 2):
            for order in "<>":
                image = make(rng, index, kind, version, order)
                path = folder / f"{kind}-{version}-{'le' if order == '<' else 'be'}.nii"
                path = path.with_suffix(".nii.gz") if index % 2 else path
                slope, intercept = [(1, 0), (0.5, -7), (2.25, 1000)][index % 3]
                image.header.set_slope_inter(slope, intercept)
                stored = np.asarray(image.dataobj)
                image.to_filename(path)
                with open_for_patch(path) as patched:  # nibabel chooses its own scaling
                    patched.scale(slope, intercept, version, order)
                    patched.store(stored)
                again = nibabel.load(path)
                np.asarray(again.dataobj, np.float64).T.tofile(folder / (path.name + ".f64"))
                shape = list(again.shape) + [1] * (4 - again.ndim)
                listed.append({"name": path.name, "shape": shape, "version": version,
                               "affine": again.affine.tolist(), "kind": kind})
                index += 1
    (folder / "files.json").write_text(json.dumps(listed))


class open_for_patch:
    """The file's bytes, written back when done."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        with nibabel.openers.Opener(self.path) as file:
            self.bytes = bytearray(file.read())
        return self

    def scale(self, slope, intercept, version, order):
        at, kind = (112, "f4") if version == 1 else (176, "f8")
        values = np.array([slope, intercept], np.dtype(kind).newbyteorder(order))
        self.bytes[at:at + values.nbytes] = values.tobytes()

    def store(self, values):
        stored = nibabel.load(self.path).header.get_data_dtype()
        raw = values.astype(stored).tobytes(order="F")
        self.bytes[-len(raw):] = raw

    def __exit__(self, *_):
        with nibabel.openers.Opener(self.path, "wb") as file:
            file.write(bytes(self.bytes))


def compare(labels, source):
    a, b = nibabel.load(labels), nibabel.load(source)
    assert type(a) is type(b), (type(a), type(b))
    assert a.header["sform_code"] == b.header["sform_code"], "sform_code"
    assert a.header["qform_code"] == b.header["qform_code"], "qform_code"
    assert np.array_equal(a.affine, b.affine), (a.affine, b.affine)
    if b.header["sform_code"] > 0:
        assert np.array_equal(a.get_sform(), b.get_sform()), "sform"
    if b.header["qform_code"] > 0:
        assert np.array_equal(a.get_qform(), b.get_qform()), "qform"
    assert a.shape == b.shape[:3], (a.shape, b.shape)
    assert a.get_data_dtype() == np.uint8
    expected = np.arange(np.prod(a.shape)) % 5
    assert np.array_equal(np.asarray(a.dataobj).ravel(order="F"), expected), "voxels"


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    elif sys.argv[1] == "compare":
        compare(sys.argv[2], sys.argv[3])
    else:
        print(json.dumps(nibabel.load(sys.argv[2]).affine.tolist()))
