"""Writes a model bundle whose network marks what is bright: all weights are zero but those of one
path through it. For tests that must find something at a known place.

usage: make_threshold_bundle.py FOLDER brats|cine|heart

heart is cine with a wall of medium signal around the bright cavity, and with what a cardiac model demands of a series.
"""

import hashlib
import json
import pathlib
import sys

import numpy

GOLDEN = pathlib.Path(__file__).parents[3] / "Fixtures/golden"

SIZES = ("featureSize: 4, dims: [8, 16, 32, 64], heads: 4, depths: [1, 1, 1, 1],\n"
         "          decoderDepths: [1, 1, 1], projections: [16, 16, 8, 8],\n"
         "          decoderProjections: [16, 16, 16]")
BRATS = """\
network: {{blocks: tumor, patch: [32, 32, 64], inputChannels: 4, classes: 4, stem: [4, 4, 4],
          {sizes}}}
preprocessing:
  orientation: [S, P, L]
  spacing: [1.5, 1.5, 1.5]
  cropToNonzero: true
  normalization: [{z}, {z}, {z}, {z}]
channels:
  - name: flair
    require: {{modality: MR, scanningSequence: IR, inversionTime: {{min: 1500}}}}
  - name: t1
    require: {{modality: MR, echoTime: {{max: 30}}, contrast: false}}
  - name: t1ce
    reference: true
    require: {{modality: MR, echoTime: {{max: 30}}, contrast: true}}
  - name: t2
    require: {{modality: MR, echoTime: {{min: 60}}, scanningSequence: {{exclude: [IR]}}}}
"""
CINE = """\
network: {{blocks: synapse, patch: [16, 32, 64], inputChannels: 1, classes: 4, stem: [2, 4, 4],
          {sizes}}}
preprocessing:
  orientation: [S, P, L]
  spacing: [8, 3, 1.5]
  cropToNonzero: false
  normalization: [{{scheme: zscore, insideMask: false}}]
"""
CINES = {"cine": "cine: {phases: ed-es, cavities: [3]}\n", "heart": """\
cine: {phases: ed-es, cavities: [3], myocardium: 2, ejectionFraction: {usual: [0.3, 0.8], accepted: [0.1, 0.9]}}
channels:
  - name: cine
    require:
      modality: MR
      imageType: {exclude: [LOCALIZER, P, PCA, VELOCITY MAP]}
      scanningSequence: {exclude: [SE, IR, EP]}
      sequenceVariant: {exclude: [MP]}
      slices: {min: 5, max: 24}
      imagesPerSlice: {min: 2, max: 128}
"""}
REST = """\
name: threshold-{kind}
version: 1.0.0
summary: marks what is bright; for tests only
intendedUse: automatic tests only; never for any image of a patient
inference: {{step: 0.5, mirrorAxes: []}}
labels:
{labels}
input:
  modalities: [MR]
  spacing: {{min: [0.1, 0.1, 0.1], max: [20, 20, 20]}}
  extent: {{min: [1, 1, 1], max: [2000, 2000, 2000]}}
licence: Apache-2.0
trainingData: none
weights: {{file: weights.safetensors, sha256: {sha256}}}
"""
LABEL = """\
  - value: {0}
    name: Bright {0}
    category: {{value: "91723000", scheme: SCT, meaning: Anatomical Structure}}
    type: {{value: "78961009", scheme: SCT, meaning: Spleen}}
    color: [{1}, 157, 108]"""


def shapes(kind):
    name = {"brats": "tumor", "cine": "synapse", "heart": "synapse"}[kind]
    data = (GOLDEN / f"net_tiny_{name}.safetensors").read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return {key[2:]: entry["shape"] for key, entry in header.items() if key.startswith("w.")}


def weights(kind):
    arrays = {key: numpy.zeros(shape, "<f4") for key, shape in shapes(kind).items()}
    arrays = {key: array + 1 if key.endswith("running_var") else array
              for key, array in arrays.items()}
    out, bias = "out1.conv.conv.weight", "out1.conv.conv.bias"
    arrays[out], arrays[bias] = numpy.zeros((4, 4, 1, 1, 1), "<f4"), numpy.zeros(4, "<f4")
    if kind == "brats":
        # The channels go through the residual paths as they are; 1 follows the first, 2 the second,
        # 3 the third and the fourth.
        for label, channel in [(1, 0), (2, 1), (3, 2), (3, 3)]:
            arrays[out][label, channel] = 10
        arrays[bias][1:] = -40
    else:
        arrays["encoder1.conv3.conv.weight"][0] = 1
    if kind == "cine":
        arrays[out][3, 0] = 20
        arrays[bias][1:] = [-1000, -1000, -30]
    if kind == "heart":
        # From 0.7 standard deviations above the mean on 2, from 3.5 on 3.
        arrays[out][2:, 0, 0, 0, 0] = [20, 60]
        arrays[bias][1:] = [-1000, -14, -154]
    return arrays


def main():
    folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    header, blobs, offset = {}, [], 0
    for key, array in weights(kind).items():
        blob = array.astype("<f4").tobytes()
        header[key] = {"dtype": "F32", "shape": list(array.shape),
                       "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = len(text).to_bytes(8, "little") + text + b"".join(blobs)
    (folder / "weights.safetensors").write_bytes(data)
    part = (BRATS if kind == "brats" else CINE).format(
        sizes=SIZES, z="{scheme: zscore, insideMask: true}") + CINES.get(kind, "")
    (folder / "model.yaml").write_text(part + REST.format(
        kind=kind, sha256=hashlib.sha256(data).hexdigest(),
        labels="\n".join(LABEL.format(i, 60 * i) for i in range(1, 4))))


main()
