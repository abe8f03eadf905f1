"""Writes synthetic MR studies whose contents are at known places in the patient.

usage: make_study.py FOLDER brats [--without CHANNEL] [--twice CHANNEL]
       make_study.py FOLDER cine [--wall] [--phases N] [--without-times] [--rest]
       make_study.py FOLDER slices [--lacking SLICE] [--short SLICE] [--again SLICE] [--long-axis]

brats: four series of one head on different grids, FOLDER/flair, t1, t1ce and t2, each with a bright
       ball of 6 mm radius at a place of its own. Prints a JSON object of the series and the places
       (LPS, mm).
cine:  one series of 10 phases with a beating ball. Prints its series, the radius in mm of each phase,
       the time of each in ms, and its images. With --wall, in a shell of medium signal whose volume
       stays, 8 mm thick around the largest ball. With N of the phases, evenly chosen; without Trigger
       Times; or with a ball that hardly beats (--rest).
slices: the same cine as scanners store short-axis stacks: a series for each slice location, each
       measured in heartbeats of its own length, in a random order of series numbers. Without one
       slice, with one phase less of a slice, with one measured twice, or with a series across.
       Prints also the series in slice order.
"""

import argparse
import json
import pathlib

import numpy
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

AXIAL = ([1, 0, 0], [0, 1, 0])
CORONAL = ([1, 0, 0], [0, 0, -1])
SAGITTAL = ([0, 1, 0], [0, 0, -1])
OBLIQUE = ([0.96, 0.28, 0], [-0.224, 0.768, -0.6])

PLACES = {"flair": (12, -8, 10), "t1": (-11, 9, 5), "t1ce": (4, 12, -10), "t2": (-8, -10, -8)}
# Orientation, columns, rows, slices, spacing of columns, rows, slices in mm.
GRIDS = {
    "t1ce": (AXIAL, 52, 56, 38, 1.2, 1.2, 1.6),
    "flair": (SAGITTAL, 70, 66, 32, 0.9, 1.0, 2.0),
    "t1": (CORONAL, 48, 44, 50, 1.4, 1.5, 1.3),
    "t2": (OBLIQUE, 64, 64, 40, 1.1, 1.1, 1.8),
}
SEQUENCES = {
    "flair": {"ScanningSequence": "IR", "RepetitionTime": "9000", "EchoTime": "120",
              "InversionTime": "2500"},
    "t1": {"ScanningSequence": "GR", "RepetitionTime": "8", "EchoTime": "3"},
    "t1ce": {"ScanningSequence": "GR", "RepetitionTime": "8", "EchoTime": "3",
             "ContrastBolusAgent": "gadolinium"},
    "t2": {"ScanningSequence": "SE", "RepetitionTime": "5000", "EchoTime": "100"},
}


def points(grid):
    """Places in the patient of the voxels (slice, row, column), and those of the slices' origins."""
    (row, column), columns, rows, slices, *spacing = grid
    row, column = numpy.array(row, float), numpy.array(column, float)
    normal = numpy.cross(row, column)
    steps = [normal * spacing[2], column * spacing[1], row * spacing[0]]
    counts = (slices, rows, columns)
    origin = -sum(step * (count - 1) / 2 for step, count in zip(steps, counts))
    k, j, i = numpy.meshgrid(*(numpy.arange(n) for n in counts), indexing="ij")
    places = origin + sum(index[..., None] * step for index, step in zip((k, j, i), steps))
    return places, [origin + n * steps[0] for n in range(slices)]


def image(shared, grid, plane, origin, number, **attributes):
    (row, column), columns, rows, _, *spacing = grid
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    d.PatientName, d.PatientID, d.PatientBirthDate = "SYNTHETIC^STUDY", "STUDY", ""
    d.PatientSex, d.StudyDate, d.StudyTime = "O", "20260101", "120000"
    d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "1", "", ""
    d.Modality, d.Manufacturer, d.PatientPosition, d.Laterality = "MR", "segmentd", "HFS", ""
    d.PositionReferenceIndicator, d.InstanceNumber = "", number
    d.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    d.ImageOrientationPatient = [f"{v:.6g}" for v in (*row, *column)]
    d.ImagePositionPatient = [f"{v:.8g}" for v in origin]
    d.PixelSpacing, d.SliceThickness = [spacing[1], spacing[0]], spacing[2]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = rows, columns
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.SequenceVariant, d.ScanOptions, d.MRAcquisitionType, d.EchoTrainLength = "NONE", "", "3D", "1"
    for name, value in {**shared, **attributes}.items():
        setattr(d, name, value)
    d.PixelData = numpy.ascontiguousarray(plane.astype("<u2")).tobytes()
    d["PixelData"].VR = "OW"
    return d


def brats(folder, options):
    study, frame = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
    channels = [c for c in GRIDS if c != options.without]
    channels += [options.twice] if options.twice else []
    found = {"study": study, "series": {}, "places": PLACES}
    for number, channel in enumerate(channels):
        series = generate_uid(prefix="2.25.")
        found["series"][channel if channel not in found["series"] else channel + "2"] = series
        shared = {"StudyInstanceUID": study, "SeriesInstanceUID": series,
                  "FrameOfReferenceUID": frame, "SeriesNumber": number + 1,
                  "SeriesDescription": f"series {number + 1}", **SEQUENCES[channel]}
        places, origins = points(GRIDS[channel])
        head = (places**2 / numpy.array([26.0, 28.0, 26.0])**2).sum(-1) < 1
        ball = ((places - numpy.array(PLACES[channel]))**2).sum(-1) < 36
        values = numpy.where(ball, 1500, numpy.where(head, 300, 0))
        target = folder / f"{number + 1}-{channel}"
        target.mkdir(parents=True)
        for k, origin in enumerate(origins):
            image(shared, GRIDS[channel], values[k], origin, k + 1).save_as(
                target / f"IM{k + 1:03d}.dcm", enforce_file_format=True)
    return found


