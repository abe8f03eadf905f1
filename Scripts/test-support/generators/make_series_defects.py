"""Series with one habit or defect each, as scanners, archives and anonymisers make them.

usage: make_series_defects.py FOLDER

Writes FOLDER/NAME/*.dcm and FOLDER/expected.json: by NAME, the Series Instance UID, the verdicts
that are right ("accepted", "repaired" or "held"; often one), and, where the series is not held,
the volumes' sizes [columns, rows, slices] and the step between slices in mm.
"""

import json
import pathlib
import sys

import series_habits  # noqa: F401 (registers its changes)
import series_faults  # noqa: F401
import series_files  # noqa: F401
import series_vendors  # noqa: F401
from series_changes import DEFECTS, base, uid


def main():
    folder = pathlib.Path(sys.argv[1])
    expected = {}
    for name, (change, verdicts, dims, step) in DEFECTS.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        series = uid()
        slices = base(series)
        changed = change(slices) or slices
        for index, d in enumerate(changed):
            # As they are: pydicom must mend nothing.
            file = target / f"{index:03}.dcm"
            d.save_as(file, enforce_file_format=True)
            if hasattr(d, "rewrite"):
                file.write_bytes(d.rewrite(file.read_bytes()))
        expected[name] = {
            "series": series, "verdicts": verdicts, "volumes": dims,
            "step": step if dims else None,
        }  # fmt: skip
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


main()
