"""A plain 3D U-Net in the manner of nnU-Net, trained in the same way, so that the worth of UNETR++ on a task can be seen.

Two convolutions with instance normalisation and leaky ReLU at each resolution, strided convolutions down, transposed
convolutions up, concatenated skips (Cicek et al., MICCAI 2016; Isensee et al., Nature Methods 18, 2021). As it is, it has five
resolutions and with a width of 20 8.8 million parameters for the hippocampus, where UNETR++ has 9.2 million. A recipe names
other sizes (`unet:` of `NAME.training.yaml`).
"""

import torch
from torch import nn

HALVED = ((2, 2, 2),) * 4


def convolutions(inputs, outputs, kernel=(3, 3, 3), stride=1):
    layers = []
    for first, last, step in ((inputs, outputs, stride), (outputs, outputs, 1)):
        layers += [nn.Conv3d(first, last, kernel, step, padding=tuple(size // 2 for size in kernel), bias=False),
                   nn.InstanceNorm3d(last, affine=True), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)


def kernels_of(strides):
    """A kernel for each resolution: one voxel along an axis that was not halved yet and is not to be by the next stride.

    Slices far apart are so not mixed at full resolution, as nnU-Net's plans have it.
    """
    steps = [*strides, (2, 2, 2)]
    return [tuple(3 if any(step[axis] > 1 for step in steps[: level + 1]) else 1 for axis in range(3))
            for level in range(len(steps))]


class UNet(nn.Module):
    """Same interface as UNETRPP: logits (B, K, D, H, W); in training with `deep_supervision`, a list of three.

    `width`: channels at full resolution, doubled with each stride up to `widest`. `strides` (z, y, x): how each of the further
    resolutions is reached from the one before.
    """

    def __init__(self, description, deep_supervision=False, width=20, widest=None, strides=HALVED):
        super().__init__()
        self.description, self.deep_supervision = description, deep_supervision
        strides = [tuple(stride) for stride in strides]
        widths = [min(width * 2**level, widest or width * 2**level) for level in range(len(strides) + 1)]
        kernels = kernels_of(strides)
        self.grids = [tuple(description.patch)]
        for stride in strides:
            if any(size % step for size, step in zip(self.grids[-1], stride)):
                raise ValueError(f"strides {strides} do not divide the patch {description.patch}")
            self.grids.append(tuple(size // step for size, step in zip(self.grids[-1], stride)))
        levels = range(len(strides))
        self.down = nn.ModuleList([convolutions(description.input_channels, width, kernels[0])])
        self.down.extend(convolutions(widths[i], widths[i + 1], kernels[i + 1], strides[i]) for i in levels)
        self.up = nn.ModuleList(nn.ConvTranspose3d(widths[i + 1], widths[i], strides[i], strides[i], bias=False)
                                for i in levels)
        self.merge = nn.ModuleList(convolutions(2 * widths[i], widths[i], kernels[i]) for i in levels)
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
        for i in reversed(range(len(self.up))):
            x = self.merge[i](torch.cat([self.up[i](x), skips[i]], 1))
            outputs[i] = x
        if self.deep_supervision and self.training:
            return [head(outputs[i]) for i, head in enumerate(self.out)]
        return self.out[0](outputs[0])
