"""Writes many studies of one small CT series, which differ in their UIDs and their patients' IDs alone.

usage: make_studies.py FOLDER COUNT [--first 1] [--slices 8] [--size 48]

One folder a study, named by its number. Prints the Series Instance UIDs, in that order. A thousand studies take some
seconds: one is made by make_series.py, and the others are copies with other UIDs of the same length.
"""

import argparse
import io
import pathlib
import subprocess
import sys
import tempfile

import pydicom

KINDS = {"StudyInstanceUID": 1, "SeriesInstanceUID": 2, "SOPInstanceUID": 3, "FrameOfReferenceUID": 4}


def uid(kind, study, instance=0):
    """Of an even length, so that no byte is added to it."""
    return f"2.25.7{KINDS[kind]}{study:010d}{instance:07d}"


def template(slices, size):
    """The files of study 0, as bytes."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        generator = pathlib.Path(__file__).with_name("make_series.py")
        subprocess.run([sys.executable, generator, folder, "--slices", str(slices), "--size", str(size)], check=True,
                       stdout=subprocess.DEVNULL)
        for number, path in enumerate(sorted(pathlib.Path(folder).iterdir()), 1):
            image = pydicom.dcmread(path)
            for kind in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
                setattr(image, kind, uid(kind, 0))
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid("SOPInstanceUID", 0, number)
            image.PatientID = f"MANY{0:010d}"
            buffer = io.BytesIO()
            image.save_as(buffer, enforce_file_format=True)
            files.append(buffer.getvalue())
    return files


def make(folder, count, first=1, slices=8, size=48):
    """Returns the Series Instance UIDs of the studies."""
    files = template(slices, size)
    marks = [f"2.25.7{kind}".encode() for kind in KINDS.values()] + [b"MANY"]
    for study in range(first, first + count):
        place = pathlib.Path(folder) / str(study)
        place.mkdir(parents=True)
        for number, content in enumerate(files, 1):
            for mark in marks:
                content = content.replace(mark + b"0" * 10, mark + f"{study:010d}".encode())
            (place / f"IM{number:04d}.dcm").write_bytes(content)
    return [uid("SeriesInstanceUID", study) for study in range(first, first + count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--size", type=int, default=48)
    options = parser.parse_args()
    print("\n".join(make(options.folder, options.count, options.first, options.slices, options.size)))


if __name__ == "__main__":
    main()
