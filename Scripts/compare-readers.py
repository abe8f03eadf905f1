"""What segmentd inspect and four other readers make of the same series, as CSV.

usage: compare-readers.py --segmentd BINARY [--title TEXT FOLDER]... [--check]

Each FOLDER holds one folder of DICOM files for each case, at any depth. A file expected.json next to
or above a case is compared with what segmentd says: a list with `affine_lps` and `dims` for each
volume (real data, to 1e-3 mm), or a mapping from case to `verdicts`, `volumes` and `step`
(make_series_defects.py). With --check the exit status tells whether all of them agree.

Needs the packages of Scripts/test-support/requirements.txt, dicom2nifti, and dcm2niix on the path.
Each reader works in a process of its own, so that a crash or a hang is one cell of the table.
"""

import argparse
import collections
import csv
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

READERS = ["SimpleITK", "dcm2niix", "dicom2nifti", "highdicom"]
SECONDS = 120


def volume(shape, spacing, affine=None):
    entry = {"dims": [int(n) for n in shape], "spacing": [round(float(v), 3) for v in spacing]}
    if affine is not None:
        entry["affine"] = affine
    return entry


def by_series(folder):
    from pydicom import dcmread

    series = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).iterdir()):
        d = dcmread(path, force=True)
        series[d.get("SeriesInstanceUID", "")].append((path, d))
    return series


def nifti_volumes(folder):
    import nibabel

    found = []
    for path in sorted(pathlib.Path(folder).rglob("*.nii*")):
        image = nibabel.load(path)
        zooms = [float(z) for z in image.header.get_zooms()]
        for _ in range(image.shape[3] if image.ndim > 3 else 1):
            found.append(volume(image.shape[:3], zooms[:3]))
    return found


def read_simpleitk(folder):
    import SimpleITK

    found = []
    for uid in SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(folder):
        reader = SimpleITK.ImageSeriesReader()
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(folder, uid)
        reader.SetFileNames(names)
        image = reader.Execute()
        size = list(image.GetSize()) + [1]
        for _ in range(size[3] if image.GetDimension() > 3 else 1):
            found.append(volume(size[:3], (list(image.GetSpacing()) + [0])[:3]))
    return found


def read_dcm2niix(folder):
    with tempfile.TemporaryDirectory() as output:
        subprocess.run(
            ["dcm2niix", "-b", "n", "-z", "n", "-f", "%s_%d", "-o", output, folder],
            stdout=sys.stderr, timeout=SECONDS,
        )  # fmt: skip
        return nifti_volumes(output)


def read_dicom2nifti(folder):
    import dicom2nifti.convert_dicom

    with tempfile.TemporaryDirectory() as output:
        for index, entries in enumerate(by_series(folder).values()):
            target = os.path.join(output, f"{index}.nii.gz")
            datasets = [d for _, d in entries]
            dicom2nifti.convert_dicom.dicom_array_to_nifti(datasets, target, reorient_nifti=False)
        return nifti_volumes(output)


def read_highdicom(folder):
    import highdicom

    found = []
    for entries in by_series(folder).values():
        if any("NumberOfFrames" in d for _, d in entries):
            for _, d in entries:
                got = highdicom.Image.from_dataset(d).get_volume()
                found.append(volume(got.spatial_shape[::-1], got.spacing[::-1]))
        else:
            got = highdicom.get_volume_from_series([d for _, d in entries])
            found.append(volume(got.spatial_shape[::-1], got.spacing[::-1]))
    return found


