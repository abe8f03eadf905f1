"""Reads `segmentd jobs --json`; succeeds once every job has ended and its result is delivered."""

import json
import sys

jobs = json.load(sys.stdin)
ended = {"completed", "held", "discarded", "cancelled"}
open_jobs = [job for job in jobs if job["state"] not in ended]
open_deliveries = [
    delivery
    for job in jobs
    for delivery in job.get("deliveries", [])
    if delivery["state"] not in {"delivered", "superseded", "discarded"}
]
sys.exit(1 if not jobs or open_jobs or open_deliveries else 0)
