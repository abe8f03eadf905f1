#!/usr/bin/env python3
"""Studies through a daemon whose jobs a real Slurm cluster computes, and strikes; see Scripts/slurm-lab.sh.

After each strike every study has to be completed, or held where it says so, with the very bytes that segmentd run gives,
once.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from cluster import run  # noqa: E402
from measurement import add_options, keep  # noqa: E402
from strikes import BRIEF, STRIKES, Strikes  # noqa: E402
from study_cost import measure  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segmentd", required=True, type=pathlib.Path)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--brief", action="store_true", help="the first three alone")
    parser.add_argument("--only", help="the one strike of this name")
    parser.add_argument("--measure", type=int, metavar="N", help="in place of the strikes, what N studies cost")
    parser.add_argument("--slices", type=int, default=8, help="of a study that is measured")
    parser.add_argument("--size", type=int, default=48, help="rows and columns of its slices")
    parser.add_argument("--count-syncs", action="store_true", help="what of it is written to disks, by strace; slower")
    parser.add_argument("--maximum-jobs", type=int, default=4)
    parser.add_argument("--pack-jobs", type=int, default=16)
    parser.add_argument("--lag", type=int, default=0, metavar="SECONDS",
                        help="for which head and nodes keep the names of the shared folder, as clients of NFS do")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    add_options(parser)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-lab."))
    folder.chmod(0o700)
    lab = Strikes(arguments.segmentd.resolve(), folder, arguments.nodes, arguments.maximum_jobs, arguments.pack_jobs,
                  # For strikes less than the larger studies need: their first submission is refused.
                  memory=0.5 if arguments.measure else 0.1, lag=arguments.lag)
    failed = []
    try:
        lab.start()
        if arguments.measure:
            keep(arguments, measure(lab, arguments.measure, arguments.slices, arguments.size, arguments.count_syncs))
            lab.stop()
            return
        for strike in BRIEF if arguments.brief else STRIKES:
            if arguments.only not in (None, strike.__name__):
                continue
            began = time.monotonic()
            print(strike.__name__.replace("_", " "), flush=True)
            try:
                lab.readmit()
                lab.follow_doctor()
                strike(lab)
                print(f"  as it has to be, {time.monotonic() - began:.0f} s", flush=True)
            except (AssertionError, RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
                failed.append(strike.__name__)
                print(f"  FAILED: {error}\n{getattr(error, 'stderr', '') or ''}", flush=True)
        lab.stop()
    finally:
        lab.cluster.end()
        for place in (lab.jobs_folder, folder / "share"):
            run("umount", place, check=False)
        if not arguments.keep and not failed:
            shutil.rmtree(folder)
        else:
            print(f"left: {folder}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
