"""Draws synthetic hippocampus subjects with known labels and writes them as DICOM MR series.

    python make_synthetic.py --data ../../../shared/hippocampus --output ../../Fixtures/series

Real volumes are never committed, so the demo's subjects come from a statistical model of the 240 labelled volumes:

1. Every case is shifted so that its hippocampus is in the middle of a 48 x 64 x 48 frame and z-scored.
2. Shape and intensity vary together: principal components of the signed distance maps of both labels and of the image,
   side by side; a subject is a Gaussian draw over the leading components.
3. Within a few millimetres of the drawn surface the mean intensity as a function of the distance to it is set to the
   mean profile learned from the cases, so that the image belongs to the labels.
4. Part of what the components leave out is added as noise with the residual's spectrum and random phases (all of it
   would be too much: in real images most of it is structure, not noise).

Every subject is compared with all cases by Dice of the labels (after alignment) and correlation of the images; a draw
too close to one patient is rejected. Beside each series lie the known labels: `NAME.labels.nii.gz` (uint8, in the
series' geometry) and `NAME.labels.safetensors` (tensor `labels`, F16, shape (slices, rows, columns), slices sorted along
the normal of the planes, 0 background, 1 anterior, 2 posterior).
"""

import argparse
import json
from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UID
from safetensors.numpy import save_file
from scipy import ndimage

from metrics import dice
from pipeline import case_names, normalise, read_nifti

FRAME = (48, 64, 48)
REACH = 6.0  # distance maps are cut at this many mm
NOISE = 0.3  # part of the residual's amplitude that is added as noise
VOLUMES = (1050, 2150)  # mm3 of either part, about the range of the cases
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def align(data, name):
    """Image, labels and the mask of voxels that exist, hippocampus in the middle of FRAME."""
    image = normalise(read_nifti(Path(data) / "images" / f"{name}.nii.gz"))
    labels = read_nifti(Path(data) / "labels" / f"{name}.nii.gz").astype(np.uint8)
    shift = np.array(FRAME) // 2 - np.round(ndimage.center_of_mass(labels > 0)).astype(int)
    placed = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.uint8), np.zeros(FRAME, bool)
    source = tuple(slice(max(0, -s), min(n, f - s)) for s, n, f in zip(shift, image.shape, FRAME))
    target = tuple(slice(i.start + s, i.stop + s) for i, s in zip(source, shift))
    # beyond the crop the nearest voxel is repeated, so that the components have no edge of the crop in them
    placed[2][target] = True
    nearest = ndimage.distance_transform_edt(~placed[2], return_distances=False, return_indices=True)
    placed[0][target], placed[1][target] = image[source], labels[source]
    return placed[0][tuple(nearest)], placed[1], placed[2]


def distance(mask):
    """Signed distance in mm to the border of a mask, negative inside."""
    signed = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
    return np.clip(signed, -REACH, REACH).astype(np.float32)


