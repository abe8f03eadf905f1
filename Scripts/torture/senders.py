"""Series and the peers that send them. What was acknowledged is known of every instance."""

import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

from pydicom import dcmread
from pynetdicom import AE

GENERATOR = pathlib.Path(__file__).resolve().parent.parent / "test-support/generators/make_series.py"


class Series:
    def __init__(self, folder, number, slices, size, has_gap):
        """One with a gap is to be held."""
        self.files = folder / "images"
        self.end = "held" if has_gap else "completed"
        gap = ["--without", str(slices // 2)] if has_gap else []
        made = subprocess.run([sys.executable, GENERATOR, self.files, "--slices", str(slices), "--size", str(size),
                               "--seed", str(number), *gap], check=True, capture_output=True, text=True)
        self.study, self.uid = made.stdout.split()
        self.datasets = [dcmread(file) for file in sorted(self.files.iterdir())]


class Record:
    """What senders were told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.refused = set()

    def answer(self, dataset, status):
        with self.lock:
            if status == 0x0000:
                self.acknowledged[str(dataset.SOPInstanceUID)] = dataset.PixelData
            elif status is not None:
                self.refused.add(str(dataset.SOPInstanceUID))


class Sender(threading.Thread):
    """A modality: it sends a series, is cut off or gives up now and then, and begins anew until all is taken."""

    def __init__(self, port, title, series, record, seed):
        super().__init__(daemon=True)
        self.port, self.title, self.series, self.record = port, title, series, record
        self.random = random.Random(seed)
        self.is_done = False
        self.hurry = threading.Event()
        self.start()

    def run(self):
        while not self.is_done:
            mood = "whole" if self.hurry.is_set() else self.random.choice(["whole", "abort", "slow", "slow"])
            try:
                self.is_done = self.send(mood)
            except (OSError, RuntimeError, ValueError):
                pass
            if not self.is_done:
                self.hurry.wait(self.random.uniform(0.2, 2))
                time.sleep(0.2)

    def send(self, mood):
        """Whether all was taken and the association released."""
        ae = AE(ae_title=self.title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
        ae.connection_timeout = 10
        first = self.series.datasets[0]
        ae.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
        association = ae.associate("127.0.0.1", self.port, ae_title="SEGMENTD")
        if not association.is_established:
            return False
        count = self.random.randrange(len(self.series.datasets)) if mood == "abort" else len(self.series.datasets)
        taken = 0
        for dataset in self.series.datasets[:count]:
            status = association.send_c_store(dataset).get("Status")
            self.record.answer(dataset, status)
            taken += status == 0x0000
            if mood == "slow":
                self.hurry.wait(self.random.uniform(0, 0.5))
        if mood == "abort":
            association.abort()
            return False
        if not association.is_established:
            return False
        association.release()
        return association.is_released and taken == len(self.series.datasets)


def drop(series, folder):
    """Puts a series into a watch folder, as an export does: each file under its name once it is whole."""
    place = folder / series.uid
    place.mkdir()
    for file in sorted(series.files.iterdir()):
        shutil.copy(file, place / f"{file.name}.part")
        (place / f"{file.name}.part").rename(place / file.name)