def one(reader, folder):
    """Runs in the child: one line of JSON on standard output."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    try:
        result = {"volumes": globals()[f"read_{reader.lower()}"](folder)}
    except Exception as error:  # whatever a reader may throw is its answer
        text = str(error).strip().splitlines()
        result = {"error": f"{type(error).__name__}: {text[-1] if text else ''}"}
    print("\n" + json.dumps(result))


def run_reader(reader, folder):
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--one", reader, folder],
            capture_output=True, text=True, timeout=SECONDS + 30,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": "timed out"}
    if done.returncode != 0:
        return {"error": f"crashed ({done.returncode})"}
    result = json.loads(done.stdout.strip().splitlines()[-1])
    # ITK says on standard error that it took uneven slices for even ones.
    if "Non uniform sampling" in done.stderr:
        result["warned"] = True
    return result


def run_segmentd(binary, folder):
    done = subprocess.run(
        [binary, "inspect", "--json", folder], capture_output=True, text=True, timeout=SECONDS
    )
    try:
        series = json.loads(done.stdout)["series"]
    except (json.JSONDecodeError, KeyError):
        return {"error": (done.stderr.strip().splitlines() or [f"crashed ({done.returncode})"])[-1]}
    for entry in series:
        for found in entry["volumes"]:
            columns = [[row[i] for row in found["affine"][:3]] for i in range(3)]
            found["spacing"] = [round(sum(v * v for v in c) ** 0.5, 3) for c in columns]
    return {"series": series}


# Text of the table


def formatted_volumes(volumes):
    texts = collections.Counter()
    for entry in volumes:
        dims = "×".join(str(n) for n in entry["dims"])
        spacing = "×".join(f"{v:.3g}" for v in entry["spacing"])
        texts[f"{dims} @ {spacing}"] += 1
    parts = [f"{count} of {text}" if count > 1 else text for text, count in texts.items()]
    return "; ".join(parts[:3]) + ("; …" if len(parts) > 3 else "")


def formatted(result):
    if "error" in result:
        return short(result["error"], 60)
    text = formatted_volumes(result["volumes"]) or "nothing"
    return text + (" (warns)" if result.get("warned") else "")


def formatted_segmentd(result):
    if "error" in result:
        return short(result["error"], 90)
    cells = collections.OrderedDict()
    for entry in result["series"]:
        verdict = entry["verdict"]
        if verdict == "held":
            text = "held: " + short(entry["reasons"][0] if entry["reasons"] else "", 110)
        else:
            text = f"{verdict} " + formatted_volumes(entry["volumes"])
            if verdict == "repaired" and entry["reasons"]:
                text += ": " + short(entry["reasons"][0], 90)
        cells[text] = cells.get(text, 0) + 1
    return "; ".join(f"{n} series {t}" if n > 1 else t for t, n in cells.items())


def short(text, count):
    text = re.sub(r"[\r\n]+", " ", text)
    # UIDs and paths say nothing here, and differ in each run.
    text = re.sub(r"/\S*/", "", text)
    text = re.sub(r"\d+(\.\d+){4,}", "UID", text)
    text = re.sub(r"\b2\.25\.\d+", "UID", text)
    return text if len(text) <= count else text[: count - 1] + "…"


# Comparison with what is expected


def nearest(folder, root):
    while True:
        if (folder / "expected.json").exists():
            return json.loads((folder / "expected.json").read_text())
        if folder == root:
            return None
        folder = folder.parent


def volumes_of(result):
    return [v for entry in result.get("series", []) for v in entry["volumes"]]


def differs(a, b):
    return max(abs(x - y) for r, s in zip(a[:3], b[:3]) for x, y in zip(r, s))


def compare(case, result, expected):
    """A mark for the table: what was expected, and whether it came. Empty where nothing is said."""
    if isinstance(expected, dict) and case.name in expected:
        entry = expected[case.name]
        verdicts = {s["verdict"] for s in result.get("series", [])}
        if not verdicts or not verdicts <= set(entry["verdicts"]):
            return f"✘ expected {' or '.join(entry['verdicts'])}"
        if entry["volumes"]:
            found = volumes_of(result)
            if sorted(v["dims"] for v in found) != sorted(entry["volumes"]):
                return f"✘ expected {entry['volumes']}"
            step = entry["step"]
            if step and any(abs(v["spacing"][2] - step) > 2e-3 for v in found):
                return f"✘ expected steps of {step} mm"
        return "✔"
    if isinstance(expected, list):
        references = [e for e in expected if isinstance(e, dict) and "affine_lps" in e]
        found = volumes_of(result)
        same = sum(
            any(
                e["dims"] == v["dims"] and differs(e["affine_lps"], v["affine"]) <= 1e-3
                for e in references
            )
            for v in found
        )
        if found and references:
            return f"{same} of {len(found)} grids = reference"
    return ""


def cases(root):
    for folder, _, files in sorted(os.walk(root)):
        paths = [pathlib.Path(folder) / f for f in sorted(files)]
        dicom = [p for p in paths if is_dicom(p)]
        if dicom:
            yield pathlib.Path(folder), dicom


def is_dicom(path):
    with open(path, "rb") as file:
        start = file.read(132)
    return len(start) == 132 and start[128:] == b"DICM"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--segmentd")
    parser.add_argument("--title", nargs=2, action="append", default=[])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only-segmentd", action="store_true")
    parser.add_argument("--one", nargs=2)
    options = parser.parse_args()
    if options.one:
        return one(*options.one)
    readers = [] if options.only_segmentd else READERS
    failures = 0
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["group", "case", "segmentd", "expected", *readers])
    for title, folder in options.title:
        root = pathlib.Path(folder)
        for case, files in cases(root):
            with tempfile.TemporaryDirectory() as flat:
                for index, file in enumerate(files):
                    shutil.copyfile(file, f"{flat}/{index:05}.dcm")
                ours = run_segmentd(options.segmentd, flat)
                mark = compare(case, ours, nearest(case, root))
                failures += mark.startswith("✘")
                cells = [formatted(run_reader(reader, flat)) for reader in readers]
            name = str(case.relative_to(root)).removesuffix("/dicom")
            table.writerow([title, name.replace("_", " "), formatted_segmentd(ours), mark, *cells])
            sys.stdout.flush()
    if not options.only_segmentd:
        packages = ["SimpleITK", "dicom2nifti", "highdicom", "pydicom"]
        versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
        print("Versions:", versions, file=sys.stderr)
    if options.check and failures:
        sys.exit(f"{failures} cases are not as expected")


main()