RADII = [20, 19, 17, 15, 13, 14, 16, 17.5, 18.5, 19.5]
CINE = (AXIAL, 64, 64, 12, 1.5, 1.5, 8.0)
CINE_SEQUENCE = {"ScanningSequence": "GR", "RepetitionTime": "40", "EchoTime": "1.5",
                 "CardiacNumberOfImages": len(RADII)}


WALL = 8.0


def outline(radius):
    """The outer radius of a shell that has the same volume around every ball."""
    return (radius**3 + (RADII[0] + WALL)**3 - RADII[0]**3)**(1 / 3)


def beating(places, radius, wall=False):
    away = numpy.sqrt((places**2).sum(-1))
    around = numpy.where(away < outline(radius), 500, 200) if wall else 200
    return numpy.where(away < radius, 900, around)


def cine(folder, options):
    chosen = [n * len(RADII) // options.phases for n in range(options.phases)]
    radii = [RADII[n] for n in chosen]
    if options.rest:
        radii = [20 + 0.04 * n for n in range(len(radii))]
    times = [80 * n + 10 for n in chosen]
    shared = {"StudyInstanceUID": generate_uid(prefix="2.25."),
              "SeriesInstanceUID": generate_uid(prefix="2.25."),
              "FrameOfReferenceUID": generate_uid(prefix="2.25."), "SeriesNumber": 1,
              "SeriesDescription": "cine", **CINE_SEQUENCE}
    places, origins = points(CINE)
    folder.mkdir(parents=True, exist_ok=True)
    images = [[] for _ in radii]
    for phase, (radius, time) in enumerate(zip(radii, times)):
        values = beating(places, radius, options.wall)
        timing = {"TemporalPositionIdentifier": phase + 1} if options.without_times else {"TriggerTime": str(time)}
        for k, origin in enumerate(origins):
            number = k * len(radii) + phase + 1
            made = image(shared, CINE, values[k], origin, number, **timing)
            made.save_as(folder / f"IM{number:03d}.dcm", enforce_file_format=True)
            images[phase].append(made.SOPInstanceUID)
    wall = 4 / 3 * numpy.pi * (outline(RADII[0])**3 - RADII[0]**3) / 1000
    return {"study": shared["StudyInstanceUID"], "series": shared["SeriesInstanceUID"],
            "radii": radii, "times": times, "images": images, "wallMillilitres": wall}


def slices(folder, options):
    study, frame = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
    places, origins = points(CINE)
    volumes = [beating(places, radius) for radius in RADII]
    numbers = numpy.random.default_rng(7)
    found = {"study": study, "slices": [], "radii": RADII, "images": [[] for _ in RADII]}

    def write(name, grid, plane, origin, phases=len(RADII)):
        uid, beat = generate_uid(prefix="2.25."), 800 + int(numbers.integers(-60, 60))
        shared = {"StudyInstanceUID": study, "SeriesInstanceUID": uid, "FrameOfReferenceUID": frame,
                  "SeriesNumber": int(numbers.integers(1, 1000)), "SeriesDescription": name,
                  **CINE_SEQUENCE}
        target = folder / f"{int(numbers.integers(1000)):03d}-{name}"
        target.mkdir(parents=True)
        for phase in range(phases):
            made = image(shared, grid, plane(phase), origin, phase + 1,
                         TriggerTime=f"{phase * beat / len(RADII):.1f}")
            made.save_as(target / f"IM{phase + 1:02d}.dcm", enforce_file_format=True)
            found["images"][phase].append(made.SOPInstanceUID)
        return uid

    for k, origin in enumerate(origins):
        if k != options.lacking:
            phases = len(RADII) - (k == options.short)
            found["slices"].append(
                write(f"sax_{k + 1}", CINE, lambda p, k=k: volumes[p][k], origin, phases))
    if options.again is not None:
        k = options.again
        found["again"] = write(f"sax_{k + 1}b", CINE, lambda p: volumes[p][k], origins[k])
    if options.long_axis:
        grid = (CORONAL, *CINE[1:])
        values, origin = points(grid)[0][6], points(grid)[1][6]
        found["long"] = write("lax", grid, lambda p: beating(values, RADII[p]), origin)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("kind", choices=["brats", "cine", "slices"])
    parser.add_argument("--without", choices=GRIDS)
    parser.add_argument("--twice", choices=GRIDS)
    parser.add_argument("--lacking", type=int)
    parser.add_argument("--short", type=int)
    parser.add_argument("--again", type=int)
    parser.add_argument("--long-axis", action="store_true")
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--phases", type=int, default=len(RADII))
    parser.add_argument("--without-times", action="store_true")
    parser.add_argument("--rest", action="store_true")
    options = parser.parse_args()
    make = {"brats": lambda: brats(options.folder, options), "cine": lambda: cine(options.folder, options),
            "slices": lambda: slices(options.folder, options)}
    print(json.dumps(make[options.kind]()))


if __name__ == "__main__":
    main()
