"""Archives for the tests of queries and retrievals: well-behaved and odd ones, with pynetdicom.

usage: query_peers.py archive PORT AE FOLDER [BEHAVIOUR...] [move=AE:PORT]
       query_peers.py phantom FOLDER COUNT       a CT series of COUNT slices, prints its study and series

An archive has the DICOM files of FOLDER and of the folders in it, read anew for each query.
Behaviours:
  endless       answers C-FIND with pending for ever
  repeats       pending without identifier for ever
  wrong-count   says one instance more than there are
  no-count      leaves out Number of Series Related Instances (0020,1209)
  short         C-GET sends all but the last two objects, and counts them as failed
  forgets       C-GET sends all but the last two objects and says nothing of it
  patient-root  knows the patient root only
  no-get        does not know C-GET
  busy          answers 0xA700 to everything
  silent        accepts the association and never answers
  large         answers C-FIND with an identifier of 3 MB
  deep          answers C-FIND with sequences nested 100 deep
  strangers     answers C-FIND with matches of another study too
  no-uid        answers C-FIND without UIDs
  leaves        C-GET: goes away after the first object
  slow          C-GET: a second for each object
  stalls        C-GET: pending for ever, and no object
"""

import os
import pathlib
import sys
import time

import numpy
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom import sop_class

PENDING = 0xFF00


class Archive:
    def __init__(self, folder, behaviours, destinations):
        self.folder, self.behaviours = pathlib.Path(folder), behaviours
        self.destinations = destinations

    def instances(self):
        found = []
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file():
                continue
            try:
                found.append(dcmread(path, force=False))
            except Exception:
                continue
        return found

    def matching(self, identifier):
        keys = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
        asked = {key: identifier.get(key) for key in keys if identifier.get(key)}

        def fits(instance):
            for key, value in asked.items():
                values = [value] if isinstance(value, str) else list(value)
                if instance.get(key) not in values:
                    return False
            return True

        return [instance for instance in self.instances() if fits(instance)]

    def find(self, event):
        if "silent" in self.behaviours:
            time.sleep(3600)
        if "busy" in self.behaviours:
            yield 0xA700, None
            return
        identifier = event.identifier
        while self.behaviours & {"endless", "repeats"}:
            yield (PENDING, self.series(self.instances()[:1], identifier))
        if "large" in self.behaviours:
            yield PENDING, self.large(identifier)
        if "deep" in self.behaviours:
            yield PENDING, deep()
        matching = self.matching(identifier)
        if identifier.QueryRetrieveLevel == "SERIES":
            for uid in dict.fromkeys(i.SeriesInstanceUID for i in matching):
                of_series = [i for i in matching if i.SeriesInstanceUID == uid]
                yield PENDING, self.series(of_series, identifier)
        else:
            for instance in matching:
                yield PENDING, self.image(instance)
        if "strangers" in self.behaviours:
            stranger = Dataset()
            stranger.QueryRetrieveLevel = identifier.QueryRetrieveLevel
            stranger.StudyInstanceUID, stranger.SeriesInstanceUID = "1.2.3", "1.2.3.4"
            stranger.SOPInstanceUID, stranger.NumberOfSeriesRelatedInstances = "1.2.3.4.5", 7
            yield PENDING, stranger

    def series(self, instances, identifier):
        match = Dataset()
        match.QueryRetrieveLevel = identifier.QueryRetrieveLevel
        match.StudyInstanceUID = instances[0].StudyInstanceUID
        match.Modality = instances[0].Modality
        if "no-uid" not in self.behaviours:
            match.SeriesInstanceUID = instances[0].SeriesInstanceUID
        if "no-count" not in self.behaviours:
            more = 1 if "wrong-count" in self.behaviours else 0
            match.NumberOfSeriesRelatedInstances = len(instances) + more
        return match

    def image(self, instance):
        match = Dataset()
        match.QueryRetrieveLevel = "IMAGE"
        match.StudyInstanceUID = instance.StudyInstanceUID
        match.SeriesInstanceUID = instance.SeriesInstanceUID
        if "no-uid" not in self.behaviours:
            match.SOPInstanceUID = instance.SOPInstanceUID
        match.SOPClassUID = instance.SOPClassUID
        return match

    def large(self, identifier):
        match = self.series(self.instances()[:1], identifier)
        match.StudyComments = "x" * 3_000_000
        return match

    def get(self, event):
        if "silent" in self.behaviours:
            time.sleep(3600)
        matching = self.matching(event.identifier)
        yield len(matching)
        if "busy" in self.behaviours:
            yield 0xA700, None
            return
        for number, instance in enumerate(matching):
            if "leaves" in self.behaviours and number == 1:
                os._exit(0)
            if "slow" in self.behaviours:
                time.sleep(1)
            if "short" in self.behaviours and number >= len(matching) - 2:
                # pynetdicom counts an object that cannot be sent as failed.
                broken = Dataset()
                broken.SOPClassUID, broken.SOPInstanceUID = "1.2.3.99", instance.SOPInstanceUID
                broken.file_meta = instance.file_meta
                yield PENDING, broken
                continue
            if "forgets" in self.behaviours and number >= len(matching) - 2:
                yield 0x0000, None
                return
            yield PENDING, instance
        yield 0x0000, None

    def move(self, event):
        where = self.destinations.get(event.move_destination.strip())
        if where is None:
            yield None, None
            return
        yield where
        matching = self.matching(event.identifier)
        yield len(matching)
        for instance in matching:
            yield PENDING, instance


