"""What other programs read of segmentations on sources of every kind, as a table in Markdown.

usage: readers_table.py FOLDER [--check] [--pydicom-seg PACKAGES] [--only READER] [--slicer PYTHON]

FOLDER holds a folder for each source, as ReaderTableTests writes them: images/, segmentation.dcm, labelmap.dcm,
fractional.dcm, expected.json (see read_segmentation.py), labels.raw and fractions.raw; ohif.json of
ohif_browser.py is taken where it is there.
A cell is "exact" where every voxel of the program's result is the one that was written, at its place in the
patient, else the number of wrong voxels, or "refuses" with the program's words below the table. pydicom-seg is
run with the older packages of a folder, and Slicer needs a Python environment of its own. With --only
the other readers are left out. With --check the exit status is 1 unless every cell is exact or
is one of KNOWN.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import read_segmentation as reading
import SimpleITK

# What is no fault of the objects: sources and what a program may make of them besides "exact"; None for anything.
# A stack that a tilted gantry sheared is no volume of right angles, and these programs know no others; what Slicer
# gets of it from dcmqi has right angles, and so voxels elsewhere. SimpleITK knows no label maps, takes no frames that
# are all at one place, and what it makes of the last pixels, where all of them do not fill whole bytes, changes from
# one reading to the next.
KNOWN = {
    ("segmentation", "highdicom, volume", "tilted gantry"): "refuses",
    ("segmentation", "dcmqi", "tilted gantry"): "refuses",
    ("segmentation", "pydicom-seg", "tilted gantry"): "refuses",
    ("segmentation", "Slicer's core", "tilted gantry"): "896 wrong",
    ("label map", "highdicom, volume", "tilted gantry"): "refuses",
    ("label map", "dcmqi", "tilted gantry"): "refuses",
    ("probabilities", "highdicom, volume", "tilted gantry"): "refuses",
    ("probabilities", "dcmqi", "tilted gantry"): "refuses",
    ("segmentation", "SimpleITK", "one slice"): "refuses",
    ("segmentation", "SimpleITK", "empty"): "refuses",
    ("segmentation", "SimpleITK", "23×38"): None,
}


def by_simpleitk(path, expected):
    """Pixels as SimpleITK decodes them; it makes one stack of all frames, whose places are in the header."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    frames = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    groups = dataset.PerFrameFunctionalGroupsSequence
    for frame, group in zip(frames.reshape(-1, *numbers.shape[1:]), groups, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        place = slices[source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 0))]
        if dataset.SegmentationType == "LABELMAP":
            numbers[place] = frame
        else:
            number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            numbers[place][frame > 0] = number
    return numbers


def with_packages(packages, program):
    """A reader whose program, run with a segmentation and a folder, leaves NUMBER.nrrd of each segment there. It finds
    the packages of a folder before those of this environment."""
    environment = os.environ | {"PYTHONPATH": packages}

    def read(path, expected):
        numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([sys.executable, "-W", "ignore", "-c", program, path, folder],
                                 capture_output=True, text=True, env=environment)
            if run.returncode != 0:
                raise ValueError(run.stderr.strip().splitlines()[-1])
            for file in Path(folder).glob("*.nrrd"):
                image = SimpleITK.ReadImage(str(file))
                voxels = np.argwhere(SimpleITK.GetArrayFromImage(image) > 0)[:, ::-1]
                numbers[reading.image_places(image, voxels, expected)] = int(file.stem)
        return numbers

    return read


def wanted_fractions(source, expected):
    """255ths by segment, slice, row and column."""
    values = np.fromfile(source / "fractions.raw", np.uint8)
    return values.reshape(-1, expected["slices"], expected["rows"], expected["columns"])


def no_fractions(expected):
    shape = len(expected["segments"]), expected["slices"], expected["rows"], expected["columns"]
    return np.zeros(shape, np.uint8)


def fractions_by_highdicom(path, expected):
    segmentation = highdicom.seg.segread(path)
    images = expected["images"]
    options = dict(combine_segments=False, rescale_fractional=False, assert_missing_frames_are_empty=True)
    if images[0][1]:
        found = segmentation.get_pixels_by_source_frame(
            images[0][0], [frame for _, frame in images], **options)
    else:
        found = segmentation.get_pixels_by_source_instance([uid for uid, _ in images], **options)
    return np.moveaxis(found, -1, 0)


def fractions_by_highdicom_volume(path, expected):
    volume = highdicom.seg.segread(path).get_volume(combine_segments=False, rescale_fractional=False)
    fractions = no_fractions(expected)
    *voxels, segments = np.nonzero(volume.array)
    points = np.array(voxels).T @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    fractions[segments, *reading.places(points, expected)] = volume.array[volume.array > 0]
    return fractions


def fractions_by_frame(frames, path, expected):
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    fractions = no_fractions(expected)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    groups = dataset.PerFrameFunctionalGroupsSequence
    for frame, group in zip(frames.reshape(-1, *fractions.shape[2:]), groups, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        place = slices[source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 0))]
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        fractions[number - 1, place] = frame
    return fractions


def fractions_by_pydicom(path, expected):
    return fractions_by_frame(pydicom.dcmread(path).pixel_array, path, expected)


def fractions_by_simpleitk(path, expected):
    return fractions_by_frame(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)), path, expected)


def fractions_by_dcmqi(path, expected):
    fractions = no_fractions(expected)
    tool = Path(sys.executable).with_name("segimage2itkimage")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [tool, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"],
            check=True, capture_output=True)
        for file in Path(folder).glob("*.nrrd"):
            image = SimpleITK.ReadImage(str(file))
            values = SimpleITK.GetArrayFromImage(image)
            place = reading.image_places(image, np.argwhere(values > 0)[:, ::-1], expected)
            fractions[int(file.stem) - 1, *place] = values[values > 0]
    return fractions


