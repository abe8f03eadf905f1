"""Checks unetrpp.py against numbers that the reference implementation computed (folder given, `golden`).

    python check_golden.py ../../../shared/golden            # blocks and reduced networks
    python check_golden.py ../../../shared/golden --full     # also the four published sizes (minutes, about 2 GB)

Every comparison prints its largest difference and fails above the tolerance stated here; exit status 1 if one failed.
"""

import argparse
import ast
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from unetrpp import ACDC, LUNG, SYNAPSE, TUMOR, UNETRPP, Description, EPA, Convolution, Decoder, InstanceNorm
from unetrpp import TransformerBlock, UnetResBlock, load_published

failures = []


def compare(name, found, wanted, tolerance):
    worst = (found.double() - wanted.double()).abs().max().item()
    ok = found.shape == wanted.shape and worst <= tolerance
    print(f"{'ok  ' if ok else 'FAIL'} {name:42s} {worst:.1e} (accepted {tolerance:.0e})")
    if not ok:
        failures.append(name)


def stream(key, count):
    """`count` values in [-1, 1) from SplitMix64 seeded by FNV-1a of the key: rule SM64-v1 of the golden files."""
    seed = 0xCBF29CE484222325
    for byte in key.encode():
        seed = (seed ^ byte) * 0x100000001B3 & (2**64 - 1)
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1


def ruled_weight(key, shape, tokens):
    """The weight that rule SM64-v1 gives to a key of the state dict."""
    last = key.rsplit(".", 1)[-1]
    fan = float(np.prod(shape[1:])) if len(shape) > 1 else 1.0
    center, scale = 0.0, 1.25 / fan**0.5
    if last == "running_mean": scale = 0.25
    elif last == "running_var": center, scale = 1.0, 0.5
    elif last == "gamma": center, scale = 0.5, 0.25
    elif last == "temperature": center, scale = 4.0, 2.0
    elif last == "temperature2": center, scale = tokens**0.5, 0.5 * tokens**0.5
    elif last == "pos_embed": scale = 0.5
    elif last == "EF": scale = 1.25 / shape[0] ** 0.5
    elif last == "bias": scale = 0.25
    elif len(shape) == 1: center, scale = 1.0, 0.25
    elif "transp_conv" in key: scale = 1.25 / shape[0] ** 0.5
    elif key.startswith(("out1.", "out2.", "out3.")): scale = 2.5 / fan**0.5
    value = (center + scale * stream(key, int(np.prod(shape)))).astype(np.float32).reshape(shape)
    if key.startswith(("out1.", "out2.", "out3.")) and last == "weight":
        value[:, 1::2] = -value[:, 0::2][:, : value[:, 1::2].shape[1]]
    return torch.from_numpy(value)


def ruled_network(description):
    """A network whose weights are all given by rule SM64-v1."""
    model = UNETRPP(description).eval()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            continue
        source = key.replace(".epa_block.F.", ".epa_block.E.") if description.blocks == "synapse" else key
        prefix = key.rsplit(".", 1)[0]
        tokens = shapes.get(prefix + ".E.weight", (0, 0))[1] or shapes.get(prefix + ".EF", (0,))[0]
        state[key] = ruled_weight(source, shape, tokens)
    return load_published(model, state)


