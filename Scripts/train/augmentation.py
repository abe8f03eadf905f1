"""Patches for training, drawn in the manner of nnU-Net from NumPy generators that the caller seeds for every step.

`VolumeAugmentation` takes volumes whose voxels are the network's: position, rotation about all axes, scaling.
`StackAugmentation` takes stacks of thick slices: rotation and scaling in plane; along z slices are repeated or left out,
as resampling to the network's spacing does. Both end with mirroring and changes of intensity. Every probability and range
comes from the recipe (`augmentation:`), and what is not named there draws no random number.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from pipeline import nonzero_box, normalise
from resampling import resample, resample_labels, shape_at


def labels_of(planes):
    """Labels (D, H, W) of resampled masks (K, D, H, W), one for each label 1...K.

    A voxel that the masks together fill by more than half belongs to the largest part.
    """
    largest, labels = planes[0], torch.ones(planes.shape[1:], dtype=torch.long)
    for label, plane in enumerate(planes[1:], 2):  # argmax along the slowest axis takes four times the rest of a patch
        labels = torch.where(plane > largest, label, labels)
        largest = torch.maximum(plane, largest)
    return torch.where(planes.sum(0) > 0.5, labels, 0)


class Augmentation:
    """What both kinds share: `spatial` gives image and masks (1 + K, D, H, W); the result is image (1, D, H, W), labels."""

    def __init__(self, recipe):
        self.patch, self.options = recipe.network.patch, recipe.options["augmentation"]

    def __call__(self, case, rng):
        patch = self.spatial(case, rng)
        for axis, probability in enumerate(self.options["mirror"]):
            if probability and rng.random() < probability:
                patch = patch.flip(axis + 1)
        return self.intensity(patch[:1], rng), labels_of(patch[1:])

    def chance(self, name, rng):
        """The options of a change that this patch is to undergo, None otherwise."""
        options = self.options.get(name)
        return options if options and rng.random() < options["probability"] else None

    def intensity(self, x, rng):
        seed = torch.Generator().manual_seed(int(rng.integers(2**62)))
        if o := self.chance("noise", rng):
            x = x + float(rng.uniform(*o["deviation"])) * torch.randn(x.shape, generator=seed)
        if o := self.chance("blur", rng):
            x = blur(x, float(rng.uniform(*o["sigma"])), o["axes"])
        if o := self.chance("resolution", rng):
            factor = float(rng.uniform(*o["factor"]))
            factors = tuple(factor if axis in o["axes"] else 1.0 for axis in range(3))
            small = F.interpolate(x[None], scale_factor=factors, mode="nearest")
            x = F.interpolate(small, size=x.shape[1:], mode="trilinear")[0]
        if o := self.chance("field", rng):
            coarse = float(rng.uniform(*o["strength"])) * torch.randn(1, 1, 2, 3, 3, generator=seed)
            field = F.interpolate(coarse, size=x.shape[1:], mode="trilinear", align_corners=True)[0].exp()
            x = (x - x.min()) * field + x.min()
        if o := self.chance("brightness", rng):
            x = x * float(rng.uniform(*o["factor"])) + float(rng.normal(0, o["offset"]))
        if o := self.chance("gamma", rng):
            x = gamma(x, float(np.exp(rng.uniform(*o["exponent"]))))
        return x


def gamma(x, exponent):
    """Gamma correction that keeps mean and standard deviation."""
    low, spread = x.min(), x.max() - x.min() + 1e-6
    mean, sd = x.mean(), x.std()
    x = ((x - low) / spread) ** exponent
    return (x - x.mean()) / (x.std() + 1e-6) * sd + mean


def blur(x, sigma, axes):
    """Gaussian blur of (1, D, H, W) along those axes with a kernel of five voxels."""
    kernel = torch.exp(-torch.arange(-2.0, 3.0) ** 2 / (2 * sigma**2))
    kernel /= kernel.sum()
    x = x[None]
    for axis in axes:
        shape = [5 if i == axis else 1 for i in range(3)]
        x = F.conv3d(x, kernel.reshape(1, 1, *shape), padding=[n // 2 for n in shape])
    return x[0]


def rotation(angle, a, b, size):
    """The rotation matrix by `angle` degrees in the plane of axes a and b."""
    angle, turn = np.deg2rad(angle), np.eye(size)
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    return turn


def sampling_matrix(matrix, center, patch, size):
    """`grid_sample`'s affine matrix for patch voxels around `center` of a volume of `size`, in its units and order x, y, z."""
    patch, size = np.array(patch), np.array(size)
    theta = np.zeros((len(size), len(size) + 1))
    theta[:, :-1] = matrix[::-1, ::-1] * patch[::-1][None] / size[::-1][:, None]
    theta[:, -1] = ((2 * center + 1) / size - 1)[::-1]
    return theta


