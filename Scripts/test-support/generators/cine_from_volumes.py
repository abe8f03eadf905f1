"""Writes a short-axis cine as DICOM from the end-diastolic and the end-systolic volume of a heart (NIfTI).

usage: cine_from_volumes.py FOLDER ED.nii.gz ES.nii.gz [--phases N] [--per-slice] [--kind short|long]

With two phases the volumes are taken as they are. More are deformed between them: a displacement field from end-diastole to
end-systole (symmetric demons in the slices' planes, SimpleITK), of which each phase takes its part of the contraction. The
volumes are those of a site; nothing of them belongs into the repository. `long` cuts the same volumes along the heart's axis into
slices of 8 mm, which no short-axis model should take. Prints a JSON object: study, series, and the part of the contraction
at each phase.
"""

import argparse
import json
import pathlib

import nibabel
import numpy
import SimpleITK
from pydicom.uid import generate_uid
from scipy import ndimage

from cardiac_subject import contraction
from make_cardiac import COLUMN, NORMAL, ROW
from make_study import image

HEARTBEAT = 900.0  # ms


def read(path):
    """Slices, rows, columns and their spacing in mm."""
    file = nibabel.load(path)
    return numpy.asarray(file.dataobj).astype(numpy.float32).transpose(2, 1, 0), file.header.get_zooms()[2::-1]


def displacement(fixed, moving):
    """In pixels, of one slice."""
    demons = SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfIterations(60)
    demons.SetStandardDeviations(2.0)
    scale = 255 / max(float(fixed.max()), 1.0)
    images = [SimpleITK.GetImageFromArray(ndimage.gaussian_filter(one, 1) * scale) for one in (fixed, moving)]
    return SimpleITK.GetArrayFromImage(demons.Execute(*images))


def loop(diastole, systole, phases):
    """The volumes of each phase and their part of the contraction."""
    parts = [float(contraction(phase / phases)) for phase in range(phases)]
    # Where a voxel of end-systole comes from in end-diastole, and the other way.
    forth = numpy.stack([displacement(s, d) for d, s in zip(diastole, systole)])
    back = numpy.stack([displacement(d, s) for d, s in zip(diastole, systole)])
    rows, columns = numpy.meshgrid(*map(numpy.arange, diastole.shape[1:]), indexing="ij")

    def moved(volume, field, part):
        return numpy.stack([ndimage.map_coordinates(
            plane, [rows + part * shift[..., 1], columns + part * shift[..., 0]], order=1, mode="nearest")
            for plane, shift in zip(volume, field)])

    volumes = [(1 - part) * moved(diastole, forth, part) + part * moved(systole, back, 1 - part) for part in parts]
    return volumes, parts


def along(volume, spacing, step=8.0):
    """The volume cut along its slices: slices of `step` mm across the rows, the heart's axis downwards."""
    fine = ndimage.zoom(volume, (spacing[0] / spacing[2], 1, 1), order=1)
    each = max(1, round(step / spacing[1]))
    return fine[:, ::each].transpose(1, 0, 2), (each * spacing[1], spacing[2], spacing[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("diastole")
    parser.add_argument("systole")
    parser.add_argument("--phases", type=int, default=2)
    parser.add_argument("--per-slice", action="store_true")
    parser.add_argument("--kind", choices=["short", "long"], default="short")
    options = parser.parse_args()
    (diastole, spacing), (systole, _) = read(options.diastole), read(options.systole)
    volumes, parts = ([diastole, systole], [0.0, 1.0]) if options.phases == 2 else loop(diastole, systole, options.phases)
    if options.kind == "long":
        volumes, spacings = zip(*(along(volume, spacing) for volume in volumes))
        spacing = spacings[0]
    slices, rows, columns = volumes[0].shape
    study, frame = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
    series = [generate_uid(prefix="2.25.") for _ in range(slices if options.per_slice else 1)]
    grid = ((tuple(ROW), tuple(COLUMN)), columns, rows, slices, spacing[2], spacing[1], min(spacing[0], 8))
    for phase, volume in enumerate(volumes):
        stored = numpy.clip(numpy.round(volume), 0, 4095)
        for k in range(slices):
            number = k if options.per_slice else 0
            shared = {"StudyInstanceUID": study, "SeriesInstanceUID": series[number], "FrameOfReferenceUID": frame,
                      "SeriesNumber": number + 1, "SeriesDescription": "cine", "ScanningSequence": "GR",
                      "SequenceVariant": "SS", "MRAcquisitionType": "2D", "EchoTime": "1.5", "RepetitionTime": "3"}
            target = options.folder / f"{number + 1:03d}"
            target.mkdir(parents=True, exist_ok=True)
            image(shared, grid, stored[k], NORMAL * spacing[0] * k, k * len(volumes) + phase + 1,
                  TriggerTime=f"{phase * HEARTBEAT / len(volumes):.1f}").save_as(
                target / f"IM{k * len(volumes) + phase + 1:04d}.dcm", enforce_file_format=True)
    print(json.dumps({"study": study, "series": series, "contraction": parts}))


if __name__ == "__main__":
    main()
