"""Writes checkpoints with PyTorch, for the tests of the import and for trying it at full size.

    python make_checkpoints.py fixtures FOLDER        the small ones of Fixtures/checkpoints
    python make_checkpoints.py full VARIANT FOLDER    a published network's full size, weights by rule
                                                      (VARIANT: synapse, acdc, lung, tumor; needs the
                                                      state dictionaries of ../shared/golden)

Needs torch, numpy and safetensors, which the test environment does not have; the fixtures are committed.
"""

import collections
import json
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

MASK = (1 << 64) - 1


def seed(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def uniform(name, count):
    """SplitMix64 values in [-1, 1), seeded by the name."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1


def rule(name, shape, tokens):
    """Centre and scale of the values of a tensor (rule SM64-v1 of the golden files)."""
    last = name.split(".")[-1]
    if last == "running_mean": return 0, 0.25
    if last == "running_var": return 1, 0.5
    if last == "gamma": return 0.5, 0.25
    if last == "temperature": return 4, 2
    if last == "temperature2": return tokens**0.5, 0.5 * tokens**0.5
    if last == "pos_embed": return 0, 0.5
    if last == "EF": return 0, 1.25 / shape[0] ** 0.5
    if last == "bias": return 0, 0.25
    if len(shape) == 1: return 1, 0.25
    if "transp_conv" in name: return 0, 1.25 / shape[0] ** 0.5
    scale = 2.5 if name.startswith(("out1.", "out2.", "out3.")) else 1.25
    return 0, scale / float(np.prod(shape[1:])) ** 0.5


def tensor(name, shape, tokens):
    centre, scale = rule(name, shape, tokens)
    values = (centre + scale * uniform(name, int(np.prod(shape)))).astype(np.float32).reshape(shape)
    if name.startswith(("out1.", "out2.", "out3.")) and name.endswith("weight"):
        values[:, 1::2] = -values[:, 0::2]
    return torch.from_numpy(values)


def network(shapes, shares_projection):
    """The state dictionary; E and F share their storage where the network has one projection."""
    state = collections.OrderedDict()
    for name, shape in shapes:
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(4000, dtype=torch.int64)
        elif shares_projection and ".epa_block.F." in name:
            state[name] = state[name.replace(".F.", ".E.")]
        else:
            prefix = name.rsplit("epa_block.", 1)[0] + "epa_block."
            tokens = next(
                (s[1] if n.endswith("E.weight") else s[0] for n, s in shapes
                 if n in (prefix + "E.weight", prefix + "EF")), 1)
            state[name] = tensor(name, shape, tokens)
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return state


def checkpoint(state):
    """What the reference's trainer saves: optimiser, curves and best values next to the network."""
    parameters = [v for v in state.values() if v.dtype == torch.float32][:4]
    momentum = {i: {"momentum_buffer": torch.zeros_like(p)} for i, p in enumerate(parameters)}
    curve = [np.float32(0.5), np.float64(-0.25)]
    return {
        "epoch": 1000, "state_dict": state,
        "optimizer_state_dict": {"state": momentum, "param_groups": [
            {"lr": 0.01, "momentum": 0.99, "nesterov": True, "params": list(range(len(parameters)))}]},
        "lr_scheduler_state_dict": None, "plot_stuff": ([curve], [], curve, []),
        "best_stuff": (np.float64(0.87), None, np.float64(0.9)),
    }


def tiny_shapes(block):
    """The state dictionary of a network of 4 channels on 16 x 16 x 16 voxels, one block a stage."""
    dims, stem, patch, features, classes, projection = [4, 4, 4, 4], [2, 2, 2], [16, 16, 16], 4, 3, 4
    shapes = []

    def transformer(name, tokens, c):
        shapes.extend([(f"{name}.gamma", [c]), (f"{name}.pos_embed", [1, tokens, c]),
                       (f"{name}.norm.weight", [c]), (f"{name}.norm.bias", [c])])
        epa = f"{name}.epa_block"
        shapes.extend([(f"{epa}.temperature", [4, 1, 1]), (f"{epa}.temperature2", [4, 1, 1]),
                       (f"{epa}.qkvv.weight", [4 * c, c])])
        for letter in "EF":
            shapes.extend([(f"{epa}.{letter}.weight", [projection, tokens]), (f"{epa}.{letter}.bias", [projection])])
        for layer in ("out_proj", "out_proj2"):
            shapes.extend([(f"{epa}.{layer}.weight", [c // 2, c]), (f"{epa}.{layer}.bias", [c // 2])])
        for index in range(2 if block == "acdc" else 1):
            conv = f"{name}.conv5{index + 1}"
            for part in (1, 2):
                shapes.append((f"{conv}.conv{part}.conv.weight", [c, c, 3, 3, 3]))
                for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                    shapes.append((f"{conv}.norm{part}.{key}", [] if key.startswith("num") else [c]))
        shapes.extend([(f"{name}.conv8.1.weight", [c, c, 1, 1, 1]), (f"{name}.conv8.1.bias", [c])])

    grid = [p // s for p, s in zip(patch, stem)]
    tokens = [int(np.prod([g >> stage for g in grid])) for stage in range(4)]
    for stage in range(4):
        name = f"unetr_pp_encoder.downsample_layers.{stage}"
        kernel = stem if stage == 0 else [2, 2, 2]
        shapes.extend([(f"{name}.0.conv.weight", [dims[stage], 1 if stage == 0 else dims[stage - 1]] + kernel),
                       (f"{name}.1.weight", [dims[stage]]), (f"{name}.1.bias", [dims[stage]])])
        transformer(f"unetr_pp_encoder.stages.{stage}.0", tokens[stage], dims[stage])
    shapes.extend([("encoder1.conv1.conv.weight", [features, 1, 3, 3, 3]),
                   ("encoder1.conv2.conv.weight", [features, features, 3, 3, 3]),
                   ("encoder1.conv3.conv.weight", [features, 1, 1, 1, 1])])
    for level, stage in ((5, 2), (4, 1), (3, 0)):
        shapes.append((f"decoder{level}.transp_conv.conv.weight", [dims[stage + 1], dims[stage], 2, 2, 2]))
        transformer(f"decoder{level}.decoder_block.0.0", tokens[stage], dims[stage])
    shapes.append(("decoder2.transp_conv.conv.weight", [dims[0], features] + stem))
    for conv in ("conv1", "conv2"):
        shapes.append((f"decoder2.decoder_block.0.{conv}.conv.weight", [features, features, 3, 3, 3]))
    for head, channels in (("out1", features), ("out2", dims[0]), ("out3", dims[1])):
        shapes.extend([(f"{head}.conv.conv.weight", [classes, channels, 1, 1, 1]), (f"{head}.conv.conv.bias", [classes])])
    return shapes


def deflated(path, target):
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for info in source.infolist():
            out.writestr(info.filename, source.read(info))


class Unseekable:
    """A pipe's end: zip entries then have their sizes behind them, in data descriptors."""

    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()


def streamed(path, target):
    """The archive as it is written to a pipe, every other entry with the fields of zip64."""
    with zipfile.ZipFile(path) as source, open(target, "wb") as file, zipfile.ZipFile(Unseekable(file), "w") as out:
        for index, info in enumerate(source.infolist()):
            with out.open(zipfile.ZipInfo(info.filename), "w", force_zip64=index % 2 == 0) as entry:
                entry.write(source.read(info))


def special_tensors():
    """Every type, and views that are not simply their storage."""
    base = torch.arange(24, dtype=torch.float32)
    state = collections.OrderedDict()
    state["float"] = base.reshape(2, 3, 4)
    state["transposed"] = base.reshape(4, 6).t()
    state["slice"] = base[5:11]
    state["column"] = base.reshape(4, 6)[:, 2]
    state["half"] = torch.tensor([1.5, -2.0, 65504.0], dtype=torch.float16)
    state["bfloat16"] = torch.tensor([1.5, -2.0, 3e38], dtype=torch.bfloat16)
    state["double"] = torch.tensor([1.5, -2.0, 0.1], dtype=torch.float64)
    state["long"] = torch.tensor(7)
    state["scalar"] = torch.tensor(0.25)
    state["empty"] = torch.zeros(0, 3)
    state["parameter"] = torch.nn.Parameter(torch.tensor([0.5, 0.75]))
    return state


def plans(protocol):
    """The keys of nnU-Net's plans for one CT channel."""
    properties = collections.OrderedDict([(0, collections.OrderedDict([
        ("local_props", collections.OrderedDict([("case_1", {"mean": np.float32(80.5)})])),
        ("median", np.float32(95.0)), ("mean", np.float32(82.95177)), ("sd", np.float32(136.94818)),
        ("mn", np.float32(-1024.0)), ("mx", np.float32(3071.0)),
        ("percentile_99_5", np.float64(326.0)), ("percentile_00_5", np.float64(-958.0))]))])
    stage = {
        "batch_size": 2, "num_pool_per_axis": [4, 5, 5], "patch_size": np.array([64, 128, 128]),
        "median_patient_size_in_voxels": np.array([148, 512, 512]),
        "current_spacing": np.array([3.0, 0.75781244, 0.75781244]),
        "original_spacing": np.array([3.0, 0.75781244, 0.75781244]), "do_dummy_2D_data_aug": True,
        "pool_op_kernel_sizes": [[2, 2, 2]], "conv_kernel_sizes": [[3, 3, 3]]}
    contents = {
        "num_stages": 2, "num_modalities": 1, "modalities": {0: "CT"},
        "normalization_schemes": collections.OrderedDict([(0, "CT")]),
        "dataset_properties": {
            "all_sizes": [(148, 512, 512)], "all_spacings": [np.array([3.0, 0.7, 0.7])],
            "all_classes": ["1", "10", "2"], "modalities": {0: "CT"}, "intensityproperties": properties,
            "size_reductions": collections.OrderedDict([("case_1", np.float64(1.0))])},
        "list_of_npz_files": ["/data/nnUNet_raw/nnUNet_cropped_data/case_1.npz"],
        "preprocessed_data_folder": "/data/nnUNet_preprocessed/Task02", "num_classes": 2,
        "all_classes": [1, 2], "base_num_features": 32,
        "use_mask_for_norm": collections.OrderedDict([(0, False)]),
        "keep_only_largest_region": None, "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
        "data_identifier": "nnUNetData_plans_v2.1", "preprocessor_name": "GenericPreprocessor",
        "plans_per_stage": {0: dict(stage, current_spacing=np.array([6.0, 1.5, 1.5])), 1: stage}}
    return pickle.dumps(contents, protocol=protocol), contents


def write_fixtures(folder):
    for block in ("synapse", "acdc"):
        state = network(tiny_shapes(block), shares_projection=block == "synapse")
        torch.save(checkpoint(state), folder / f"tiny-{block}.model")
        save_file({k: v.clone() for k, v in state.items()}, folder / f"tiny-{block}.safetensors")
    state = network(tiny_shapes("synapse"), shares_projection=True)
    torch.save(checkpoint(state), folder / "tiny-synapse-legacy.model", _use_new_zipfile_serialization=False)
    wrapped = collections.OrderedDict(("module." + k, v.half() if v.is_floating_point() else v) for k, v in state.items())
    torch.save({"state_dict": wrapped}, folder / "tiny-synapse-module-half.pt")
    torch.save(special_tensors(), folder / "special.pt")
    torch.save(special_tensors(), folder / "special-legacy.pt", _use_new_zipfile_serialization=False)
    deflated(folder / "special.pt", folder / "special-deflated.pt")
    streamed(folder / "special.pt", folder / "special-streamed.pt")
    for protocol in (2, 3, 4, 5):
        data, contents = plans(protocol)
        (folder / f"plans-protocol{protocol}.pkl").write_bytes(data)
    data, contents = plans(3)
    (folder / "plans-text-replaced.pkl").write_bytes(data.replace(b"nnUNet", b"nnFormer"))
    initial = ("/data/plans.pkl", 0, "/out", "/data", True, 1, True, False, True)
    (folder / "tiny.model.pkl").write_bytes(pickle.dumps(
        {"init": initial, "name": "trainer", "class": "<class 'trainer'>", "plans": contents}, protocol=4))
    for path in sorted(folder.iterdir()):
        print(path.name, path.stat().st_size)


def write_full(variant, folder):
    golden = Path(__file__).resolve().parents[4] / "shared/golden"
    shapes = [entry[:2] for entry in json.loads((golden / f"statedict_{variant}.json").read_text())]
    state = network(shapes, shares_projection=variant == "synapse")
    contents = checkpoint(state)
    torch.save(contents, folder / f"{variant}.model")
    torch.save(contents, folder / f"{variant}-legacy.model", _use_new_zipfile_serialization=False)
    save_file({k: v.clone() for k, v in state.items() if v.is_floating_point()}, folder / f"{variant}.safetensors")


if __name__ == "__main__":
    target = Path(sys.argv[-1])
    target.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "fixtures":
        write_fixtures(target)
    else:
        write_full(sys.argv[2], target)
