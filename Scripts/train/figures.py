"""What a cardiac bundle reaches on held-out patients, from `segmentd evaluate --json`, as Markdown for its card.

    segmentd evaluate --model BUNDLE --images DATA/images --labels DATA/labels --cases held-out.json --json > evaluation.json
    python figures.py --evaluation evaluation.json --data DATA [--json figures.json] > figures.md
    python figures.py --names --recipe cardiac --data DATA > held-out.json      # the cases for --cases
    python figures.py --data DATA --beside UNETR++=evaluation.json U-Net=unet.json     # one row for each network

Dice and HD95 (mm) per phase and structure; end-diastolic and end-systolic volume, ejection fraction and left ventricular mass
against the labels: bias and limits of agreement (1.96 standard deviations of the differences; Bland and Altman, Lancet 1986);
Dice and the ejection fraction's error per group of DATA/cases.csv.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np

from recipe import Recipe, patient_of

DENSITY = 1.05  # g/ml of myocardium
NAMES = {1: "RV", 2: "Myo", 3: "LV"}


class Patient:
    """Both phases of a patient: known and found volumes in ml by label, Dice and HD95."""

    def __init__(self, name, group, phases):
        self.name, self.group, self.phases = name, group, phases

    def volume(self, phase, label, found):
        known = self.phases[phase]["known"][label]
        return known + (self.phases[phase]["labels"][label]["volumeDifference"] if found else 0.0)

    def fraction(self, label, found):
        diastolic = self.volume("ED", label, found)
        return 100 * (1 - self.volume("ES", label, found) / diastolic) if diastolic else 0.0

    def mean_dice(self):
        return np.mean([phase["labels"][label]["dice"] for phase in self.phases.values() for label in NAMES])


def patients(evaluation, rows):
    """Patients of whom both phases were scored."""
    scored = {case["case"]: {label["label"]: label for label in case["labels"]} for case in evaluation["cases"]}
    gathered = {}
    for row in rows:
        if row["case"] in scored:
            known = {1: float(row["rv_ml"]), 2: float(row["myo_ml"]), 3: float(row["lv_ml"])}
            gathered.setdefault(row["patient"], (row["group"], {}))[1][row["phase"]] = {
                "known": known, "labels": scored[row["case"]]}
    return [Patient(name, group, phases) for name, (group, phases) in sorted(gathered.items()) if len(phases) == 2]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def overlap(people):
    rows = []
    for phase in ("ED", "ES"):
        for label, name in NAMES.items():
            found = [person.phases[phase]["labels"][label] for person in people]
            dice = np.array([one["dice"] for one in found])
            distances = np.array([np.inf if one["hd95"] is None else one["hd95"] for one in found])
            rows.append([phase, name, f"{dice.mean():.4f}", f"{dice.min():.4f}", f"{distances.mean():.2f}",
                         f"{distances.max():.2f}"])
    means = [person.mean_dice() for person in people]
    rows.append(["both", "mean", f"{np.mean(means):.4f}", f"{np.min(means):.4f}", "", ""])
    return table(["phase", "structure", "Dice", "worst", "HD95 (mm)", "worst"], rows)


def measures(people):
    """Name, unit, known and found values of each patient."""
    for label in (3, 1):
        for phase, name in (("ED", "EDV"), ("ES", "ESV")):
            yield f"{NAMES[label]} {name}", "ml", *([p.volume(phase, label, f) for p in people] for f in (False, True))
        yield f"{NAMES[label]} EF", "points", *([p.fraction(label, f) for p in people] for f in (False, True))
    yield "LV mass (ED)", "g", *([DENSITY * p.volume("ED", 2, f) for p in people] for f in (False, True))


def agreement(people):
    rows, kept = [], {}
    for name, unit, known, found in measures(people):
        difference = np.array(found) - np.array(known)
        bias, spread = difference.mean(), 1.96 * difference.std(ddof=1) if len(people) > 1 else float("nan")
        rows.append([name, unit, f"{np.mean(known):.1f}", f"{bias:+.1f}", f"{bias - spread:+.1f} to {bias + spread:+.1f}",
                     f"{np.abs(difference).mean():.1f}"])
        kept[name] = {"bias": bias, "low": bias - spread, "high": bias + spread, "meanError": np.abs(difference).mean()}
    return table(["measure", "unit", "mean of labels", "bias", "limits of agreement", "mean error"], rows), kept


def groups(people):
    rows = []
    for group in sorted({person.group for person in people}):
        members = [person for person in people if person.group == group]
        errors = [person.fraction(3, True) - person.fraction(3, False) for person in members]
        by_label = [np.mean([p.phases[phase]["labels"][label]["dice"] for p in members for phase in ("ED", "ES")])
                    for label in NAMES]
        rows.append([group, str(len(members)), *(f"{value:.4f}" for value in by_label), f"{np.mean(errors):+.1f}"])
    return table(["group", "patients", *(f"Dice {name}" for name in NAMES.values()), "LVEF bias (points)"], rows)


def beside(evaluations):
    """A row for each network: Dice (HD95 in mm) per phase and structure, mean Dice, the LV ejection fraction's agreement."""
    rows = []
    for name, people in evaluations.items():
        row = [name]
        for phase in ("ED", "ES"):
            for label in NAMES:
                found = [person.phases[phase]["labels"][label] for person in people]
                distance = np.mean([np.inf if one["hd95"] is None else one["hd95"] for one in found])
                row.append(f"{np.mean([one['dice'] for one in found]):.3f} ({distance:.1f})")
        fraction = agreement(people)[1]["LV EF"]
        rows.append([*row, f"{np.mean([person.mean_dice() for person in people]):.4f}",
                     f"{fraction['bias']:+.1f} ({fraction['low']:+.1f} to {fraction['high']:+.1f})"])
    structures = [f"{name} {phase}" for phase in ("ED", "ES") for name in NAMES.values()]
    return table(["network", *structures, "mean Dice", "LVEF bias (limits)"], rows)


