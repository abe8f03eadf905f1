"""Prints the measurements of `segmentd jobs --json`, one a line."""

import json
import sys

for job in json.load(sys.stdin):
    for one in job.get("measurements", []):
        print(f"    {one['name']}: {one['value']:.1f} {one['unit']}")
