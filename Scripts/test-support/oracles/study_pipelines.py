"""A study through plain Python: pydicom, SciPy and scikit-image, PyTorch or OpenVINO, highdicom.

usage: study_pipelines.py export BUNDLE NETWORK.onnx
       study_pipelines.py run ENGINE BUNDLE SERIES OUTPUT THREADS PATCHES
       study_pipelines.py compare SEGMENTATION PEER

`run` does what the reference implementation does (crop, resampling, intensities, tiled prediction with
Gaussian weights, resampling back), leaves out what has no effect on the result, and writes
OUTPUT/segmentation.dcm and OUTPUT/report.json. PATCHES other than 0 stops after so many patches, and
the report extrapolates. ENGINE is torch, openvino or openvino-default; the latter two take
OUTPUT/../network.onnx. `compare` prints how the labels of two segmentation objects differ.
"""

import itertools
import json
import pathlib
import sys
import time

START = time.perf_counter()

import numpy
import pydicom
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "train"))


class Stages:
    """Seconds of each stage, one after the other."""

    def __init__(self):
        self.seconds, self.last = {}, START

    def done(self, name):
        now = time.perf_counter()
        self.seconds[name], self.last = self.seconds.get(name, 0) + now - self.last, now


def read_model(bundle):
    model = yaml.safe_load((bundle / "model.yaml").read_text())
    scheme = model["preprocessing"]["normalization"][0]
    assert scheme["scheme"] == "ct" and model["preprocessing"]["orientation"] == ["S", "P", "L"]
    return model


def torch_network(bundle, description):
    import unetrpp
    from safetensors.torch import load_file
    network = unetrpp.UNETRPP(unetrpp.Description.from_yaml(description))
    return unetrpp.load_published(network, load_file(bundle / "weights.safetensors")).eval()


def export(bundle, target):
    """The network with its softmax as ONNX."""
    import torch
    network = torch.nn.Sequential(
        torch_network(bundle, read_model(bundle)["network"]), torch.nn.Softmax(dim=1))
    patch = torch.zeros(1, 1, *network[0].description.patch)
    torch.onnx.export(network, (patch,), target, input_names=["input"], output_names=["probabilities"],
                      dynamo=False, opset_version=17)


def load_engine(engine, bundle, model, network_file, threads):
    """(version, function from a patch to the classes' probabilities, both arrays)"""
    if engine == "torch":
        import torch
        torch.set_num_threads(threads)
        network = torch_network(bundle, model["network"])

        def run(patch):
            with torch.inference_mode():
                return torch.softmax(network(torch.from_numpy(patch)[None, None]), 1)[0].numpy()
        return f"PyTorch {torch.__version__}", run
    import openvino
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if engine == "openvino":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = openvino.Core().compile_model(str(network_file), "CPU", settings)
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    request = compiled.create_infer_request()
    return (f"OpenVINO {openvino.__version__.split('-')[0]} {precision}",
            lambda patch: request.infer({"input": patch[None, None]}, share_outputs=True)[0][0])


def read_series(folder):
    """Slices from the feet up, their values in Hounsfield units, and the spacing z, y, x."""
    slices = sorted((pydicom.dcmread(file) for file in folder.iterdir()), key=lambda d: d.ImagePositionPatient[2])
    values = numpy.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
    depth = float(slices[1].ImagePositionPatient[2] - slices[0].ImagePositionPatient[2])
    return slices, values.astype(numpy.float32), [depth, *map(float, slices[0].PixelSpacing)]


