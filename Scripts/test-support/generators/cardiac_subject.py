"""A synthetic heart in a synthetic thorax, seen in short axis: images as of balanced SSFP cine, and the labels they were drawn from.

Shapes are parametric: the left ventricle a truncated ellipsoid whose wall keeps its volume while it contracts, the right
ventricle a crescent around the septum, both in fat among lungs, liver, stomach, spine and descending aorta. Sizes are Gaussian
draws around the means of healthy adults (Maceira et al., J Cardiovasc Magn Reson 8:417, 2006). Nothing of a patient is in it.

Coordinates are mm: x to the right and y down in the image, z from base (0) to apex; the middle of the left ventricle is the
origin of x and y.
"""

import numpy

BACKGROUND, RIGHT_VENTRICLE, MYOCARDIUM, LEFT_VENTRICLE = range(4)

# Relative signal.
BLOOD, MUSCLE, FAT, LUNG, LIVER, STOMACH, BONE, CORD = 1.0, 0.34, 0.60, 0.05, 0.42, 0.55, 0.33, 0.8
REACH = 85  # mm from the middle within which the heart is drawn


def contraction(time):
    """From 0 (end-diastole) to 1 (end-systole at 36 % of the cycle) and back: rapid filling, diastasis, atrial kick."""
    points = [0, 0.08, 0.20, 0.30, 0.36, 0.42, 0.52, 0.60, 0.80, 0.90, 1.0]
    values = [0, 0.10, 0.62, 0.95, 1.0, 0.93, 0.45, 0.22, 0.16, 0.05, 0.0]
    return numpy.interp(time % 1, points, values)


