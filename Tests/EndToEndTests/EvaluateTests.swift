import Foundation
import TestSupport
import Testing

/// `segmentd evaluate` and `run` on NIfTI, compared with nibabel and the training script's measures.
@Suite(.limitedConcurrency) struct EvaluateTests {
  struct Report: Decodable {
    struct Mean: Decodable { var dice: Double, hd95: Double }
    struct Label: Decodable { var label: Int, name: String, dice: Double, hd95: Double }
    struct Case: Decodable {
      struct Label: Decodable { var label: Int, dice: Double, hd95: Double }
      var `case`: String
      var labels: [Label]
    }
    var mean: Mean
    var labels: [Label]
    var cases: [Case]
  }

  private let series = TestFiles.fixtures.appendingPathComponent("series")

  private func report(_ result: ProcessResult) throws -> Report {
    try #require(result.status == 0, "\(result.output)")
    return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
  }

  /// Dice and HD95 of labels 1 and 2 as Scripts/train/metrics.py has them.
  private func measured(_ found: URL, _ known: URL) async throws -> [[Double]] {
    let program = """
      import json, sys, nibabel, numpy
      sys.path.insert(0, sys.argv[1])
      from metrics import dice, hd95
      found, known = (nibabel.load(p) for p in sys.argv[2:])
      assert numpy.allclose(found.affine, known.affine, atol=1e-4), (found.affine, known.affine)
      a, b = numpy.asarray(found.dataobj), numpy.asarray(known.dataobj)
      print(json.dumps([[dice(a == k, b == k), hd95(a == k, b == k)] for k in (1, 2)]))
      """
    let train = TestFiles.package.appendingPathComponent("Scripts/train").path
    let run = try await runProcess(testPython, ["-c", program, train, found.path, known.path])
    try #require(run.status == 0, "\(run.output)")
    return try JSONDecoder().decode([[Double]].self, from: Data(run.output.utf8))
  }

  /// The bundled DICOM subjects: masks written by `run`, scored by Python and by `evaluate`.
  @Test func figuresAreThoseOfPython() async throws {
    let folder = try TemporaryFolder()
    let output = folder.url.appendingPathComponent("out")
    let name = "synthetic-1"
    let run = try await segmentd(
      "run", "--model", "hippocampus", "--output", output.path, "--nifti",
      series.appendingPathComponent(name).path)
    try #require(run.status == 0, "\(run.output)")
    let result = try #require(
      FileManager.default.contentsOfDirectory(at: output, includingPropertiesForKeys: nil).first)
    let known = series.appendingPathComponent("\(name).labels.nii.gz")
    let labels = result.appendingPathComponent("labels.nii.gz")
    let expected = try await measured(labels, known)
    #expect(expected.allSatisfy { $0[0] > 0.6 }, "\(expected)")

