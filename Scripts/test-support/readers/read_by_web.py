"""Retrieves the results of a study by DICOMweb with dicomweb-client, and reads the segmentation with highdicom.

usage: read_by_web.py SERVICE STUDY_UID EXPECTED.json

EXPECTED.json is as of read_segmentation.py, with the segmentation's UID as sopInstanceUID; beside it are the files that
were stored. Each instance must equal its file, element by element, as a dataset and as DICOM JSON describes it.
"""

import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import read_segmentation as reading
from dicomweb_client.api import DICOMwebClient


def texts(dataset):
    """What DICOM JSON has of a dataset without its bulk data."""
    return {
        element.tag: element.value for element in dataset
        if element.VR not in ("OB", "OW", "SQ") and element.tag != 0x00080005
    }


def main(service, study, path):
    expected = reading.read_expected(path)
    stored = {}
    for file in sorted(Path(path).parent.glob("*.dcm")):
        if not file.stem.endswith("-back"):
            dataset = pydicom.dcmread(file)
            stored[dataset.SOPInstanceUID] = dataset
    client = DICOMwebClient(service)
    found = client.search_for_instances(study_instance_uid=study)
    uids = {instance["00080018"]["Value"][0]: instance["0020000E"]["Value"][0] for instance in found}
    if set(uids) != set(stored):
        sys.exit(f"the archive lists {sorted(uids)}")
    for uid, series in uids.items():
        instance = client.retrieve_instance(study, series, uid)
        if instance != stored[uid]:
            sys.exit(f"{uid} differs from what was stored")
        described = pydicom.Dataset.from_json(client.retrieve_instance_metadata(study, series, uid))
        if texts(described) != texts(stored[uid]):
            sys.exit(f"{uid} is described otherwise than it was stored")
    uid = expected["sopInstanceUID"]
    segmentation = highdicom.seg.Segmentation.from_dataset(client.retrieve_instance(study, uids[uid], uid))
    numbers = segmentation.get_pixels_by_source_instance(
        [image for image, _ in expected["images"]], combine_segments=True, relabel=False,
        assert_missing_frames_are_empty=True)
    wrong = int((np.asarray(numbers) != reading.wanted_numbers(expected)).sum())
    print(f"{len(uids)} objects, {wrong} voxels wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
