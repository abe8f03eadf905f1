"""UNETR++ in PyTorch, written from the paper (Shaker et al., IEEE TMI 2024, doi 10.1109/TMI.2024.3398728).

One class covers every size and all three kinds of transformer block the authors published:

    kind            E and F                       convolution blocks    fusion of the two attentions
    synapse         one shared Linear(N -> P)     conv51                [out_proj(x_SA), out_proj2(x_CA)]
    acdc, lung      two Linear(N -> P)            conv51, conv52        [out_proj(x_SA), out_proj2(x_CA)]
    tumor           one matrix EF (N, P)          conv51                x_CA + x_SA

The names in the state dict are those of the published checkpoints, so that their weights load and ours load elsewhere.
Tensors are (B, C, D, H, W), W fastest; tokens are (B, N, C) with n = (d * H + h) * W + w.
`check_golden.py` compares every kind with numbers computed by the reference implementation.
"""

from dataclasses import asdict, dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import nn

KINDS = ("synapse", "acdc", "lung", "tumor")


@dataclass(frozen=True)
class Description:
    """Every size of a network; the fields are those of `network:` in a bundle's model.yaml (there in camel case)."""

    blocks: str = "synapse"
    patch: tuple = (64, 128, 128)
    input_channels: int = 1
    classes: int = 14
    stem: tuple = (2, 4, 4)
    feature_size: int = 16
    dims: tuple = (32, 64, 128, 256)
    heads: int = 4
    depths: tuple = (3, 3, 3, 3)
    decoder_depths: tuple = (3, 3, 3)  # decoder5, decoder4, decoder3
    projections: tuple = (64, 64, 64, 32)
    decoder_projections: tuple = (64, 64, 64)  # decoder5, decoder4, decoder3

    def __post_init__(self):
        if self.blocks not in KINDS:
            raise ValueError(f"unknown kind of transformer block: {self.blocks}")
        for size, stride in zip(self.patch, self.stem):
            if size % (stride * 8):
                raise ValueError(f"patch {self.patch} is not divisible by 8 times the stem {self.stem}")

    def grid(self, stage):
        """Voxels (z, y, x) of encoder stage 0..3."""
        return tuple(size // stride // 2**stage for size, stride in zip(self.patch, self.stem))

    def to_yaml(self):
        """The `network:` entry of model.yaml."""
        names = {"input_channels": "inputChannels", "feature_size": "featureSize",
                 "decoder_depths": "decoderDepths", "decoder_projections": "decoderProjections"}
        return {names.get(key, key): list(value) if isinstance(value, (tuple, list)) else value
                for key, value in asdict(self).items()}

    @staticmethod
    def from_yaml(entry):
        names = {"inputChannels": "input_channels", "featureSize": "feature_size",
                 "decoderDepths": "decoder_depths", "decoderProjections": "decoder_projections"}
        return Description(**{names.get(key, key): tuple(value) if isinstance(value, list) else value
                              for key, value in entry.items()})


SYNAPSE = Description()
ACDC = Description("acdc", (16, 160, 160), 1, 4, (1, 4, 4))
LUNG = Description("lung", (32, 192, 192), 1, 2, (1, 4, 4))
TUMOR = Description("tumor", (128, 128, 128), 4, 4, (4, 4, 4))


class Convolution(nn.Module):
    """A convolution under the attribute name `conv`, as the published keys have it."""

    def __init__(self, convolution):
        super().__init__()
        self.conv = convolution

    def forward(self, x):
        return self.conv(x)


class InstanceNorm(nn.Module):
    """Instance normalisation without parameters (a group per channel keeps channels-last layout)."""

    def forward(self, x):
        return F.group_norm(x, x.shape[1], eps=1e-5)


class UnetResBlock(nn.Module):
    """Two 3x3x3 convolutions with a residual; a 1x1x1 convolution on the residual where the width changes."""

    def __init__(self, inputs, outputs, norm):
        super().__init__()
        self.conv1 = Convolution(nn.Conv3d(inputs, outputs, 3, padding=1, bias=False))
        self.conv2 = Convolution(nn.Conv3d(outputs, outputs, 3, padding=1, bias=False))
        self.norm1, self.norm2 = norm(outputs), norm(outputs)
        if inputs != outputs:
            self.conv3 = Convolution(nn.Conv3d(inputs, outputs, 1, bias=False))
            self.norm3 = norm(outputs)

    def forward(self, x):
        y = F.leaky_relu(self.norm1(self.conv1(x)), 0.01)
        y = self.norm2(self.conv2(y))
        residual = self.norm3(self.conv3(x)) if hasattr(self, "conv3") else x
        return F.leaky_relu(y + residual, 0.01)


class EPA(nn.Module):
    """Efficient paired attention: channel attention and projected spatial attention share queries and keys."""

    def __init__(self, kind, tokens, channels, projection, heads):
        super().__init__()
        self.kind, self.heads = kind, heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.temperature2 = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkvv = nn.Linear(channels, 4 * channels, bias=False)
        if kind == "tumor":
            self.EF = nn.Parameter(torch.randn(tokens, projection) * tokens**-0.5)
            return
        self.E = nn.Linear(tokens, projection)
        self.F = self.E if kind == "synapse" else nn.Linear(tokens, projection)
        self.out_proj = nn.Linear(channels, channels // 2)
        self.out_proj2 = nn.Linear(channels, channels // 2)

    def project(self, x, linear):
        """(B, h, d, N) -> (B, h, d, P)."""
        return x @ self.EF if self.kind == "tumor" else linear(x)

    def forward(self, x):
        b, n, c = x.shape
        # channel order of qkvv: (which of the four, head, channel of the head); each is (B, h, d, N)
        q, k, v_channel, v_spatial = self.qkvv(x).reshape(b, n, 4, self.heads, c // self.heads).permute(2, 0, 3, 4, 1)
        # keys are projected before they are normalised
        k_projected = self.project(k, getattr(self, "E", None))
        v_projected = self.project(v_spatial, getattr(self, "F", None))
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        channel_attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(-1)  # (B, h, d, d)
        x_channel = (channel_attention @ v_channel).permute(0, 3, 1, 2).reshape(b, n, c)
        spatial_attention = ((q.transpose(-2, -1) @ k_projected) * self.temperature2).softmax(-1)  # (B, h, N, P)
        x_spatial = spatial_attention @ v_projected.transpose(-2, -1)  # (B, h, N, d)
        # The reference reinterprets the (d, h, N) memory as (N, C); trained weights depend on it.
        x_spatial = x_spatial.permute(0, 3, 1, 2).reshape(b, n, c)
        if self.kind == "tumor":
            return x_channel + x_spatial
        return torch.cat([self.out_proj(x_spatial), self.out_proj2(x_channel)], dim=-1)


class TransformerBlock(nn.Module):
    """Position embedding, EPA with residual, then one or two convolution blocks with residual."""

    def __init__(self, kind, tokens, channels, projection, heads):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.gamma = nn.Parameter(1e-6 * torch.ones(channels))
        self.epa_block = EPA(kind, tokens, channels, projection, heads)
        self.conv51 = UnetResBlock(channels, channels, nn.BatchNorm3d)
        if kind in ("acdc", "lung"):
            self.conv52 = UnetResBlock(channels, channels, nn.BatchNorm3d)
        self.conv8 = nn.Sequential(nn.Dropout3d(0.1), nn.Conv3d(channels, channels, 1))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, channels))

    def forward(self, x):
        b, c, *grid = x.shape
        t = x.flatten(2).transpose(1, 2) + self.pos_embed  # (B, N, C)
        t = t + self.gamma * self.epa_block(self.norm(t))
        s = t.transpose(1, 2).reshape(b, c, *grid)
        r = self.conv51(s)
        if hasattr(self, "conv52"):
            r = self.conv52(r)
        return s + self.conv8(r)


class Encoder(nn.Module):
    """Four stages: a strided convolution with group normalisation, then transformer blocks."""

    def __init__(self, d):
        super().__init__()
        widths = (d.input_channels,) + tuple(d.dims)
        self.downsample_layers = nn.ModuleList()
        self.stages = nn.ModuleList()
        for i in range(4):
            stride = tuple(d.stem) if i == 0 else (2, 2, 2)
            self.downsample_layers.append(nn.Sequential(
                Convolution(nn.Conv3d(widths[i], widths[i + 1], stride, stride, bias=False)),
                nn.GroupNorm(widths[i], widths[i + 1])))
            self.stages.append(nn.Sequential(*[
                TransformerBlock(d.blocks, prod(d.grid(i)), d.dims[i], d.projections[i], d.heads)
                for _ in range(d.depths[i])]))

    def forward(self, x):
        stages = []
        for downsample, stage in zip(self.downsample_layers, self.stages):
            x = stage(downsample(x))
            stages.append(x)
        return stages


class Decoder(nn.Module):
    """Transposed convolution, sum with the encoder's output, then a residual block or transformer blocks."""

    def __init__(self, inputs, outputs, stride, block):
        super().__init__()
        self.transp_conv = Convolution(nn.ConvTranspose3d(inputs, outputs, stride, stride, bias=False))
        self.decoder_block = nn.ModuleList([block])

    def forward(self, x, skip):
        return self.decoder_block[0](self.transp_conv(x) + skip)


class UNETRPP(nn.Module):
    """The network. Returns logits (B, K, D, H, W); in training with `deep_supervision`, a list with the coarser ones."""

    def __init__(self, description, deep_supervision=False):
        super().__init__()
        d = self.description = description
        self.deep_supervision = deep_supervision
        instance = lambda channels: InstanceNorm()
        self.unetr_pp_encoder = Encoder(d)
        self.encoder1 = UnetResBlock(d.input_channels, d.feature_size, instance)
        for i, name in enumerate(("decoder5", "decoder4", "decoder3")):
            stage = 2 - i
            blocks = nn.Sequential(*[
                TransformerBlock(d.blocks, prod(d.grid(stage)), d.dims[stage], d.decoder_projections[i], d.heads)
                for _ in range(d.decoder_depths[i])])
            setattr(self, name, Decoder(d.dims[stage + 1], d.dims[stage], (2, 2, 2), blocks))
        self.decoder2 = Decoder(d.dims[0], d.feature_size, tuple(d.stem),
                                UnetResBlock(d.feature_size, d.feature_size, instance))
        self.out1 = Convolution(Convolution(nn.Conv3d(d.feature_size, d.classes, 1)))
        if deep_supervision:
            self.out2 = Convolution(Convolution(nn.Conv3d(d.dims[0], d.classes, 1)))
            self.out3 = Convolution(Convolution(nn.Conv3d(d.dims[1], d.classes, 1)))
        self.apply(initialise)

    def forward(self, x):
        enc0, enc1, enc2, enc3 = self.unetr_pp_encoder(x)
        dec5 = self.decoder5(enc3, enc2)
        dec4 = self.decoder4(dec5, enc1)
        dec3 = self.decoder3(dec4, enc0)
        dec2 = self.decoder2(dec3, self.encoder1(x))
        if self.deep_supervision and self.training:
            return [self.out1(dec2), self.out2(dec3), self.out3(dec4)]
        return self.out1(dec2)


def initialise(module):
    """Truncated normal weights of 0.02 for linear layers and zero biases; convolutions by He's rule."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
        nn.init.kaiming_normal_(module.weight, a=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def load_published(model, state):
    """Loads a published state dict: a `module.` prefix, unused deep-supervision heads and counters are ignored."""
    wanted = model.state_dict()
    state = {key.removeprefix("module."): value for key, value in state.items()}
    kept = {key: value for key, value in state.items() if key in wanted}
    missing = [key for key in wanted if key not in kept and not key.endswith("num_batches_tracked")]
    if missing:
        raise KeyError(f"{len(missing)} tensors are missing from the checkpoint, the first: {missing[0]}")
    model.load_state_dict(kept, strict=False)
    return model
