"""Reads `segmentd jobs --json`, and prints the measurements of a model's jobs, one a line.

Usage: measurements.py MODEL
"""

import json
import sys

for job in json.load(sys.stdin):
    for one in job.get("measurements", []) if job["model"] == sys.argv[1] else []:
        print(f"    {one['name']}: {one['value']:.1f} {one['unit']}")