def people_of(a, path):
    """The held-out patients of an evaluation; both phases of all of them where networks are compared."""
    held_out = {patient_of(name) for name in Recipe(a.recipe).cases(a.data)[1]}
    with open(a.data / "cases.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["patient"] in held_out]
    people = patients(json.loads(Path(path).read_text()), rows)
    if a.beside and (absent := held_out - {person.name for person in people}):
        sys.exit(f"{path}: {', '.join(sorted(absent))} not scored in both phases, so that no comparison is fair")
    return people


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="cardiac")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--names", action="store_true", help="print the held-out cases and nothing else")
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--beside", nargs="+", metavar="NAME=EVALUATION", help="networks to compare, each by its evaluation")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    if a.names:
        print(json.dumps(Recipe(a.recipe).cases(a.data)[1]))
        return
    if a.beside:
        print(beside({name: people_of(a, path) for name, path in (entry.rsplit("=", 1) for entry in a.beside)}))
        return
    if not a.evaluation:
        parser.error("--evaluation or --beside is needed")
    evaluation, people = json.loads(a.evaluation.read_text()), people_of(a, a.evaluation)
    text, kept = agreement(people)
    print(f"{len(people)} patients, both phases, by `segmentd evaluate`"
          + (f"; {len(evaluation['failed'])} volumes were refused" if evaluation["failed"] else "") + ":\n")
    print(overlap(people))
    print(text)
    print(groups(people))
    if a.json:
        dice = {f"{phase} {NAMES[label]}": np.mean([p.phases[phase]["labels"][label]["dice"] for p in people])
                for phase in ("ED", "ES") for label in NAMES}
        a.json.write_text(json.dumps({"patients": len(people), "dice": dice, "agreement": kept,
                                      "mean": np.mean([p.mean_dice() for p in people])}, indent=1) + "\n")


if __name__ == "__main__":
    main()
