"""Has segmentd, highdicom and dcmqi write a segmentation object of the same labels, and prints a line of JSON for each
turn: seconds of the whole process and, where it is known, of writing alone, peak memory in MB of 2^20 bytes, frames,
and whether every pixel is the one that was written.

usage: compare_writers.py SEGMENTD FOLDER [--rounds N]

FOLDER holds bundle/ (make_seeded_bundle.py, 13 labels) and series/ (make_series.py). highdicom is timed from the labels
and the images' headers in memory to the file on disk, segmentd from the labels in memory; dcmqi reads labels and images
itself, so that its time is that of the process.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

LABELS = 13
COLORS = [[20 * number, 157, 108] for number in range(1, LABELS + 1)]


def images(folder):
    """Headers in the order of the slices."""
    import pydicom

    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((folder / "series").iterdir())]
    return sorted(headers, key=lambda one: float(one.ImagePositionPatient[2]))


def make_labels(folder):
    """Every label in every slice: wavy stripes, which differ from slice to slice; as bytes and as NRRD."""
    import numpy
    import SimpleITK

    headers = images(folder)
    rows, columns = headers[0].Rows, headers[0].Columns
    y, x = numpy.mgrid[:rows, :columns]
    labels = numpy.empty((len(headers), rows, columns), numpy.uint8)
    for index in range(len(headers)):
        wave = x + 12 * numpy.sin((y + 3 * index) / 17) + index
        labels[index] = (wave.astype(int) * (LABELS + 1) // columns) % (LABELS + 1)
    labels.tofile(folder / "labels.raw")
    image = SimpleITK.GetImageFromArray(labels)
    spacing = [float(value) for value in headers[0].PixelSpacing]
    first, second = (numpy.array(header.ImagePositionPatient, float) for header in headers[:2])
    image.SetSpacing((spacing[1], spacing[0], float(numpy.linalg.norm(second - first))))
    image.SetOrigin(first.tolist())
    SimpleITK.WriteImage(image, str(folder / "labels.nrrd"))


def highdicom_writes(folder, target):
    import highdicom
    import numpy
    from highdicom.sr.coding import CodedConcept
    from pydicom.uid import generate_uid

    headers = images(folder)
    labels = numpy.fromfile(folder / "labels.raw", numpy.uint8)
    labels = labels.reshape(len(headers), headers[0].Rows, headers[0].Columns)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        "noise", CodedConcept("123109", "DCM", "Artificial Intelligence"), "1")
    segments = [
        highdicom.seg.SegmentDescription(
            number, f"Noise {number}", CodedConcept("91723000", "SCT", "Anatomical Structure"),
            CodedConcept("78961009", "SCT", "Spleen"), highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC, algorithm)
        for number in range(1, LABELS + 1)
    ]
    begin = time.perf_counter()
    highdicom.seg.Segmentation(
        headers, labels, highdicom.seg.SegmentationTypeValues.BINARY, segments, generate_uid(), 1, generate_uid(), 1,
        "Maker", "Model", "1", "1",
    ).save_as(target)
    return {"writeSeconds": time.perf_counter() - begin}


def description(folder):
    """What dcmqi is told of the segments."""
    code = {"CodeValue": "78961009", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Spleen"}
    category = {"CodeValue": "91723000", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Anatomical Structure"}
    path = folder / "segments.json"
    path.write_text(json.dumps({
        "ContentCreatorName": "Noise", "SeriesDescription": "Noise", "SeriesNumber": "2", "InstanceNumber": "1",
        "BodyPartExamined": "ABDOMEN", "ClinicalTrialSeriesID": "1", "ClinicalTrialTimePointID": "1",
        "segmentAttributes": [[
            {"labelID": number, "SegmentDescription": f"Noise {number}", "SegmentLabel": f"Noise {number}",
             "SegmentAlgorithmType": "AUTOMATIC", "SegmentAlgorithmName": "noise",
             "SegmentedPropertyCategoryCodeSequence": category, "SegmentedPropertyTypeCodeSequence": code,
             "recommendedDisplayRGBValue": COLORS[number - 1]}
            for number in range(1, LABELS + 1)
        ]],
    }))
    return path


def is_exact(folder, path):
    """Frame by frame: thousands of them unpacked at once would not fit."""
    import numpy
    import pydicom

    headers = images(folder)
    labels = numpy.fromfile(folder / "labels.raw", numpy.uint8).reshape(len(headers), -1)
    slices = {header.SOPInstanceUID: index for index, header in enumerate(headers)}
    seen = set()
    dataset = pydicom.dcmread(path)
    size = dataset.Rows * dataset.Columns
    pixels = numpy.frombuffer(dataset.PixelData, numpy.uint8)
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        place = slices[source.ReferencedSOPInstanceUID]
        bits = numpy.unpackbits(pixels[index * size // 8:(index + 1) * size // 8], bitorder="little")
        if not numpy.array_equal(bits, labels[place] == number):
            return {"exact": False, "frames": index + 1}
        seen.add((number, place))
    return {"exact": len(seen) == LABELS * len(headers), "frames": len(seen)}


def turn(command):
    """Runs a program by itself: what it prints, its seconds and its peak memory."""
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=errors)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        errors.seek(0)
        words = errors.read().decode(errors="replace")[-2000:]
    if status != 0:
        sys.exit(f"{command[0]} ended with status {os.waitstatus_to_exitcode(status)}: {words}")
    return output.decode(), {"processSeconds": round(seconds, 2), "peakMB": round(usage.ru_maxrss / 1024)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("segmentd")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    # What this script does in processes of its own, so that their memory is not this one's.
    parser.add_argument("--step", choices=["labels", "highdicom", "check"])
    parser.add_argument("--object")
    options = parser.parse_args()
    folder = options.folder
    if options.step == "labels":
        return make_labels(folder)
    if options.step:
        step = highdicom_writes if options.step == "highdicom" else is_exact
        return print(json.dumps(step(folder, options.object)))

    def own(step, target):
        return [sys.executable, "-W", "ignore", __file__, options.segmentd, folder, "--step", step, "--object", target]

    turn(own("labels", ""))
    tool = pathlib.Path(sys.executable).with_name("itkimage2segimage")
    metadata = description(folder)
    for number in range(options.rounds):
        for program in ("segmentd", "highdicom", "dcmqi"):
            target = folder / f"{program}.dcm"
            command = {
                "segmentd": [options.segmentd, "write-segmentation", "--labels", folder / "labels.raw", "--bundle",
                             folder / "bundle", "--output", target, folder / "series"],
                "highdicom": own("highdicom", target),
                "dcmqi": [tool, "--inputDICOMDirectory", folder / "series", "--inputImageList", folder / "labels.nrrd",
                          "--inputMetadata", metadata, "--outputDICOM", target, "--skip"],
            }[program]
            output, figures = turn(command)
            row = {"round": number + 1, "program": program} | figures
            if program != "dcmqi":
                row |= {key: value for key, value in json.loads(output).items() if key != "peakMB"}
            row["bytes"] = target.stat().st_size
            if number == 0:
                row |= json.loads(turn(own("check", target))[0])
            target.unlink()
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