class Subject:
    """One heart: its labels and its signal at any place and time of the cycle."""

    def __init__(self, seed):
        draw = numpy.random.default_rng(seed)

        def about(mean, deviation):
            return mean + deviation * float(numpy.clip(draw.normal(), -1.5, 1.5))

        self.radius = about(25.5, 2.0)        # of the left ventricle's cavity at the base, end-diastole
        self.length = about(84, 5)            # of the cavity
        self.wall = about(8.6, 0.8)           # at the base
        self.shortening = about(0.30, 0.03)   # of the radius at end-systole
        self.descent = about(10, 1.5)           # of the base towards the apex
        self.right_width = about(1.10, 0.07)  # of the right ventricle, in radii of the left one's outline
        self.right_shortening = about(0.24, 0.03)
        self.turn = numpy.deg2rad(about(0, 12))
        self.waves = draw.normal(size=(4, 5))  # of smooth fields: direction, length, phase
        self.bumps = draw.normal(size=6) * 0.02

    def sections(self, time, z):
        """At a height: radii of the cavity and of the outline of the left ventricle, of the right one its size; 0 where none."""
        c = contraction(time)
        base = self.descent * c
        # The cavity ends before the muscle does.
        far = 1 - 0.05 * c
        length = self.length * far - base
        part = (z - base) / length
        shape = numpy.sqrt(numpy.clip(1 - numpy.abs(part) ** 2.2, 0, None)) * (part >= 0)
        cavity = self.radius * (1 - self.shortening * c) * shape
        # The wall's cross-section times its length stays.
        rest = numpy.sqrt(numpy.clip(1 - numpy.abs(z / self.length) ** 2.2, 0, None))
        thickness = self.wall * (0.62 + 0.38 * rest)
        area = ((self.radius * rest + thickness) ** 2 - (self.radius * rest) ** 2) * self.length / length
        outline = numpy.sqrt(cavity**2 + area)
        reach = self.length + 5
        outline = outline * numpy.clip((reach - z) / 8, 0, 1) ** 0.5 * (z >= base)
        right = numpy.clip(1 - (numpy.clip(part, 0, None) / 0.86) ** 2, 0, None) ** 0.6 * (part >= 0)
        return cavity, outline, right * (1 - self.right_shortening * c)

    def frame(self, x, y):
        cosine, sine = numpy.cos(self.turn), numpy.sin(self.turn)
        return x * cosine + y * sine, y * cosine - x * sine

    def wobble(self, x, y):
        """A few per cent of the radius, by direction: no outline is a circle."""
        angle = numpy.arctan2(y, x)
        return 1 + sum(a * numpy.cos(k * angle + b) for k, a, b in zip((2, 3, 4), self.bumps[:3], 50 * self.bumps[3:]))

    def right_ventricle(self, time, z, x, y, outline, size, grow=0.0):
        """Inside a disc behind the septum, outside the left ventricle."""
        if size <= 0.12:
            return numpy.zeros(x.shape, bool)
        _, still, _ = self.sections(0, z)
        width = self.right_width * numpy.maximum(still, 12) * size
        height = 1.32 * numpy.maximum(still, 12) * (0.6 + 0.4 * size)
        centre = -0.62 * outline
        inside = ((x - centre) / (width + grow)) ** 2 + ((y + 2) / (height + grow)) ** 2 < 1
        return inside & (x < 0.15 * outline)

    def regions(self, time, z, x, y):
        x, y = self.frame(x, y)
        away = numpy.hypot(x, y) / self.wobble(x, y)
        cavity, outline, size = self.sections(time, z)
        left = (away < cavity) & (cavity > 3)
        muscle = (away < outline) & ~left
        right = self.right_ventricle(time, z, x, y, outline, size) & ~left & ~muscle
        return x, y, left, muscle, right, outline, size

    def labels(self, time, z, x, y):
        _, _, left, muscle, right, _, _ = self.regions(time, z, x, y)
        return numpy.select([left, muscle, right], [LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE], BACKGROUND).astype(numpy.uint8)

    def field(self, x, y, z, index, length):
        """A smooth random field of about unit size."""
        total = 0
        for kx, ky, kz, phase, _ in numpy.roll(self.waves, index, axis=0):
            total = total + numpy.sin((kx * x + ky * y + kz * z) / length + 3 * phase + index)
        return total / 2

    def heart(self, time, z, x, y, s):
        """Relative signal at points of one height `z`, the heart drawn over `s`."""
        hx, hy, left, muscle, right, outline, size = self.regions(time, z, x, y)
        near = (numpy.hypot(hx, hy) < outline + 5 + 3 * self.field(x, y, z, 1, 14)) & (outline > 0)
        near |= self.right_ventricle(time, z, hx, hy, outline, size, grow=6 + 2 * self.field(x, y, z, 2, 12))
        s = numpy.where(near, FAT * (0.92 + 0.08 * self.field(x, y, z, 3, 9)), s)
        wall = self.right_ventricle(time, z, hx, hy, outline, size, grow=3.2)
        s = numpy.where(wall, MUSCLE, s)
        s = numpy.where(muscle, MUSCLE * (1 + 0.06 * self.field(x, y, z, 0, 8)), s)
        s = numpy.where(right, BLOOD * (0.93 + 0.09 * self.field(x, y, z, 1, 7)), s)
        s = numpy.where(left, BLOOD * (1 + 0.05 * self.field(x, y, z, 2, 12)), s)
        s = numpy.where(left & self.papillary(time, z, hx, hy), 0.55, s)
        return self.beyond_base(time, z, hx, hy, s)

    def papillary(self, time, z, x, y):
        cavity, _, _ = self.sections(time, z)
        there = (z > 0.3 * self.length) & (z < 0.72 * self.length)
        spots = [(0.62, -0.45), (0.30, 0.70)]
        return there & numpy.any([numpy.hypot(x - cavity * a, y - cavity * b) < 3.6 for a, b in spots], axis=0)

    def beyond_base(self, time, z, x, y, s):
        """Left atrium and aortic root above the base."""
        base = self.descent * contraction(time)
        if z >= base:
            return s
        atrium = ((x - 20) / 26) ** 2 + ((y - 14) / 15) ** 2 < 1
        right = ((x + 46) / 18) ** 2 + ((y - 8) / 28) ** 2 < 1
        s = numpy.where(((x + 6) / 62) ** 2 + (y / 42) ** 2 < 1, FAT * 0.8, s)
        s = numpy.where(atrium | right, BLOOD * 0.8, s)
        return numpy.where(numpy.hypot(x + 14, y + 10) < 13, BLOOD * 0.9, s)

    def thorax(self, z, x, y):
        """All but the heart; the plane moves down the body with z."""
        x, y = self.frame(x, y)
        wide = 1 + 0.0008 * z
        body = numpy.sqrt(((x - 55 - 0.05 * z) / (168 * wide)) ** 2 + ((y - 40 - 0.15 * z) / (122 * wide)) ** 2)
        s = numpy.zeros_like(x)
        s = numpy.where(body < 1, 0.95, s)                       # skin and fat
        s = numpy.where(body < 0.90 + 0.015 * self.field(x, y, z, 0, 40), MUSCLE * 0.9, s)
        ribs = (body > 0.83) & (numpy.sin(numpy.arctan2(y - 40, x - 55) * 14 + z / 20) > 0.55)
        s = numpy.where(ribs & (body < 0.88), 0.6, s)
        s = numpy.where(body < 0.82, LUNG * (1 + 0.3 * self.field(x, y, z, 2, 6)), s)
        vessels = (self.field(x, y, z, 3, 5) * self.field(x, y, z, 1, 4) > 0.85) & (x > 40)
        s = numpy.where(vessels & (body < 0.8), 0.35, s)
        inner = body < 0.84
        rise = 10 - 0.25 * z
        liver = (((x + 35) / 95) ** 2 + ((y - 92 - rise) / 52) ** 2 < 1) & inner
        s = numpy.where(liver, LIVER * (1 + 0.05 * self.field(x, y, z, 0, 15)), s)
        s = numpy.where(liver & (self.field(x, y, z, 2, 7) > 1.25), 0.75, s)
        stomach = (((x - 75) / 52) ** 2 + ((y - 98 - rise) / 38) ** 2 < 1) & inner
        s = numpy.where(stomach, STOMACH * (1 + 0.25 * self.field(x, y, z, 1, 18)), s)
        spine = numpy.hypot(x - 150, y - 58) < 21
        s = numpy.where(spine, BONE, s)
        s = numpy.where(numpy.hypot(x - 168, y - 68) < 7, CORD, s)
        return numpy.where(numpy.hypot(x - 112, y - 44) < 11, BLOOD * 0.95, s)


