"""Writes a made-up cardiac MR study as scanners of one vendor name and describe its series. The pixels are a few, and noise.

usage: make_cardiac_study.py FOLDER siemens|ge|philips

Localizers, long-axis cine (two, three and four chambers), the short-axis cine stack, flow, perfusion, late enhancement, mapping,
tagging and black blood. Siemens stores the short-axis stack as a series for each slice, GE and Philips as one series. Names and
attributes follow what the vendors' own protocols write; no series is copied from a patient. Prints a JSON object: the Series
Instance UIDs by the name of what each is (`cine` for the short-axis stack, a list where it is several series).
"""

import argparse
import json
import pathlib
from dataclasses import dataclass, field

import numpy
from pydicom.uid import generate_uid

from make_study import AXIAL, CORONAL, SAGITTAL, image

SHORT = ((0.66, 0.75, 0.04), (0.35, -0.35, -0.87))
FOUR = ((0.97, 0.17, -0.17), (0.10, 0.40, 0.91))
TWO = ((0.30, -0.75, -0.59), (0.45, 0.66, -0.60))
THREE = ((0.70, -0.20, -0.69), (-0.20, 0.87, -0.45))
PIXELS = 12


@dataclass
class Series:
    """`planes`: orientation and number of slices; `images` at each slice."""

    what: str
    description: str
    planes: list
    images: int = 1
    type: list = field(default_factory=lambda: ["ORIGINAL", "PRIMARY", "M"])
    attributes: dict = field(default_factory=dict)
    step: float = 8
    separate: bool = False
    pixel: float = 1.6


def cine(te, tr, flip, sequence, phases, **more):
    return {"ScanningSequence": "GR", "SequenceVariant": "SK" if not more.get("variant") else more["variant"],
            "EchoTime": te, "RepetitionTime": tr, "FlipAngle": flip, "SequenceName": sequence, "CardiacNumberOfImages": phases}


def inversion(te, ti, sequence):
    return {"ScanningSequence": ["GR", "IR"], "SequenceVariant": ["SK", "MP"], "EchoTime": te, "InversionTime": ti,
            "SequenceName": sequence, "RepetitionTime": 700, "FlipAngle": 25}


def siemens():
    magnitude, phase = ["ORIGINAL", "PRIMARY", "M", "RETRO", "NORM", "DIS2D"], ["ORIGINAL", "PRIMARY", "P", "RETRO", "DIS2D"]
    still = ["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"]
    bssfp = cine(1.2, 42, 60, "*tfi2d1_15", 25, variant=["SK", "SP"])
    prepared = {"ScanningSequence": "GR", "SequenceVariant": ["SK", "SP", "MP"], "EchoTime": 1.1, "SequenceName": "*tfl2d1_41"}
    return "SIEMENS", [
        Series("localizer", "localizer", [(AXIAL, 3), (CORONAL, 3), (SAGITTAL, 3)], type=still, attributes=prepared | {"SequenceVariant": "SK"}),
        Series("axial", "trufi_axial_stack_bh", [(AXIAL, 30)], type=still, attributes=cine(1.3, 300, 60, "*tfi2d1_88", 1), step=6),
        Series("two", "cine_retro_2ch", [(TWO, 1)], 25, magnitude, bssfp),
        Series("three", "cine_retro_LVOT_3ch", [(THREE, 1)], 25, magnitude, bssfp),
        Series("four", "cine_retro_4ch", [(FOUR, 1)], 25, magnitude, bssfp),
        Series("cine", "cine_retro_sax", [(SHORT, 11)], 25, magnitude, bssfp, separate=True),
        Series("flow", "flow_aorta_150", [(AXIAL, 1)], 30, magnitude, cine(2.5, 39, 20, "*fl2d1_v150in", 30)),
        Series("flowPhase", "flow_aorta_150_P", [(AXIAL, 1)], 30, phase, cine(2.5, 39, 20, "*fl2d1_v150in", 30)),
        Series("perfusion", "perf_sax_stress", [(SHORT, 3)], 50, still, prepared),
        Series("late", "psir_sax_segmented", [(SHORT, 10)], 1, still, inversion(1.9, 310, "*tfl2d1_25")),
        Series("molli", "t1map_MOLLI_sax", [(SHORT, 3)], 8, still, inversion(1.1, 180, "*tfi2d1_70")),
        Series("tagging", "tagging_grid_sax", [(SHORT, 3)], 20, magnitude, cine(3.9, 45, 14, "*fl2d9", 20)),
    ]


