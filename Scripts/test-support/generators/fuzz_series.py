"""Changes one header element of one file of a series at random, and sees what segmentd inspect says.

usage: fuzz_series.py --segmentd BINARY [--seed N] [--count N | --seconds N] FOLDER...

Each FOLDER holds the files of one series. Ends with 1, and keeps the files, where the program dies
or hangs, or where a series that is not held has a volume that is not where the changed headers,
read by pydicom, say.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import pydicom
from pydicom.filereader import data_element_generator

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
SECONDS = 60
# Chosen in half of all changes.
GEOMETRY = [
    0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E,
    0x00200032, 0x00200037, 0x00200052, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011,
    0x00280030, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281052, 0x00281053,
]  # fmt: skip


class Elements:
    """The elements at the top of an uncompressed little endian file, by place in its bytes."""

    def __init__(self, data):
        self.data = data
        start = 144 + int.from_bytes(data[140:144], "little")
        syntax = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data), stop_before_pixels=True)
        syntax = syntax.file_meta.TransferSyntaxUID
        self.is_explicit = not syntax.is_implicit_VR
        stream = pydicom.filebase.DicomBytesIO(data[start:])
        stream.is_little_endian, stream.is_implicit_VR = True, syntax.is_implicit_VR
        self.found = []
        before = 0
        for element in data_element_generator(stream, syntax.is_implicit_VR, True):
            end = stream.tell()
            if element.tag.group < 0x7FE0 and element.VR != "SQ" and element.length < 5000:
                self.found.append((element, start + before, start + end))
            before = end

    def encoded(self, tag, vr, value):
        head = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
        value += b" " * (len(value) % 2)
        if not self.is_explicit:
            return head + len(value).to_bytes(4, "little") + value
        if vr in LONG:
            return head + vr.encode() + b"\0\0" + len(value).to_bytes(4, "little") + value
        return head + vr.encode() + min(len(value), 65534).to_bytes(2, "little") + value[:65534]


def mutated(data, chance):
    elements = Elements(data)
    known = [f for f in elements.found if int(f[0].tag) in GEOMETRY]
    element, start, end = chance.choice(known if chance.random() < 0.5 and known else elements.found)
    vr = element.VR or "UN"
    value = bytes(element.value or b"")
    kind = chance.choice(
        ["delete", "empty", "text", "number", "huge", "vr", "duplicate", "digit", "flip", "length"]
    )
    if kind == "flip":
        at = chance.randrange(start, end)
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :], element, kind
    if kind == "length":
        at = start + (6 if elements.is_explicit else 4)
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :], element, kind
    if kind == "digit" and value:
        at = chance.randrange(len(value))
        value = value[:at] + chance.choice([b"0", b"7", b"-", b".", b"\\", b"e"]) + value[at + 1 :]
    parts = {
        "delete": [],
        "empty": [(vr, b"")],
        "text": [(vr, chance.choice([b"nan", b"NaN\\inf", b"1,5", b"\\\\", b"abc", b"\xff\xfe\0"]))],
        "number": [(vr, chance.choice([b"0", b"-1", b"1e308", b"1e-308", b"99999999999999999999"]))],
        "huge": [(vr, b"7" * chance.choice([300, 5000, 60000]))],
        "vr": [(chance.choice(["UN", "OB", "LO", "US", "DS", "FD", "AT", "SQ"]), value)],
        "duplicate": [(vr, value), (vr, value[:-1] + b"9")],
        "digit": [(vr, value)],
    }[kind]
    new = b"".join(elements.encoded(element.tag, v, bytes(x)) for v, x in parts)
    return data[:start] + new + data[end:], element, kind


def numbers(dataset, keyword):
    try:
        value = dataset[keyword].value
        return [float(v) for v in (value if hasattr(value, "__iter__") else [value])]
    except Exception:  # whatever is there is no number
        return []


def plane(path):
    """Place and size of an image as its file says; None where it does not."""
    try:
        d = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        uid = str(d.SOPInstanceUID)
    except Exception:  # not to be read
        return None, None
    keywords = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Columns", "Rows"]
    values = [numbers(d, keyword) for keyword in keywords]
    if [len(v) for v in values] != [3, 6, 2, 1, 1]:
        return uid, None
    return uid, values


def complaint(series, planes):
    """What a verdict overlooks; empty where nothing."""
    if series["verdict"] == "held":
        return ""
    for volume in series["volumes"]:
        affine = numpy.array(volume["affine"])
        uids = volume["sopInstanceUIDs"]
        # The frames of a multi-frame instance are not told apart here.
        if len(uids) == 1:
            continue
        if len(uids) != volume["dims"][2]:
            return f"{len(uids)} instances in {volume['dims'][2]} slices"
        for k, uid in enumerate(uids):
            if uid not in planes:
                return f"slice {k} is of no file"
            if planes[uid] is None:
                return f"slice {k} has no place"
            position, cosines, spacing, columns, rows = planes[uid]
            found = [
                affine[:3] @ [0, 0, k, 1], affine[:3, 0], affine[:3, 1], volume["dims"][:2]
            ]  # fmt: skip
            wanted = [
                position, numpy.array(cosines[:3]) * spacing[1],
                numpy.array(cosines[3:]) * spacing[0], [columns[0], rows[0]],
            ]  # fmt: skip
            for a, b, limit in zip(found, wanted, [0.3, 2e-3 * spacing[1], 2e-3 * spacing[0], 0]):
                if numpy.abs(numpy.array(a) - b).max() > limit + 1e-3:
                    return f"slice {k} is at {list(b)}, not {list(a)}"
    return ""


def inspect(binary, folder):
    """(complaint, verdicts) of one changed series."""
    try:
        done = subprocess.run(
            [binary, "inspect", "--json", folder], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return "hangs", []
    if done.returncode not in (0, 1, 2):
        return f"ended with {done.returncode}: {done.stderr[-300:]}", []
    if done.returncode != 0:  # 1: no such input; 2: no image could be read
        return "", ["nothing to read"]
    try:
        series = json.loads(done.stdout)["series"]
    except json.JSONDecodeError as error:
        return f"no JSON: {error}", []
    planes = dict(plane(p) for p in pathlib.Path(folder).iterdir())
    found = [complaint(s, planes) for s in series]
    return next((c for c in found if c), ""), [s["verdict"] for s in series]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--segmentd", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=10**9)
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    end = time.monotonic() + options.seconds
    tally, failures, done = {}, 0, 0
    while done < options.count and time.monotonic() < end and failures < 10:
        source = pathlib.Path(chance.choice(options.folders))
        target = pathlib.Path(tempfile.mkdtemp(prefix="segmentd-fuzz-"))
        files = sorted(p for p in source.iterdir() if p.is_file())
        for file in files:
            shutil.copyfile(file, target / file.name)
        victim = target / chance.choice(files).name
        try:
            data, element, kind = mutated(victim.read_bytes(), chance)
        except Exception:  # compressed or not DICOM: nothing to change
            shutil.rmtree(target)
            continue
        victim.write_bytes(data)
        found, verdicts = inspect(options.segmentd, str(target))
        done += 1
        for verdict in verdicts:
            tally[verdict] = tally.get(verdict, 0) + 1
        if found:
            failures += 1
            print(f"{target}: {kind} of {element.tag} in {victim.name} of {source}: {found}")
        else:
            shutil.rmtree(target)
    print(f"{done} changed series, verdicts {tally}, {failures} failures")
    sys.exit(1 if failures or done == 0 else 0)


main()