class Stack:
    """Slices of a subject. `spacing` is that of pixels, `step` that of slices, `thickness` what each averages, all in mm."""

    def __init__(self, subject, rows, columns, spacing, slices, step, thickness, offset=(0.0, 0.0)):
        self.subject, self.shape = subject, (slices, rows, columns)
        self.spacing, self.step, self.thickness = spacing, step, thickness
        # From just below the valves; a long stack reaches beyond the heart at both ends.
        first = min(4.0, (subject.length - (slices - 1) * step) / 2 + 8)
        self.heights = first + step * numpy.arange(slices)
        self.offset = offset
        # Each slice is another breath-hold: mm, and relative brightness.
        draw = numpy.random.default_rng(int(1000 * subject.length))
        self.shifts = numpy.clip(draw.normal(size=(slices, 2)), -2, 2) * 1.2
        self.brightness = 1 + 0.04 * numpy.clip(draw.normal(size=slices), -2, 2)
        self.still = {}

    def places(self, slice_, per_pixel=1):
        _, rows, columns = self.shape
        size, shift = self.spacing / per_pixel, self.shifts[slice_] + self.offset
        x = (numpy.arange(columns * per_pixel) - (columns * per_pixel - 1) / 2) * size - shift[0]
        y = (numpy.arange(rows * per_pixel) - (rows * per_pixel - 1) / 2) * size - shift[1]
        return numpy.meshgrid(x, y)

    def labels(self, time):
        """Slices, rows, columns: of each pixel's middle."""
        return numpy.stack([self.subject.labels(time, z, *self.places(k)) for k, z in enumerate(self.heights)])

    def images(self, time, seed, noise=0.06):
        """Magnitude images as uint16: partial volume of pixel and slice, coil sensitivity, Rician noise."""
        draw = numpy.random.default_rng(seed)
        slices, rows, columns = self.shape
        near, across = self.places(0)
        coil = 0.75 + 0.75 * numpy.exp(-numpy.hypot(near + 70, across + 60) / 130)
        result = []
        for k, z in enumerate(self.heights):
            layers = [self.layer(time, k, float(z + self.thickness * part)) for part in (-0.35, 0, 0.35)]
            pixels = numpy.mean(layers, axis=0).reshape(rows, 2, columns, 2).mean((1, 3))
            blurred = 0.5 * pixels + 0.125 * sum(numpy.roll(pixels, s, a) for s in (1, -1) for a in (0, 1))
            real, imaginary = draw.normal(size=(2, rows, columns)) * noise
            result.append(numpy.hypot(blurred * coil * self.brightness[k] + real, imaginary))
        return numpy.clip(numpy.round(numpy.stack(result) * 700), 0, 4095).astype(numpy.uint16)

    def layer(self, time, slice_, z):
        """Relative signal at one height, four points a pixel; the thorax is kept, for it does not move."""
        x, y = self.places(slice_, 2)
        if z not in self.still:
            self.still[z] = self.subject.thorax(z, x, y)
        s = self.still[z].copy()
        inside = (numpy.abs(x) < REACH) & (numpy.abs(y) < REACH)
        box = numpy.ix_(inside.any(1), inside.any(0))
        s[box] = self.subject.heart(time, z, x[box], y[box], s[box])
        return s