def nonzero_box(values):
    axes = [numpy.any(values != 0, axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    return tuple(slice(int(a.argmax()), len(a) - int(a[::-1].argmax())) for a in axes)


def resample(values, shape, spacing, target, order):
    """Every slice by scikit-image where slices are far apart, as the reference; else all axes at once."""
    from skimage.transform import resize
    if values.shape == tuple(shape):
        return values
    def resized(part, size):
        return resize(part.astype(float), size, order, mode="edge", anti_aliasing=False, clip=True)
    far = next((s for s in (spacing, target) if max(s) / min(s) > 3), None)
    if far is None:
        return resized(values, shape).astype(numpy.float32)
    assert far.index(max(far)) == 0 and values.shape[0] == shape[0]
    return numpy.stack([resized(part, shape[1:]).astype(numpy.float32) for part in values])


def preprocess(values, spacing, settings):
    target, scheme = settings["spacing"], settings["normalization"][0]
    shape = [int(n) for n in numpy.round(numpy.array(spacing) / target * values.shape)]
    image = resample(values, shape, spacing, target, order=3)
    numpy.clip(image, scheme["lower"], scheme["upper"], out=image)
    return (image - numpy.float32(scheme["mean"])) / numpy.float32(scheme["sd"])


def starts(count, patch, step):
    steps = int(numpy.ceil((count - patch) / (patch * step))) + 1
    actual = (count - patch) / (steps - 1) if steps > 1 else 0
    return [int(numpy.round(actual * i)) for i in range(steps)]


def gaussian(patch):
    from scipy.ndimage import gaussian_filter
    weights = numpy.zeros(patch)
    weights[tuple(n // 2 for n in patch)] = 1
    weights = gaussian_filter(weights, [n / 8 for n in patch], 0, mode="constant", cval=0)
    weights = (weights / weights.max()).astype(numpy.float32)
    weights[weights == 0] = weights[weights != 0].min()
    return weights


def mirrored_mean(run, patch, axes):
    combinations = [c for n in range(len(axes) + 1) for c in itertools.combinations(axes, n)]
    if len(combinations) == 1:
        return run(patch)
    total = 0
    for axis in combinations:
        total += numpy.flip(run(numpy.ascontiguousarray(numpy.flip(patch, axis))), [a + 1 for a in axis])
    return total / numpy.float32(len(combinations))


def predict(image, run, model, limit):
    """(Probabilities, how much of the patches was computed, the seconds that took)"""
    patch, settings = model["network"]["patch"], model["inference"]
    assert all(n >= p for n, p in zip(image.shape, patch))
    places = list(itertools.product(*(starts(n, p, settings["step"]) for n, p in zip(image.shape, patch))))
    weights = gaussian(patch)
    sums = numpy.zeros((model["network"]["classes"], *image.shape), numpy.float32)
    divisor = numpy.zeros(image.shape, numpy.float32)
    done = places[:limit] if limit else places
    start = time.perf_counter()
    for place in done:
        part = tuple(slice(s, s + p) for s, p in zip(place, patch))
        probabilities = mirrored_mean(run, numpy.ascontiguousarray(image[part]), settings["mirrorAxes"])
        sums[(slice(None), *part)] += probabilities * weights
        divisor[part] += weights
    seconds = time.perf_counter() - start
    if limit:
        divisor[divisor == 0] = 1
    sums /= divisor
    return sums, len(done) / len(places), seconds


def write(labels, slices, model, target):
    import highdicom
    from pydicom.sr.codedict import codes
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=model["name"], family=codes.cid7162.ArtificialIntelligence, version=model["version"])
    descriptions = []
    found = [int(label) for label in numpy.unique(labels) if label]
    for number, label in enumerate(found, 1):
        entry = model["labels"][label - 1]
        category, kind = (highdicom.sr.CodedConcept(entry[k]["value"], entry[k]["scheme"], entry[k]["meaning"])
                          for k in ("category", "type"))
        descriptions.append(highdicom.seg.SegmentDescription(
            segment_number=number, segment_label=entry["name"], segmented_property_category=category,
            segmented_property_type=kind, algorithm_identification=algorithm,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC))
    numbers = numpy.zeros(256, numpy.uint8)
    numbers[found] = range(1, len(found) + 1)
    highdicom.seg.Segmentation(
        source_images=slices, pixel_array=numbers[labels],
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY, segment_descriptions=descriptions,
        series_instance_uid=highdicom.UID(), series_number=100, sop_instance_uid=highdicom.UID(), instance_number=1,
        manufacturer="plain", manufacturer_model_name="plain", software_versions="1", device_serial_number="1",
    ).save_as(target)


def peak_megabytes():
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def run(engine, bundle, series, output, threads, limit):
    stages = Stages()
    model = read_model(bundle)
    version, network = load_engine(engine, bundle, model, output.parent / "network.onnx", threads)
    import highdicom, scipy.ndimage, skimage.transform  # noqa: E401, F401 (part of the start)
    stages.done("start")
    slices, values, spacing = read_series(series)
    stages.done("reading")
    box = nonzero_box(values)
    cropped = values[box]
    image = preprocess(cropped, spacing, model["preprocessing"])
    stages.done("preprocessing")
    probabilities, share, seconds = predict(image, network, model, limit)
    stages.done("inference")
    stages.seconds["inference"] += seconds / share - seconds
    probabilities = numpy.stack([
        resample(p, cropped.shape, spacing, model["preprocessing"]["spacing"], order=1) for p in probabilities])
    labels = numpy.zeros(values.shape, numpy.uint8)
    labels[box] = probabilities.argmax(0)
    stages.done("labels")
    write(labels, slices, model, output / "segmentation.dcm")
    stages.done("writing")
    report = {"version": version, "stages": stages.seconds, "share": share, "peakMB": peak_megabytes()}
    # Not of the pipeline: by how much the first class of each voxel leads, to tell ties from errors.
    margins = numpy.zeros(values.shape, numpy.float32)
    for z in range(cropped.shape[0]):
        best = numpy.partition(probabilities[:, z], -2, axis=0)[-2:]
        margins[box][z] = best[1] - best[0]
    numpy.save(output / "margins.npy", margins)
    (output / "report.json").write_text(json.dumps(report))


def labels_of(file):
    """The labels of a segmentation object whose segments are called "Noise N", by source image."""
    d = pydicom.dcmread(file)
    labels = {int(s.SegmentNumber): int(s.SegmentLabel.split()[-1]) for s in d.SegmentSequence}
    size = d.Rows * d.Columns
    bits = numpy.unpackbits(numpy.frombuffer(d.PixelData, numpy.uint8), bitorder="little")
    planes = {}
    for index, frame in enumerate(d.PerFrameFunctionalGroupsSequence):
        uid = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        height = float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        plane = planes.setdefault((height, uid), numpy.zeros(size, numpy.uint8))
        plane[bits[index * size:(index + 1) * size] == 1] = labels[
            int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)]
    return planes


def compare(ours, peer):
    a, b = labels_of(ours), labels_of(peer / "segmentation.dcm")
    # Beside a segment on every plane the comparison would have to know the planes without one.
    margins = numpy.load(peer / "margins.npy", mmap_mode="r")
    assert a.keys() == b.keys() and len(a) == margins.shape[0], "the segmentations are on different planes"
    x, y = (numpy.stack([p[key] for key in sorted(a)]) for p in (a, b))
    differing = x != y
    dice = []
    for label in range(1, max(x.max(), y.max()) + 1):
        in_x, in_y = x == label, y == label
        if in_x.any() or in_y.any():
            dice.append(2 * float((in_x & in_y).sum()) / float(in_x.sum() + in_y.sum()))
    ties = margins.reshape(x.shape)[differing]
    print(json.dumps({
        "differing": int(differing.sum()), "voxels": int(x.size), "dice": float(numpy.min(dice)),
        "largestMargin": float(ties.max()) if ties.size else 0.0}))


def main():
    command, *arguments = sys.argv[1:]
    if command == "export":
        export(pathlib.Path(arguments[0]), arguments[1])
    elif command == "run":
        engine, bundle, series, output, threads, patches = arguments
        run(engine, *map(pathlib.Path, (bundle, series, output)), int(threads), int(patches))
    else:
        compare(*map(pathlib.Path, arguments))


main()