def ge():
    other = ["ORIGINAL", "PRIMARY", "OTHER"]
    fiesta = cine(1.6, 3.6, 45, "fiesta", 20, variant=["SS", "SK"])
    echo = {"ScanningSequence": "SE", "SequenceVariant": "SK", "EchoTime": 42, "RepetitionTime": 1600}
    return "GE MEDICAL SYSTEMS", [
        Series("localizer", "3-PL LOC", [(AXIAL, 5), (CORONAL, 5), (SAGITTAL, 5)], type=other, attributes=cine(1.4, 3.2, 45, "fiesta", 1)),
        Series("black", "SAX DOUBLE IR FSE", [(SHORT, 9)], type=other, attributes=echo),
        Series("two", "2CH FIESTA CINE", [(TWO, 1)], 20, other, fiesta),
        Series("four", "4 CHAMBER FIESTA CINE", [(FOUR, 6)], 20, other, fiesta),
        Series("three", "LVOT FIESTA CINE", [(THREE, 1)], 20, other, fiesta),
        Series("cine", "FIESTA CINE SAX", [(SHORT, 12)], 20, other, fiesta),
        Series("flow", "2D PC AORTA VENC 200", [(AXIAL, 1)], 30, other, cine(3.1, 6.0, 20, "2dfastcard", 30)),
        Series("perfusion", "SAX TIME COURSE", [(SHORT, 4)], 40, other, {"ScanningSequence": "GR", "SequenceVariant": ["SK", "MP"], "EchoTime": 1.2}),
        Series("late", "SAX MDE", [(SHORT, 10)], 1, other, inversion(1.5, 250, "fgre")),
    ]


def philips():
    magnitude = ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
    btfe = cine(1.4, 2.8, 60, "B-TFE", 30, variant="SS")
    return "Philips Medical Systems", [
        Series("localizer", "SURVEY_BTFE", [(AXIAL, 10), (CORONAL, 10), (SAGITTAL, 10)], type=magnitude, attributes=cine(1.1, 2.5, 50, "TFE", 1)),
        Series("two", "sBTFE_BH_VLA", [(TWO, 1)], 30, magnitude, btfe),
        Series("four", "sBTFE_BH_4CH", [(FOUR, 3)], 30, magnitude, btfe),
        Series("three", "sBTFE_BH_LVOT", [(THREE, 3)], 30, magnitude, btfe),
        Series("cine", "sBTFE_BH_MULTI_SA", [(SHORT, 12)], 30, magnitude, btfe),
        Series("flow", "QFLOW_BH_AO", [(AXIAL, 1)], 40, ["ORIGINAL", "PRIMARY", "PHASE CONTRAST M", "M", "PCA"], cine(2.6, 4.4, 12, "T1FFE", 40)),
        Series("flowPhase", "QFLOW_BH_AO", [(AXIAL, 1)], 40, ["ORIGINAL", "PRIMARY", "VELOCITY MAP", "P", "PCA"], cine(2.6, 4.4, 12, "T1FFE", 40)),
        Series("perfusion", "PERF_REST_SA", [(SHORT, 3)], 60, magnitude, {"ScanningSequence": "GR", "SequenceVariant": "MP", "EchoTime": 1.1}),
        Series("late", "LGE_3D_SA", [(SHORT, 20)], 1, ["ORIGINAL", "PRIMARY", "M_IR", "M", "IR"], inversion(2.9, 290, "T1TFE"), step=5),
        Series("tagging", "CSPAMM_SA", [(SHORT, 3)], 18, magnitude, cine(5.9, 30, 10, "TFEPI", 18)),
    ]


VENDORS = {"siemens": siemens, "ge": ge, "philips": philips}


class Study:
    def __init__(self, folder, manufacturer):
        self.folder, self.manufacturer = folder, manufacturer
        self.uid, self.frame = generate_uid(prefix="2.25."), generate_uid(prefix="2.25.")
        self.noise, self.number = numpy.random.default_rng(5), 0

    def write(self, series):
        if not series.separate:
            return self.series(series, series.description, series.planes)
        (orientation, slices), = series.planes
        return [self.series(series, series.description, [(orientation, 1)], first=k) for k in range(slices)]

    def series(self, series, description, planes, first=0):
        self.number += 1
        uid, target = generate_uid(prefix="2.25."), self.folder / f"{self.number:03d}"
        target.mkdir(parents=True)
        shared = {"StudyInstanceUID": self.uid, "SeriesInstanceUID": uid, "FrameOfReferenceUID": self.frame,
                  "SeriesNumber": self.number, "SeriesDescription": description, "ProtocolName": description,
                  "Manufacturer": self.manufacturer, "ImageType": series.type, "MRAcquisitionType": "2D",
                  "MagneticFieldStrength": "1.5", **series.attributes}
        number = 0
        for (row, column), slices in planes:
            normal = numpy.cross(row, column)
            column = numpy.cross(normal, row) / numpy.linalg.norm(normal)
            row = numpy.array(row) / numpy.linalg.norm(row)
            for place in range(first, first + slices):
                origin = normal / numpy.linalg.norm(normal) * series.step * place
                for phase in range(series.images):
                    number += 1
                    grid = ((tuple(row), tuple(column / numpy.linalg.norm(column))), PIXELS, PIXELS, slices,
                            series.pixel, series.pixel, series.step)
                    image(shared, grid, self.noise.integers(0, 900, (PIXELS, PIXELS)), origin, number,
                          TriggerTime=f"{phase * 30.5:.1f}").save_as(
                        target / f"IM{number:04d}.dcm", enforce_file_format=True)
        return uid


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("vendor", choices=VENDORS)
    options = parser.parse_args()
    manufacturer, series = VENDORS[options.vendor]()
    study = Study(options.folder, manufacturer)
    print(json.dumps({one.what: study.write(one) for one in series}))


if __name__ == "__main__":
    main()
