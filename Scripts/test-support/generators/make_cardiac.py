"""Writes a short-axis cine of a synthetic heart (cardiac_subject.py) as DICOM MR images, and the labels it was drawn from.

usage: make_cardiac.py FOLDER [--seed N] [--rows N --columns N --pixel MM] [--slices N --step MM --thickness MM]
                       [--phases N] [--per-slice] [--apex-first] [--without-times] [--labels PREFIX] [--compress]

One series, or one for each slice (--per-slice), each then measured in a heartbeat of its own length and numbered in a random
order. The slices run from base to apex, or the other way (--apex-first); images are numbered slice by slice. --labels writes
PREFIX.ed.labels.nii.gz and PREFIX.es.labels.nii.gz (1 right ventricle, 2 myocardium, 3 left ventricle) in the series' geometry.
Prints a JSON object: series, images of each phase, the numbers of end-diastole and end-systole by the labels' left ventricle,
from 1, and the volumes of the labels in ml at each phase.
"""

import argparse
import json
import pathlib

import numpy
from pydicom.uid import JPEG2000Lossless, generate_uid

from cardiac_subject import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE, Stack, Subject
from make_study import image

NAMES = {"rightVentricle": RIGHT_VENTRICLE, "myocardium": MYOCARDIUM, "leftVentricle": LEFT_VENTRICLE}
HEARTBEAT = 880.0  # ms
# LPS: the rows run to the left and back, the slices from base to apex to the left, front and feet.
ROW = numpy.array([0.66, 0.75, 0.0]) / numpy.hypot(0.66, 0.75)
NORMAL = numpy.array([0.64, -0.5632, -0.5225])
NORMAL /= numpy.linalg.norm(NORMAL)
COLUMN = numpy.cross(NORMAL, ROW)
CENTRE = numpy.array([35.0, -40.0, 20.0])  # of the base


def origins(stack):
    """The middle of the first pixel of each slice, LPS in mm."""
    _, rows, columns = stack.shape
    corner = -((columns - 1) / 2 * stack.spacing) * ROW - ((rows - 1) / 2 * stack.spacing) * COLUMN
    return [CENTRE + corner + z * NORMAL for z in stack.heights]


class Writer:
    def __init__(self, options, stack):
        self.options, self.stack, self.origins = options, stack, origins(stack)
        self.study, self.frame = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
        self.numbers = numpy.random.default_rng(options.seed + 1000)
        self.slices = list(range(stack.shape[0]))
        if options.apex_first:
            self.slices.reverse()
        self.images = [[] for _ in range(options.phases)]
        self.series = [self.new_series(place) for place in (self.slices if options.per_slice else [None])]

    def new_series(self, slice_):
        name = "cine_sax" if slice_ is None else f"cine_sax_{self.slices.index(slice_) + 1}"
        beat = HEARTBEAT if slice_ is None else HEARTBEAT + int(self.numbers.integers(-60, 60))
        folder = self.options.folder / (name if slice_ is None else f"{int(self.numbers.integers(1000)):03d}-{name}")
        folder.mkdir(parents=True, exist_ok=True)
        return {"uid": generate_uid(prefix="2.25."), "folder": folder, "beat": beat, "shared": {
            "SeriesNumber": int(self.numbers.integers(1, 1000)) if self.options.per_slice else 5,
            "SeriesDescription": name, "ScanningSequence": "GR", "SequenceVariant": "SS", "ScanOptions": "RG",
            "MRAcquisitionType": "2D", "RepetitionTime": "3.2", "EchoTime": "1.6", "FlipAngle": "60",
            "MagneticFieldStrength": "1.5", "CardiacNumberOfImages": self.options.phases, "BodyPartExamined": "HEART",
            "PatientName": "SYNTHETIC^HEART", "PatientID": "SYNTHETIC-HEART", "StudyDescription": "synthetic heart",
            "SliceThickness": f"{self.options.thickness:g}", "SpacingBetweenSlices": f"{self.options.step:g}",
            "ImageComments": "computed by segmentd's test generators; not a patient"}}

    def write(self, phase, volume):
        options, grid = self.options, self.grid()
        for rank, slice_ in enumerate(self.slices):
            series = self.series[rank] if options.per_slice else self.series[0]
            number = phase + 1 if options.per_slice else rank * options.phases + phase + 1
            times = {} if options.without_times else {"TriggerTime": f"{phase * series['beat'] / options.phases:.1f}"}
            made = image({**series["shared"], "StudyInstanceUID": self.study, "SeriesInstanceUID": series["uid"],
                          "FrameOfReferenceUID": self.frame}, grid, volume[slice_], self.origins[slice_], number,
                         TemporalPositionIdentifier=phase + 1, NumberOfTemporalPositions=options.phases, **times)
            if options.compress:
                made.compress(JPEG2000Lossless, generate_instance_uid=False)
            made.save_as(series["folder"] / f"IM{number:04d}.dcm", enforce_file_format=True)
            self.images[phase].append(made.SOPInstanceUID)

    def grid(self):
        _, rows, columns = self.stack.shape
        spacing = (self.stack.spacing, self.stack.spacing, self.options.thickness)
        return ((tuple(ROW), tuple(COLUMN)), columns, rows, len(self.slices), *spacing)

    def write_labels(self, path, labels):
        """As NIfTI (RAS) in the order of the slices along the normal, base first."""
        import nibabel
        stack, affine = self.stack, numpy.eye(4)
        affine[:3, 0], affine[:3, 1] = ROW * stack.spacing, COLUMN * stack.spacing
        affine[:3, 2], affine[:3, 3] = NORMAL * stack.step, self.origins[0]
        nibabel.save(nibabel.Nifti1Image(labels.transpose(2, 1, 0), numpy.diag([-1, -1, 1, 1]) @ affine), path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=192)
    parser.add_argument("--columns", type=int, default=192)
    parser.add_argument("--pixel", type=float, default=1.8)
    parser.add_argument("--slices", type=int, default=9)
    parser.add_argument("--step", type=float, default=10)
    parser.add_argument("--thickness", type=float, default=8)
    parser.add_argument("--phases", type=int, default=25)
    parser.add_argument("--per-slice", action="store_true")
    parser.add_argument("--apex-first", action="store_true")
    parser.add_argument("--without-times", action="store_true")
    parser.add_argument("--compress", action="store_true", help="JPEG 2000 lossless")
    parser.add_argument("--labels", metavar="PREFIX")
    return parser.parse_args()


def main():
    options = arguments()
    subject = Subject(options.seed)
    stack = Stack(subject, options.rows, options.columns, options.pixel, options.slices, options.step, options.thickness)
    writer = Writer(options, stack)
    times = [phase / options.phases for phase in range(options.phases)]
    if options.phases == 2:
        times = [0, 0.36]
    labels = [stack.labels(time) for time in times]
    for phase, time in enumerate(times):
        writer.write(phase, stack.images(time, 100 * options.seed + phase))
    millilitres = options.pixel**2 * options.step / 1000
    volumes = {name: [float((found == value).sum() * millilitres) for found in labels] for name, value in NAMES.items()}
    left = volumes["leftVentricle"]
    diastole, systole = left.index(max(left)), left.index(min(left))
    if options.labels:
        writer.write_labels(f"{options.labels}.ed.labels.nii.gz", labels[diastole])
        writer.write_labels(f"{options.labels}.es.labels.nii.gz", labels[systole])
    print(json.dumps({"study": writer.study, "series": [one["uid"] for one in writer.series], "images": writer.images,
                      "endDiastole": diastole + 1, "endSystole": systole + 1, "millilitres": volumes}))


if __name__ == "__main__":
    main()
