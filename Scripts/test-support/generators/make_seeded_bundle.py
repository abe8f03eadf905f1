"""Writes a model bundle of the full Synapse network with weights that follow a formula: the rule
SM64-v1 of the golden files, where every value follows from the tensor's name. For measurements.

usage: make_seeded_bundle.py FOLDER [--mirror]
"""

import argparse
import hashlib
import json
import math
import pathlib

import numpy

GOLDEN = pathlib.Path(__file__).parents[3] / "Fixtures/golden"

MODEL = """\
name: seeded-synapse
version: 1.0.0
summary: UNTRAINED network for measurements; its result is noise and means nothing
intendedUse: measurements only; never for any image of a patient
network: {{blocks: synapse, patch: [64, 128, 128], inputChannels: 1, classes: 14, stem: [2, 4, 4],
          featureSize: 16, dims: [32, 64, 128, 256], heads: 4, depths: [3, 3, 3, 3],
          decoderDepths: [3, 3, 3], projections: [64, 64, 64, 32],
          decoderProjections: [64, 64, 64]}}
preprocessing:
  orientation: [S, P, L]
  spacing: [3.0, 0.75781244, 0.75781244]
  cropToNonzero: true
  normalization:
    - {{scheme: ct, lower: -958, upper: 326, mean: 82.95177, sd: 136.94818}}
inference: {{step: 0.5, mirrorAxes: {mirror}}}
labels:
{labels}
input:
  modalities: [CT]
  spacing: {{min: [0.1, 0.1, 0.1], max: [20, 20, 20]}}
  extent: {{min: [1, 1, 1], max: [2000, 2000, 2000]}}
licence: Apache-2.0
trainingData: none
weights: {{file: weights.safetensors, sha256: {sha256}}}
"""
LABEL = """\
  - value: {0}
    name: Noise {0}
    category: {{value: "91723000", scheme: SCT, meaning: Anatomical Structure}}
    type: {{value: "78961009", scheme: SCT, meaning: Spleen}}
    color: [{1}, 157, 108]"""


def seed(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def stream(name, count):
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed(name)) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(
            0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return (z >> numpy.uint64(40)).astype(numpy.float64) * 2.0**-23 - 1


def center_and_scale(name, shape, tokens):
    last = name.split(".")[-1]
    rest = math.prod(shape[1:])
    known = {
        "running_mean": (0, 0.25), "running_var": (1, 0.5), "gamma": (0.5, 0.25),
        "temperature": (4, 2), "pos_embed": (0, 0.5), "bias": (0, 0.25),
        "temperature2": (math.sqrt(tokens), 0.5 * math.sqrt(tokens)),
    }
    if last in known:
        return known[last]
    if len(shape) == 1:
        return 1, 0.25
    if "transp_conv" in name:
        return 0, 1.25 / math.sqrt(shape[0])
    if name.startswith("out"):
        return 0, 2.5 / math.sqrt(rest)
    return 0, 1.25 / math.sqrt(rest)


def tensors():
    entries = json.loads((GOLDEN / "statedict_synapse.json").read_text())
    shapes = {e[0]: e[1] for e in entries
              if not e[0].endswith("num_batches_tracked") and not e[0].startswith(("out2", "out3"))}
    for name, shape in shapes.items():
        block = name.split(".epa_block.")[0] + ".epa_block.E.weight"
        tokens = shapes[block][1] if block in shapes else 0
        source = name.replace(".epa_block.F.", ".epa_block.E.")
        center, scale = center_and_scale(source, shape, tokens)
        values = (center + scale * stream(source, math.prod(shape))).astype("<f4")
        if name.startswith("out") and name.endswith(".weight"):
            values[1::2] = -values[0::2]
        yield name, shape, values


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--mirror", action="store_true", help="see every patch in all mirrorings")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    header, blobs, offset, check = {}, [], 0, hashlib.sha256()
    arrays = {name: (shape, values) for name, shape, values in tensors()}
    for name in sorted(arrays):
        check.update(name.encode() + b"\0" + arrays[name][1].tobytes())
    golden = json.loads((GOLDEN / "full_synapse.json").read_text())["weights_sha256"]
    assert check.hexdigest() == golden, "the weights are not those of the golden file"
    for name, (shape, values) in arrays.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
        blobs.append(values.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text + b"".join(blobs)
    (options.folder / "weights.safetensors").write_bytes(data)
    (options.folder / "model.yaml").write_text(MODEL.format(
        mirror=[0, 1, 2] if options.mirror else [], sha256=hashlib.sha256(data).hexdigest(),
        labels="\n".join(LABEL.format(i, 15 * i) for i in range(1, 14))))


main()