class Model:
    """Joint components of shape and intensity, the intensity profile across the surface, the residual's spectrum."""

    def __init__(self, data, components):
        names = case_names(data)
        placed = [align(data, name) for name in names]
        self.images = np.stack([p[0] for p in placed])
        self.labels = np.stack([p[1] for p in placed])
        self.extents = [np.ptp(np.argwhere(p[2]), axis=0) + 1 for p in placed]
        shapes = np.stack([[distance(l == 1), distance(l == 2)] for l in self.labels])
        self.shape_weight = np.sqrt(self.images.var() / shapes.var())
        rows = np.concatenate([self.shape_weight * shapes.reshape(len(names), -1),
                               self.images.reshape(len(names), -1)], axis=1)
        self.mean = rows.mean(0)
        rows -= self.mean
        values, vectors = np.linalg.eigh(rows @ rows.T)
        values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
        self.directions = (vectors.T @ rows) / np.sqrt(values)[:, None]
        self.deviations = np.sqrt(values / len(names))
        self.explained = values.sum() / (rows**2).sum()
        residual = rows - (rows @ self.directions.T) @ self.directions
        residual = residual[:, -np.prod(FRAME):].reshape(-1, *FRAME)
        self.spectrum = np.sqrt(np.mean([np.abs(np.fft.fftn(r)) ** 2 for r in residual[::4]], axis=0))
        self.profile = np.mean([self.across(i, np.minimum(*s)) for i, s in zip(self.images, shapes)], axis=0)

    @staticmethod
    def across(image, surface):
        """Mean intensity at each whole millimetre of distance from -4 to 4."""
        rounded = np.round(surface)
        return np.array([image[rounded == d].mean() if (rounded == d).any() else np.nan for d in range(-4, 5)])

    def draw(self, rng):
        """Image (z-scored), labels, both in FRAME."""
        steps = np.clip(rng.normal(size=len(self.deviations)), -2, 2)
        row = self.mean + (0.9 * steps * self.deviations) @ self.directions
        first, second, image = row.reshape(3, *FRAME)
        surface = np.minimum(first, second) / self.shape_weight
        labels = np.where(surface < 0, np.where(first < second, 1, 2), 0).astype(np.uint8)
        labels = largest_pieces(labels)
        phase = np.fft.fftn(rng.normal(size=FRAME))
        image = image + NOISE * np.fft.ifftn(self.spectrum * phase / np.abs(phase)).real
        surface = np.minimum(distance(labels == 1), distance(labels == 2))
        wanted, found = np.nan_to_num(self.profile), np.nan_to_num(self.across(image, surface))
        near = np.clip(1 - (np.abs(surface) - 2) / 2, 0, 1)  # full within 2 mm, nothing beyond 4 mm
        image = image + near * np.interp(surface, np.arange(-4, 5), wanted - found)
        return image.astype(np.float32), labels

    def nearest(self, image, labels):
        """Dice of the most similar case's hippocampus and both parts, and the highest correlation of images."""
        overlap = max(np.mean([dice(labels == k, other == k) for k in (1, 2)]) for other in self.labels)
        flat = (image - image.mean()).ravel() / image.std()
        others = self.images.reshape(len(self.images), -1)
        others = (others - others.mean(1, keepdims=True)) / others.std(1, keepdims=True)
        return overlap, float((others @ flat).max() / flat.size)


def largest_pieces(labels):
    """Keeps the largest connected piece of the hippocampus."""
    pieces, count = ndimage.label(labels > 0)
    if count > 1:
        sizes = ndimage.sum_labels(np.ones_like(labels), pieces, range(1, count + 1))
        labels = np.where(pieces == 1 + np.argmax(sizes), labels, 0).astype(np.uint8)
    return labels