def deep():
    inner = Dataset()
    inner.StudyID = "1"
    for _ in range(100):
        outer = Dataset()
        outer.RequestAttributesSequence = [inner]
        inner = outer
    return inner


def archive(port, title, folder, *options):
    behaviours = {option for option in options if not option.startswith("move=")}
    destinations = {}
    for option in options:
        if option.startswith("move="):
            name, where = option[5:].split(":")
            destinations[name] = ("127.0.0.1", int(where))
    held = Archive(folder, behaviours, destinations)
    ae = AE(ae_title=title)
    roots = ["Patient"] if "patient-root" in behaviours else ["Study"]
    services = ["Find", "Move"] + ([] if "no-get" in behaviours else ["Get"])
    for root in roots:
        for service in services:
            name = f"{root}RootQueryRetrieveInformationModel{service}"
            ae.add_supported_context(getattr(sop_class, name))
    ae.add_supported_context(sop_class.Verification)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(
            context.abstract_syntax, ALL_SYNTAXES, scu_role=False, scp_role=True)
    for context in AllStoragePresentationContexts[:100]:
        ae.add_requested_context(context.abstract_syntax)
    ae.maximum_pdu_size = 0
    if "stalls" in behaviours:
        held.get = stalls
    ae.start_server(
        ("127.0.0.1", int(port)),
        evt_handlers=[
            (evt.EVT_C_FIND, held.find), (evt.EVT_C_GET, held.get), (evt.EVT_C_MOVE, held.move)])


ALL_SYNTAXES = [
    ExplicitVRLittleEndian, "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.201"]


def stalls(event):
    yield 1
    while True:
        time.sleep(3600)
        yield PENDING, Dataset()


def phantom(folder, count):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
    frame = generate_uid(prefix="2.25.")
    y, x = numpy.mgrid[0:32, 0:32]
    for number in range(int(count)):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(prefix="2.25.")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
        d.PatientID, d.PatientName, d.Modality = "PHANTOM", "Phantom", "CT"
        d.StudyDate, d.StudyTime, d.AccessionNumber = "20260101", "120000", "A1"
        d.StudyID, d.SeriesNumber, d.InstanceNumber = "1", 1, number + 1
        d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.ImagePositionPatient, d.ImageOrientationPatient = [0, 0, 2 * number], [1, 0, 0, 0, 1, 0]
        d.PixelSpacing, d.SliceThickness = [1, 1], 2
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -1024, "HU"
        d.Rows = d.Columns = 32
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
        d.PixelData = ((x * 7 + y * 13 + number * 17) % 4096).astype(numpy.uint16).tobytes()
        d.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
    print(study, series)


if __name__ == "__main__":
    {"archive": archive, "phantom": phantom}[sys.argv[1]](*sys.argv[2:])