class VolumeAugmentation(Augmentation):
    """For volumes in the network's voxels."""

    @staticmethod
    def prepare(recipe, image, labels, spacing):
        """Image (normalised) and a mask for each label as (1 + K, z, y, x) float32."""
        box = nonzero_box(image)
        image, labels = (f(a[box], spacing, recipe.spacing) for f, a in ((resample, image), (resample_labels, labels)))
        planes = [normalise(image)] + [(labels == label).astype(np.float32) for label in recipe.labels]
        return torch.from_numpy(np.stack(planes))

    def spatial(self, case, rng):
        size, patch = np.array(case.shape[1:]), np.array(self.patch)
        spare = size - patch
        # tiles start anywhere in a larger volume; a smaller one is in the middle, give or take two voxels
        start = np.where(spare > 0, rng.integers(0, np.maximum(spare, 0) + 1),
                         spare // 2 + rng.integers(-2, 3, 3))
        if rng.random() < self.options["unchanged"]:
            return self.slice(case, start)
        matrix = np.eye(3)
        if o := self.chance("rotation", rng):
            for a, b in ((0, 1), (0, 2), (1, 2)):
                matrix = matrix @ rotation(rng.uniform(-o["degrees"], o["degrees"]), a, b, 3)
        if o := self.chance("scaling", rng):
            matrix = matrix * rng.uniform(*o["factor"]) * rng.uniform(*o["stretch"], 3)
        theta = sampling_matrix(matrix, start + (patch - 1) / 2, patch, size)
        grid = F.affine_grid(torch.tensor(theta[None], dtype=torch.float32), (1, 1, *self.patch), False)
        return F.grid_sample(case[None], grid, align_corners=False)[0]

    def slice(self, case, start):
        result = torch.zeros(case.shape[0], *self.patch)
        inside = [slice(max(0, s), min(n, s + p)) for s, n, p in zip(start, case.shape[1:], self.patch)]
        target = [slice(i.start - s, i.stop - s) for i, s in zip(inside, start)]
        result[(slice(None), *target)] = case[(slice(None), *inside)]
        return result


@dataclass
class Stack:
    """Slices at the network's spacing in plane and as far apart as they were acquired."""

    image: torch.Tensor  # (slices, y, x) float16, normalised
    labels: torch.Tensor  # (slices, y, x) uint8
    step: float  # acquired slices for each of the network's along z (its spacing / the acquired)
    box: np.ndarray  # [[first y, last y], [first x, last x]] of the labelled voxels


class StackAugmentation(Augmentation):
    """For stacks of slices that lie far apart, as short-axis cine MR has them."""

    @staticmethod
    def prepare(recipe, image, labels, spacing):
        box = nonzero_box(image)
        image, labels = image[box].astype(np.float32), labels[box]
        in_plane = (spacing[0], *recipe.spacing[1:])
        shape = (len(image), *shape_at(image.shape, spacing, recipe.spacing)[1:])
        slices = [resample(plane[None], spacing, in_plane, (1, *shape[1:])) for plane in image]
        image = normalise(np.concatenate(slices))
        labels = np.concatenate([resample_labels(plane[None], spacing, in_plane, (1, *shape[1:])) for plane in labels])
        # one count for each label in order, whatever their values are
        numbered = np.searchsorted([0, *recipe.labels], labels).astype(np.uint8)
        found = [np.flatnonzero((labels > 0).any((0, 3 - axis))) for axis in (1, 2)]
        extent = [[f[0], f[-1]] if len(f) else [0, n - 1] for f, n in zip(found, image.shape[1:])]
        thick = shape_at((len(image),), spacing[:1], recipe.spacing[:1])[0]
        return Stack(torch.from_numpy(image).half(), torch.from_numpy(numbered), len(image) / thick, np.array(extent))

    def __init__(self, recipe):
        super().__init__(recipe)
        self.classes = len(recipe.labels)

    def spatial(self, case, rng):
        order, away, step = self.stack_order(case, rng)
        matrix, stretch = np.eye(2), 1.0
        if o := self.chance("rotation", rng):
            matrix = rotation(rng.uniform(-o["degrees"], o["degrees"]), 0, 1, 2)
        if o := self.chance("scaling", rng):
            matrix = matrix * rng.uniform(*o["factor"]) * rng.uniform(*o["stretch"], 2)
            stretch = rng.uniform(*o["alongZ"])
        rows = self.rows(len(order), step * stretch, rng)
        shown, place = np.unique(rows[rows >= 0], return_inverse=True)
        result = torch.zeros(1 + self.classes, *self.patch)
        if len(shown):
            planes = self.planes(case, order[shown], away[shown], rng)
            planes = self.sample(planes, matrix, self.center(case, rng), rng)
            result[:, rows >= 0] = planes.movedim(0, 1)[:, place]
        return result

    def stack_order(self, case, rng):
        """The slices that make up the stack, which of them show another place of the body, and slices per plane.

        Stacks of thin slices lose every second one at times. At times the stack reaches beyond base and apex: the outermost slice
        is appended, shifted by half its width and height, labels with it, so that the heart is elsewhere or out of view.
        """
        order, step = np.arange(len(case.image)), case.step
        if case.step > 0.7 and self.chance("thinning", rng):
            order, step = order[int(rng.integers(2))::2], step / 2
        away = np.zeros(len(order), bool)
        if o := self.chance("beyond", rng):
            before, after = rng.integers(0, o["slices"] + 1, 2)
            order = np.concatenate([[order[0]] * before, order, [order[-1]] * after]).astype(int)
            away = np.concatenate([[True] * before, away, [True] * after]).astype(bool)
        return order, away, step

    def rows(self, count, step, rng):
        """Which slice of the stack each plane of the patch shows, -1 beyond the ends (empty, as the padding is)."""
        length = self.patch[0] * step
        spare = count - length
        margin = self.options["beyondEnds"] * length
        start = (rng.uniform(-margin, spare + margin) if spare > 0 else spare / 2 + rng.uniform(-margin, margin))
        rows = np.floor(start + (np.arange(self.patch[0]) + 0.5) * step).astype(int)
        return np.where((rows >= 0) & (rows < count), rows, -1)

    def planes(self, case, order, away, rng):
        """Image and masks (slices, 1 + K, y, x); at times every slice has its own brightness."""
        image, labels = case.image[order].float(), case.labels[order]
        for index in np.flatnonzero(away):
            shift = [n // 2 for n in image.shape[1:]]
            image[index], labels[index] = (x[index].roll(shift, (0, 1)) for x in (image, labels))
        if o := self.chance("sliceBrightness", rng):
            factors = torch.from_numpy(np.exp(rng.normal(0, o["deviation"], len(order)))).float()
            low = image.min()
            image = (image - low) * factors[:, None, None] + low
        return torch.stack([image, *(labels == label for label in range(1, self.classes + 1))], 1)

    def center(self, case, rng):
        """Mostly a point in the labelled box; else anywhere that a tile of the sliding window may lie."""
        size, patch = np.array(case.image.shape[1:]), np.array(self.patch[1:])
        if rng.random() < self.options["foreground"]:
            return rng.uniform(case.box[:, 0], case.box[:, 1])
        reach = np.maximum(size - patch, 0) / 2
        return (size - 1) / 2 + rng.uniform(-reach, reach)

    def sample(self, planes, matrix, center, rng):
        """The patch's planes from slices (n, C, y, x); at times shifted against each other, as breath-holds shift them."""
        size = planes.shape[2:]
        theta = np.repeat(sampling_matrix(matrix, center, self.patch[1:], size)[None], len(planes), 0)
        if o := self.chance("sliceShift", rng):
            theta[:, :, 2] += 2 * rng.normal(0, o["deviation"], (len(planes), 2)) / np.array(size)[::-1]
        grid = F.affine_grid(torch.tensor(theta, dtype=torch.float32), (len(planes), 1, *self.patch[1:]), False)
        return F.grid_sample(planes, grid, align_corners=False)


KINDS = {"volume": VolumeAugmentation, "stack": StackAugmentation}
