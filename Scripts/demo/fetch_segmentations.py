"""Fetches every DICOM SEG of a DICOMweb server (QIDO-RS, WADO-RS) into a folder.

usage: fetch_segmentations.py http://HOST:PORT/dicom-web FOLDER
"""

import json
import pathlib
import re
import sys
import urllib.request


def value(attributes, tag):
    return attributes[tag]["Value"][0]


def get(url, accept):
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.headers["Content-Type"], response.read()


web, folder = sys.argv[1], pathlib.Path(sys.argv[2])
_, body = get(f"{web}/series?Modality=SEG", "application/dicom+json")
for series in json.loads(body or b"[]"):
    study_uid, series_uid = value(series, "0020000D"), value(series, "0020000E")
    content_type, body = get(
        f"{web}/studies/{study_uid}/series/{series_uid}",
        'multipart/related; type="application/dicom"',
    )
    boundary = b"--" + re.search(r'boundary="?([^";]+)', content_type)[1].encode()
    # Between boundaries: headers, an empty line, the object, and a final line break.
    for number, part in enumerate(body.split(boundary)[1:-1]):
        path = folder / f"segmentation-{series_uid[-8:]}-{number + 1}.dcm"
        path.write_bytes(part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
