"""A recipe: what a model is (`NAME.yaml`, from which its bundle is made) and how it is trained (`NAME.training.yaml`)."""

import csv
import json
from pathlib import Path

import numpy as np
import yaml

from pipeline import case_names, read_volume
from unetrpp import Description

HERE = Path(__file__).parent


class Recipe:
    """`name` is one of this folder's recipes or a path without `.yaml`.

    `network` (Description), `spacing` (mm, z y x), `mirror_axes` of inference, `labels` (values), `columns` (their short
    names), `largest_components` (the rules of postprocessing), `options`.
    """

    def __init__(self, name):
        self.name = name
        self.model_file = HERE / f"{name}.yaml"
        model = yaml.safe_load(self.model_file.read_text())
        self.options = yaml.safe_load((HERE / f"{name}.training.yaml").read_text())
        self.network = Description.from_yaml(model["network"])
        self.spacing = model["preprocessing"]["spacing"]
        self.mirror_axes = model["inference"]["mirrorAxes"]
        self.largest_components = model.get("postprocessing", {}).get("largestComponents", [])
        self.acquired = model["preprocessing"]["orientation"] == "acquired"
        self.labels = [label["value"] for label in model["labels"]]
        self.columns = self.options["columns"]
        self.split_file = HERE / self.options["split"]

    def read(self, data, name):
        """Image, labels (z, y, x) and spacing of a case."""
        image, spacing = read_volume(Path(data) / "images" / f"{name}.nii.gz", self.acquired)
        labels, _ = read_volume(Path(data) / "labels" / f"{name}.nii.gz", self.acquired)
        if image.shape != labels.shape:
            raise ValueError(f"{name}: image {image.shape} and labels {labels.shape} differ in size")
        if not np.isfinite(image).all():
            raise ValueError(f"{name}: a voxel of the image is not finite")
        if unknown := sorted(set(np.unique(labels).tolist()) - {0, *self.labels}):
            raise ValueError(f"{name}: labels {unknown} are not those of the recipe, {self.labels}")
        return image, labels, spacing

    def cases(self, data):
        """Names of the training and held-out cases; the split is drawn where the file is missing."""
        names = case_names(data)
        if not self.split_file.exists():
            self.split_file.write_text(json.dumps(self.make_split(data, names), indent=1) + "\n")
        split = json.loads(self.split_file.read_text())
        if not self.options.get("splitByPatient"):
            return split["training"], split["heldOut"]
        return tuple([n for n in names if patient_of(n) in set(split[part])] for part in ("training", "heldOut"))

    def make_split(self, data, names):
        """A fifth held out: of the cases, or of each group's patients, whose cases all are on one side."""
        seed = self.options["splitSeed"]
        if not self.options.get("splitByPatient"):
            return split_names(names, seed)
        with open(Path(data) / "cases.csv") as file:
            groups = {row["patient"]: row["group"] for row in csv.DictReader(file)}
        present = {patient_of(name) for name in names}
        return split_groups({patient: group for patient, group in groups.items() if patient in present}, seed)


def patient_of(case):
    """`patient001` of `patient001_frame12`."""
    return case.split("_")[0]


def split_names(names, seed):
    """The held-out fifth: the first fifth of a seeded permutation of the sorted case names."""
    order = np.random.default_rng(seed).permutation(len(names))
    held_out = sorted(names[i] for i in order[: len(names) // 5])
    return {"seed": seed, "heldOut": held_out, "training": [n for n in names if n not in set(held_out)]}


def split_groups(groups, seed):
    """The held-out fifth of the patients, every group by its share (largest remainders): `groups` maps patient to group."""
    members = {group: sorted(p for p, g in groups.items() if g == group) for group in sorted(set(groups.values()))}
    counts = {group: len(patients) // 5 for group, patients in members.items()}
    by_remainder = sorted(members, key=lambda group: -(len(members[group]) % 5))
    for group in by_remainder[: len(groups) // 5 - sum(counts.values())]:
        counts[group] += 1
    rng = np.random.default_rng(seed)
    held_out = sorted(patient for group, patients in members.items()
                      for patient in rng.permutation(patients)[: counts[group]].tolist())
    return {"seed": seed, "heldOut": held_out, "training": sorted(set(groups) - set(held_out))}
