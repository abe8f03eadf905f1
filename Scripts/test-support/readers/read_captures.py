"""Says what pydicom reads of secondary captures.

usage: read_captures.py FILE ...

Prints a JSON list: frames, rows, columns and the SHA-256 of the pixels of each file.
"""

import hashlib
import json
import sys

import pydicom

captures = []
for file in sys.argv[1:]:
    d = pydicom.dcmread(file)
    pixels = d.pixel_array
    assert pixels.dtype == "uint8" and pixels.shape[-1] == 3, pixels.shape
    frames = int(d.get("NumberOfFrames", 1))
    captures.append({
        "frames": frames, "rows": d.Rows, "columns": d.Columns,
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()})
print(json.dumps(captures))