    let evaluated = try report(
      try await segmentd(
        "evaluate", "--model", "hippocampus", "--images", series.path, "--labels", series.path,
        "--cases", name, "--json"))
    let fromNIfTI = try report(
      try await segmentd(
        "evaluate", "--predictions", labels.path, "--labels", known.path, "--json"))
    let fromSEG = try report(
      try await segmentd(
        "evaluate", "--model", "hippocampus", "--predictions",
        result.appendingPathComponent("segmentation.dcm").path, "--labels", known.path, "--json"))
    for report in [evaluated, fromNIfTI, fromSEG] {
      #expect(report.labels.map(\.label) == [1, 2])
      for (label, wanted) in zip(report.labels, expected) {
        #expect(abs(label.dice - wanted[0]) < 1e-9)
        #expect(abs(label.hd95 - wanted[1]) < 1e-4, "the affine is in single precision")
      }
    }
    #expect(evaluated.labels.map(\.name) == ["Anterior hippocampus", "Posterior hippocampus"])
    #expect(abs(evaluated.mean.dice - (expected[0][0] + expected[1][0]) / 2) < 1e-9)
  }

  /// Held-out volumes: the figures that PyTorch and SciPy left in Scripts/train/held_out.json.
  @Test(
    .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func heldOutVolumesScoreAsInTheTrainingScript() async throws {
    struct Trained: Decodable { var perCase: [Report.Case] }
    let trained = try JSONDecoder().decode(
      Trained.self,
      from: Data(
        contentsOf: TestFiles.package.appendingPathComponent("Scripts/train/held_out.json")))
    let names = trained.perCase.prefix(4).map(\.case)
    let data = try #require(TestFiles.shared).appendingPathComponent("hippocampus")
    let evaluated = try report(
      try await segmentd(
        "evaluate", "--model", "hippocampus", "--images", data.path, "--labels", data.path,
        "--cases", names.joined(separator: ","), "--json"))
    #expect(evaluated.cases.map(\.case) == names)
    for (ours, theirs) in zip(evaluated.cases, trained.perCase) {
      for (label, wanted) in zip(ours.labels, theirs.labels) {
        #expect(abs(label.dice - wanted.dice) < 5e-4, "\(ours.case): \(label) not \(wanted)")
        #expect(abs(label.hd95 - wanted.hd95) < 5e-4, "\(ours.case): \(label) not \(wanted)")
      }
    }
  }

  /// A NIfTI file in gives NIfTI labels on the same voxels, the same as by DICOM.
  @Test func runTakesNIfTI() async throws {
    let folder = try TemporaryFolder()
    let volume = folder.url.appendingPathComponent("subject.nii.gz")
    let program = """
      import glob, sys, nibabel, numpy, pydicom
      known = nibabel.load(sys.argv[2])
      files = sorted((pydicom.dcmread(p) for p in glob.glob(sys.argv[1] + "/*.dcm")),
                     key=lambda d: int(d.InstanceNumber))
      values = numpy.stack([d.pixel_array for d in files]).transpose(2, 1, 0)
      # Stored towards the right, the front and the head, as most files are.
      image = nibabel.as_closest_canonical(nibabel.Nifti1Image(values.astype("i2"), known.affine))
      image.set_qform(image.affine, 1)
      nibabel.save(image, sys.argv[3])
      """
    let known = series.appendingPathComponent("synthetic-2.labels.nii.gz")
    let made = try await runProcess(
      testPython,
      ["-c", program, series.appendingPathComponent("synthetic-2").path, known.path, volume.path])
    try #require(made.status == 0, "\(made.output)")
    let output = folder.url.appendingPathComponent("out")
    let run = try await segmentd(
      "run", "--model", "hippocampus", "--output", output.path, volume.path)
    try #require(run.status == 0, "\(run.output)")
    let labels = output.appendingPathComponent("subject/labels.nii.gz")
    let picture = try Data(contentsOf: output.appendingPathComponent("subject/contours.png"))
    #expect(picture.starts(with: [0x89, 0x50, 0x4e, 0x47]))
    let compared = try await runProcess(
      testPython,
      [
        "-c",
        """
        import sys, nibabel, numpy
        a, b = nibabel.load(sys.argv[1]), nibabel.load(sys.argv[2])
        assert numpy.array_equal(a.affine, b.affine) and a.shape == b.shape
        assert numpy.array_equal(a.get_qform(), b.get_qform())
        assert a.get_data_dtype() == numpy.uint8
        """, labels.path, volume.path,
      ])
    #expect(compared.status == 0, "\(compared.output)")
    // Stored in another order than the known labels, and the same structures as by DICOM.
    let fromNIfTI = try report(
      try await segmentd(
        "evaluate", "--predictions", labels.path, "--labels", known.path, "--json"))
    let fromDICOM = try report(
      try await segmentd(
        "evaluate", "--model", "hippocampus", "--images", series.path, "--labels", series.path,
        "--cases", "synthetic-2", "--json"))
    for (a, b) in zip(fromNIfTI.labels, fromDICOM.labels) { #expect(abs(a.dice - b.dice) < 1e-9) }
  }

  @Test func whatCannotBeScoredIsNamed() async throws {
    let unmatched = try await segmentd(
      "evaluate", "--predictions", series.appendingPathComponent("synthetic-1.labels.nii.gz").path,
      "--labels", series.path, "--cases", "unknown-case")
    #expect(unmatched.status != 0)
    #expect(unmatched.output.contains("unknown-case"))
    let elsewhere = try await segmentd(
      "evaluate", "--predictions", series.appendingPathComponent("synthetic-1.labels.nii.gz").path,
      "--labels", series.appendingPathComponent("synthetic-2.labels.nii.gz").path)
    #expect(elsewhere.status == 2)
    #expect(elsewhere.output.contains("not scored: synthetic-1"))
    #expect(elsewhere.output.contains("resample"))
    let nothing = try await segmentd("evaluate", "--labels", series.path)
    #expect(nothing.status != 0)
  }

  @Test func aBenchmarkSetsClassesAndConvention() async throws {
    let known = series.appendingPathComponent("synthetic-1.labels.nii.gz").path
    let result = try await segmentd(
      "evaluate", "--predictions", known, "--labels", known, "--benchmark", "brats")
    #expect(result.status == 0)
    for text in ["ET", "TC", "WT", "HD95 voxels", "convention of brats"] {
      #expect(result.output.contains(text), "\(result.output)")
    }
    let lung = try await segmentd(
      "evaluate", "--predictions", known, "--labels", known, "--benchmark", "lung")
    #expect(lung.status == 2)
    #expect(lung.output.contains("the value 2"))
  }
}