def ruled_input(tag, shape):
    c, d, h, w = shape
    noise = stream(tag + "/noise", c * d * h * w).reshape(shape)
    bz, by, bx = -(-d // 8), -(-h // 16), -(-w // 16)
    block = stream(tag + "/block", c * bz * by * bx).reshape(c, bz, by, bx)
    block = block[:, np.arange(d) // 8][:, :, np.arange(h) // 16][:, :, :, np.arange(w) // 16]
    return torch.from_numpy((0.5 * noise + 1.5 * block).astype(np.float32))[None]


def weights_of(tensors, prefix):
    return {key[len(prefix):]: value for key, value in tensors.items() if key.startswith(prefix)}


def load(module, state):
    state = dict(state)
    for key in [key for key in state if "epa_block.E." in key or key.startswith("E.")]:
        state.setdefault(key.replace("E.", "F."), state[key])
    expected = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    unknown, missing = set(state) - set(module.state_dict()), expected - set(state)
    if (missing or unknown - {k for k in unknown if ".F." in k}):
        raise KeyError(f"missing {sorted(missing)[:3]}, unknown {sorted(unknown)[:3]}")
    module.load_state_dict(state, strict=False)
    return module.eval()


def check_transformer_blocks(golden):
    for kind in ("synapse", "acdc", "tumor"):
        tensors = load_file(golden / f"block_transformer_{kind}.safetensors")
        block = load(TransformerBlock(kind, 64, 16, 8, 4), weights_of(tensors, "w."))
        compare(f"transformer block {kind}", block(tensors["in"]), tensors["out"], 2e-5)
        compare(f"EPA {kind}", block.epa_block(tensors["epa.in"]), tensors["epa.out"], 2e-5)


def check_residual_blocks(golden):
    tensors = load_file(golden / "block_unetres.safetensors")
    for name, inputs, norm in (("bn16", 16, nn.BatchNorm3d), ("in1to16", 1, None), ("in4to16", 4, None),
                               ("in16", 16, None)):
        block = UnetResBlock(inputs, 16, norm or (lambda channels: InstanceNorm()))
        load(block, weights_of(tensors, name + ".w."))
        compare(f"residual block {name}", block(tensors[name + ".in"]), tensors[name + ".out"], 2e-5)


def check_stem_and_decoders(golden):
    tensors = load_file(golden / "block_stem_up.safetensors")
    for name, inputs, outputs, stride in (("stem244", 1, 32, (2, 4, 4)), ("stem144", 1, 32, (1, 4, 4)),
                                          ("stem444", 4, 32, (4, 4, 4)), ("down32to64", 32, 64, (2, 2, 2))):
        layer = nn.Sequential(Convolution(nn.Conv3d(inputs, outputs, stride, stride, bias=False)),
                              nn.GroupNorm(inputs, outputs))
        load(layer, weights_of(tensors, name + ".w."))
        compare(name, layer(tensors[name + ".in"]), tensors[name + ".out"], 2e-5)
    for name, stride in (("up244_conv", (2, 4, 4)), ("up144_conv", (1, 4, 4)), ("up444_conv", (4, 4, 4)),
                         ("up2_epa", (2, 2, 2))):
        block = (nn.Sequential(TransformerBlock("synapse", 192, 16, 8, 4)) if name == "up2_epa"
                 else UnetResBlock(16, 16, lambda channels: InstanceNorm()))
        decoder = load(Decoder(32, 16, stride, block), weights_of(tensors, name + ".w."))
        compare(name, decoder(tensors[name + ".in"], tensors[name + ".skip"]), tensors[name + ".out"], 2e-5)


def check_reduced_networks(golden):
    for size in ("tiny", "small"):
        for kind in ("synapse", "acdc", "tumor"):
            path = golden / f"net_{size}_{kind}.safetensors"
            tensors = load_file(path)
            with safe_open(path, "pt") as file:
                sizes = {key: value for key, value in file.metadata().items()}
            number = lambda key: ast.literal_eval(sizes[key])
            depth = number("depth")
            description = Description(
                kind, number("patch"), number("in_ch"), number("classes"), number("stem"), number("f"),
                (8, 16, 32, 64) if size == "tiny" else (32, 64, 128, 256), 4, (depth,) * 4, (depth,) * 3,
                tuple(number("proj_e")), (number("proj_d"),) * 3)
            model = ruled_network(description)
            if size == "tiny":
                load(model, weights_of(tensors, "w."))
            x = tensors.get("in", ruled_input("input", (description.input_channels, *description.patch)))
            logits = model(x)
            compare(f"network {size} {kind}", logits, tensors["logits"], 2e-4)
            mean = (logits - tensors["logits"]).abs().mean()
            compare(f"network {size} {kind}, mean difference", mean, torch.zeros(()), 1.5e-5)


def check_published_sizes(golden):
    for name, description in (("synapse", SYNAPSE), ("acdc", ACDC), ("lung", LUNG), ("tumor", TUMOR)):
        expected = {key: tuple(shape) for key, shape, *_ in json.loads((golden / f"statedict_{name}.json").read_text())}
        found = {key: tuple(value.shape) for key, value in UNETRPP(description, True).state_dict().items()}
        if found != expected:
            failures.append(name)
        print(f"{'ok  ' if found == expected else 'FAIL'} keys and shapes of {name} ({len(expected)} entries)")
        recorded = json.loads((golden / f"full_{name}.json").read_text())
        model = ruled_network(description)
        logits = model(ruled_input("input", (description.input_channels, *description.patch)))[0]
        voxels = torch.tensor(recorded["positions_linear_voxel_index"])
        wanted = torch.tensor(recorded["logits_at_positions"]).T  # (K, voxels)
        compare(f"published size {name}", logits.flatten(1)[:, voxels], wanted, 5e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden", type=Path)
    parser.add_argument("--full", action="store_true", help="also the four published sizes")
    arguments = parser.parse_args()
    with torch.inference_mode():
        check_transformer_blocks(arguments.golden)
        check_residual_blocks(arguments.golden)
        check_stem_and_decoders(arguments.golden)
        check_reduced_networks(arguments.golden)
        if arguments.full:
            check_published_sizes(arguments.golden)
    print(f"{len(failures)} failed" if failures else "all agree")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
