"""A plain 3D U-Net of the same size and training, so that the worth of UNETR++ on this task can be seen.

Five resolutions, two 3x3x3 convolutions with instance normalisation and leaky ReLU each, strided convolutions down,
transposed convolutions up, concatenated skips (Cicek et al., MICCAI 2016, with nnU-Net's normalisation). With a width of
20 at full resolution it has 8.9 million parameters, UNETR++ as trained here 9.2 million.
"""

import torch
from torch import nn


def convolutions(inputs, outputs, stride=1):
    layers = []
    for first, last, step in ((inputs, outputs, stride), (outputs, outputs, 1)):
        layers += [nn.Conv3d(first, last, 3, step, padding=1, bias=False), nn.InstanceNorm3d(last, affine=True),
                   nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Same interface as UNETRPP: logits (B, K, D, H, W); in training with `deep_supervision`, a list of three."""

    def __init__(self, description, deep_supervision=False, width=20):
        super().__init__()
        self.description, self.deep_supervision = description, deep_supervision
        widths = [width * 2**level for level in range(5)]
        self.down = nn.ModuleList([convolutions(description.input_channels, width)])
        self.down.extend(convolutions(widths[i], widths[i + 1], stride=2) for i in range(4))
        self.up = nn.ModuleList(nn.ConvTranspose3d(widths[i + 1], widths[i], 2, 2, bias=False) for i in range(4))
        self.merge = nn.ModuleList(convolutions(2 * widths[i], widths[i]) for i in range(4))
        self.out = nn.ModuleList(nn.Conv3d(widths[i], description.classes, 1)
                                 for i in range(3 if deep_supervision else 1))
        for module in self.modules():
            if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)):
                nn.init.kaiming_normal_(module.weight, a=0.01)

    def forward(self, x):
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
        outputs = {}
        for i in (3, 2, 1, 0):
            x = self.merge[i](torch.cat([self.up[i](x), skips[i]], 1))
            outputs[i] = x
        if self.deep_supervision and self.training:
            return [head(outputs[i]) for i, head in enumerate(self.out)]
        return self.out[0](outputs[0])