def crop(image, labels, extent):
    """The middle of the frame, as large as a real crop."""
    begin = [(f - e) // 2 for f, e in zip(FRAME, extent)]
    box = tuple(slice(b, b + e) for b, e in zip(begin, extent))
    return image[box], labels[box]


def oblique(degrees):
    """Direction cosines of columns, rows and slices (LPS): turned about the patient's x, y and z axes."""
    x, y, z = np.deg2rad(degrees)
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def uid(seed, *numbers):
    """A UID of the 2.25 kind (PS3.5 B.2), fixed by its arguments."""
    digits = np.random.default_rng((20261123, seed, *numbers)).integers(0, 2**32, 4, dtype=np.uint64)
    value = 0
    for digit in digits:
        value = value << 32 | int(digit)
    value = value & ~(0xF << 76) | 4 << 76  # version 4, variant 1: a valid UUID
    value = value & ~(3 << 62) | 2 << 62
    return UID(f"2.25.{value}")


def write_series(folder, number, name, image, directions):
    """One MR image a slice. `image` is (z, y, x) towards S, A, R; planes are written as they are read on a screen."""
    planes = image[:, ::-1, ::-1]  # rows towards P, columns towards L
    low, high = np.percentile(planes, (0.05, 99.95))
    pixels = np.clip(np.round((planes - low) / (high - low) * 900 + 20), 0, 4095).astype(np.uint16)
    columns, rows, normal = directions.T
    center = np.array([28.0 if number == 1 else -27.0, 18.0, -12.0])
    middle = (np.array(pixels.shape) - 1) / 2
    origin = center - middle[2] * columns - middle[1] * rows - middle[0] * normal
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.dcm"):
        old.unlink()
    for k, plane in enumerate(pixels):
        write_image(folder / f"IM{k + 1:04d}.dcm", number, name, k, plane, origin + k * normal, columns, rows)
    affine = np.eye(4)
    affine[:3] = np.column_stack([columns, rows, normal, origin])
    return np.diag([-1, -1, 1, 1]) @ affine  # NIfTI counts towards R, A, S


def write_image(path, number, name, k, plane, position, columns, rows):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(MR_IMAGE_STORAGE)
    meta.MediaStorageSOPInstanceUID = uid(number, 3, k)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid(0, 9)
    d = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    d.SpecificCharacterSet = "ISO_IR 192"
    d.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.StudyDate = d.SeriesDate = d.ContentDate = "20261123"
    d.StudyTime = d.SeriesTime = d.ContentTime = "120000"
    d.AccessionNumber, d.ReferringPhysicianName = f"SYN{number}", ""
    d.Modality, d.Manufacturer = "MR", "segmentd"
    d.ManufacturerModelName = "statistical model"
    d.StudyDescription, d.SeriesDescription = "Synthetic hippocampus", "T1 synthetic, 1 mm"
    d.PatientName, d.PatientID = f"SYNTHETIC^{name}", f"SYNTHETIC-{number}"
    d.PatientBirthDate, d.PatientSex = "", "O"
    d.DerivationDescription = "Drawn from a statistical model; shows no patient"
    d.BodyPartExamined = "BRAIN"
    d.ScanningSequence, d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType = "GR", "MP", "", "3D"
    d.SliceThickness, d.SpacingBetweenSlices = "1", "1"
    d.RepetitionTime, d.EchoTime, d.EchoTrainLength, d.FlipAngle = "8", "3.7", "1", "8"
    d.MagneticFieldStrength, d.SoftwareVersions, d.PatientPosition = "3", "1", "HFS"
    d.StudyInstanceUID, d.SeriesInstanceUID = uid(number, 1), uid(number, 2)
    d.StudyID, d.SeriesNumber, d.InstanceNumber = str(number), "1", str(k + 1)
    d.FrameOfReferenceUID, d.PositionReferenceIndicator = uid(number, 4), ""
    d.ImagePositionPatient = [f"{v:.9g}" for v in position]
    d.ImageOrientationPatient = [f"{v:.9g}" for v in (*columns, *rows)]
    d.PixelSpacing = ["1", "1"]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = plane.shape
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.WindowCenter, d.WindowWidth = "470", "900"
    d.PixelData = np.ascontiguousarray(plane).astype("<u2").tobytes()
    d.save_as(path, enforce_file_format=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--components", type=int, default=120)
    parser.add_argument("--count", type=int, default=2, help="subjects to draw; the first two are the demo's")
    a = parser.parse_args()
    model = Model(a.data, a.components)
    print(f"{a.components} components explain {model.explained:.0%} of the variance")
    for number in range(1, a.count + 1):
        rng = np.random.default_rng((7, number))
        while True:
            image, labels = model.draw(rng)
            overlap, correlation = model.nearest(image, labels)
            plausible = all(VOLUMES[0] < (labels == k).sum() < VOLUMES[1] for k in (1, 2))
            if plausible and overlap < 0.85 and correlation < 0.9:
                break
        extent = model.extents[rng.integers(len(model.extents))]
        extent = [max(e, n) for e, n in zip(extent, np.ptp(np.argwhere(labels), axis=0) + 7)]
        image, labels = crop(image, labels, np.minimum(extent, FRAME))
        directions = oblique([(12, -5, 4), (-9, 6, -7)][(number - 1) % 2])
        stem = f"synthetic-{number}"
        name = ("ONE", "TWO")[number - 1] if number <= 2 else f"N{number}"
        affine = write_series(a.output / stem, number, name, image, directions)
        known = np.ascontiguousarray(labels[:, ::-1, ::-1])
        nibabel.save(nibabel.Nifti1Image(known.transpose(2, 1, 0), affine), a.output / f"{stem}.labels.nii.gz")
        save_file({"labels": known.astype(np.float16)}, a.output / f"{stem}.labels.safetensors")
        print(json.dumps({"subject": stem, "shape": list(known.shape), "ml": [int((known == k).sum()) / 1000 for k in (1, 2)],
                          "nearestCaseDice": round(float(overlap), 3), "highestCorrelation": round(correlation, 3)}))


if __name__ == "__main__":
    main()