def by_slicer(python):
    """Voxels on the images as Slicer loads them, of the segments that dcmqi makes of the object. It gets the images
    that were segmented: of a series over time a person chooses the phase in its DICOM browser."""

    def read(path, expected):
        numbers = np.zeros((expected["slices"], expected["rows"], expected["columns"]), np.uint8)
        tool = Path(sys.executable).with_name("segimage2itkimage")
        script = Path(__file__).with_name("slicer_segments.py")
        segmented = {uid for uid, _ in expected["images"]}
        with tempfile.TemporaryDirectory() as folder:
            images, segments, found = (Path(folder) / name for name in ("images", "segments", "found"))
            for part in (images, segments, found):
                part.mkdir()
            for file in Path(path).with_name("images").iterdir():
                if pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID in segmented:
                    (images / file.name).symlink_to(file.resolve())
            subprocess.run(
                [tool, "--inputDICOM", path, "--outputDirectory", segments, "--outputType", "nrrd"],
                check=True, capture_output=True)
            run = subprocess.run([python, script, images, segments, found], capture_output=True, text=True)
            if run.returncode != 0:
                raise ValueError((run.stderr.strip().splitlines() or ["no words"])[-1])
            for file in Path(found).glob("*.npy"):
                numbers[reading.places(np.load(file), expected)] = int(file.stem)
        return numbers

    return read


PYDICOM_SEG = """
import sys, pydicom, pydicom_seg, SimpleITK
found = pydicom_seg.SegmentReader().read(pydicom.dcmread(sys.argv[1]))
for number in found.available_segments:
    SimpleITK.WriteImage(found.segment_image(number), f"{sys.argv[2]}/{number}.nrrd")
"""


def wanted_labels(source, expected):
    return reading.wanted_numbers(expected)


def cell(read, path, expected, wanted):
    """What is in a cell, and the program's words where it refuses."""
    try:
        wrong = int((read(path, expected) != wanted).sum())
    except subprocess.CalledProcessError as error:
        words = (error.stderr or b"").decode(errors="replace") + (error.stdout or b"").decode(errors="replace")
        lines = [line.strip() for line in words.splitlines() if "error" in line.lower()]
        return "refuses", lines[-1] if lines else str(error)
    except Exception as error:
        return "refuses", [line for line in str(error).splitlines() if line.strip()][-1]
    return ("exact", None) if wrong == 0 else (f"{wrong} wrong", None)


def table(title, sources, readers, name, extra, wanted_values):
    """Prints a table, and returns its cells that are not exact."""
    columns = list(readers) + list(extra)
    print(f"| {title} | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    others, notes = {}, []
    for source in sources:
        expected = reading.read_expected(source / "expected.json")
        cells = []
        for reader, read in readers.items():
            if not (source / name).exists():
                cells.append("–")
                continue
            wanted = wanted_values(source, expected)
            text, words = cell(read, str(source / name), expected, wanted)
            cells.append(text)
            if text != "exact":
                others[reader, source.name] = text
                notes.append(f"- {reader}, {source.name}: {words or text}")
        cells += [column.get(source.name, "–") for column in extra.values()]
        print(f"| {source.name} | " + " | ".join(cells) + " |")
    print("\n" + "\n".join(notes) + "\n")
    return others


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--pydicom-seg")
    parser.add_argument("--only")
    parser.add_argument("--slicer")
    arguments = parser.parse_args()
    sources = sorted(
        (path for path in arguments.folder.iterdir() if (path / "expected.json").exists()),
        key=lambda path: min((path / "images").iterdir()).stat().st_mtime_ns)
    readers = {
        "highdicom, by image": reading.by_highdicom,
        "highdicom, volume": reading.by_highdicom_volume,
        "pydicom": reading.by_pydicom,
        "dcmqi": reading.by_dcmqi,
        "SimpleITK": by_simpleitk,
    }
    extra = {}
    seen = arguments.folder / "ohif.json"
    if seen.exists():
        found = json.loads(seen.read_text())["sources"]
        extra["OHIF"] = {
            name: "exact" if one["wrong"] == 0 else f"{one['wrong']} wrong" for name, one in found.items()}
    more = {}
    if arguments.pydicom_seg:
        more["pydicom-seg"] = with_packages(arguments.pydicom_seg, PYDICOM_SEG)
    fractional = {
        "highdicom, by image": fractions_by_highdicom,
        "highdicom, volume": fractions_by_highdicom_volume,
        "pydicom": fractions_by_pydicom,
        "dcmqi": fractions_by_dcmqi,
        "SimpleITK": fractions_by_simpleitk,
    }
    if arguments.slicer:
        more["Slicer's core"] = by_slicer(arguments.slicer)
    others = {}
    for title, own, name, columns, wanted in [
        ("segmentation", readers | more, "segmentation", extra, wanted_labels),
        ("label map", readers, "labelmap", {}, wanted_labels),
        ("probabilities", fractional, "fractional", {}, wanted_fractions),
    ]:
        if arguments.only:
            own = {reader: read for reader, read in own.items() if reader == arguments.only}
            if not own:
                continue
        found = table(title, sources, own, name + ".dcm", columns, wanted)
        others |= {(title, *place): text for place, text in found.items()}
    if arguments.check:
        known = KNOWN | {("label map", "SimpleITK", source.name): "refuses" for source in sources}
        new = {place: text for place, text in others.items() if known.get(place, "") not in (text, None)}
        sys.exit(f"not exact: {new}" if new else 0)


if __name__ == "__main__":
    main()
