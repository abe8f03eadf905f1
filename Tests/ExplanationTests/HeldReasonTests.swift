import FileSystem
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Explanation

/// Why something is held, and what is done about it.
@Suite struct HeldReasonTests {
  /// Texts as the ledger has them, by the row that each is.
  private static let texts: [(HeldReason.Part, String, String)] = [
    (
      .instances, "an instance was refused",
      "instance 1.2.3 refused with 0xC000: ends within (7FE0,0010) Pixel Data: 9 bytes needed, 1 left, from CT1 at 10.0.0.5"
    ),
    (
      .instances, "a listener is away",
      "instances of the series wait at listener east, which is away: they come once it is back"
    ),
    (
      .instances, "the association of a peer",
      "the association of CT1 at 10.0.0.5 ended with a lost connection after 2 instances of the series: more may be missing, send the series again"
    ),
    (
      .instances, "the query source lists more",
      "ARCHIVE at pacs:104 lists 5 instances of the series, of which 2 are not here (1.2, 1.3)"
    ),
    (
      .instances, "files are lost",
      "the file of 1 instance is lost or damaged here, send the series again: 1.2"
    ),
    (
      .instances, "originals were purged",
      "the originals of 2 instances were purged here (1.2, …): send the series again, or retrieve it with segmentd fetch"
    ),
    (
      .instances, "a series that the rules compare",
      "the rules compare it with series 1.2, whose originals were purged or lost: retrieve the study with segmentd fetch, or send it again, and try again with segmentd jobs retry"
    ),
    (.rules, "no rule", "no rule of the configuration matches: Modality (0008,0060) is MR"),
    (
      .rules, "several series",
      "rule chest: series 1.2 scores 2 too and nothing decides between them: add a preference or a tieOrder to the rule, or reprocess the right one by hand"
    ),
    (
      .rules, "nothing says",
      "nothing says which of its volumes is meant: choose one by --volume NUMBER (segmentd jobs release, segmentd run), or by volume: in a rule"
    ),
    (
      .rules, "the series has no volume",
      "volume b=800, which a person chose, is not among those of the series"
    ),
    (
      .rules, "rules for one model",
      "rules for model liver choose different volumes: volume 1; volume 2"
    ),
    (.rules, "held by an administrator", "held by an administrator: weekend"),
    (.geometry, "`noImages`", "the series has no images"),
    (.geometry, "`blankUID`", "SOP Instance UID (0008,0018) is (blank): (blank)"),
    (
      .geometry, "`notMeasured`",
      "Image Type (0008,0008) \"DERIVED\\SECONDARY\\MPR\" is not an original image: 1.2, 1.3 and 5 more"
    ),
    (.geometry, "`pixelFormat`", "Samples per Pixel (0028,0002) is 3, not 1: 1.2"),
    (
      .geometry, "`notHounsfieldUnits`",
      "half of all voxels are 1800 and more: these are no Hounsfield units; Rescale Intercept (0028,1052), Rescale Slope (0028,1053) or Pixel Representation (0028,0103) is wrong"
    ),
    (.geometry, "`missingGeometry`", "Pixel Spacing (0028,0030) is absent or holds no number: 1.2"),
    (
      .geometry, "`invalidGeometry`",
      "Image Orientation (Patient) (0020,0037) 1\\0\\0\\1\\0\\0 is not two perpendicular unit vectors: 1.2"
    ),
    (
      .geometry, "`severalSeries`",
      "Series Instance UID (0020,000E) differs: 1.2 in 3 images (1.2.1), 1.3 in 3 images (1.3.1)"
    ),
    (
      .geometry, "`severalPatients`",
      "Patient ID (0010,0020) differs: hash 1 in 3 images (1.2.1), hash 2 in 3 images (1.3.1)"
    ),
    (
      .geometry, "`severalFramesOfReference`",
      "Frame of Reference UID (0020,0052) differs: 1.2 in 3 images (1.2.1), 1.3 in 3 images (1.3.1)"
    ),
    (
      .geometry, "`severalModalities`",
      "Modality (0008,0060) differs: \"CT\" in 3 images (1.2.1), \"MR\" in 3 images (1.3.1)"
    ),
    (
      .geometry, "`severalLateralities`",
      "Laterality (0020,0060) differs: \"L\" in 3 images (1.2.1), \"R\" in 3 images (1.3.1)"
    ),
    (
      .geometry, "`severalRescaleTypes`",
      "Rescale Type (0028,1054) differs: \"HU\" in 3 images (1.2.1), \"US\" in 3 images (1.3.1)"
    ),
    (.geometry, "`severalImageSizes`", "Rows (0028,0010) differs: 512 in 1.2.1, 256 in 1.2.2"),
    (
      .geometry, "`severalPixelSpacings`",
      "Pixel Spacing (0028,0030) differs: 1\\1 in 1.2.1, 2\\2 in 1.2.2"
    ),
    (
      .geometry, "`severalOrientations`",
      "Image Orientation (Patient) (0020,0037) differs: 1\\0\\0\\0\\1\\0 in 1.2.1, 0\\1\\0\\0\\0\\1 in 1.2.2"
    ),
    (.geometry, "`severalVolumes`", "the series holds 2 volumes: 1: 9 slices; 2: 9 slices"),
    (
      .geometry, "`noFrameOfReference`",
      "Frame of Reference UID (0020,0052) is absent, so that nothing says that their positions belong together"
    ),
    (
      .geometry, "`duplicateInstance`",
      "SOP Instance UID (0008,0018) occurs more than once with pixels or a place that differ or cannot be compared: 1.2"
    ),
    (
      .geometry, "`duplicatePositions`",
      "each of 9 positions holds 2 images and no attribute tells the volumes apart: 1.2, 1.3"
    ),
    (.geometry, "`tooFewSlices`", "2 slices, at least 5 make a volume: 1.2, 1.3"),
    (
      .geometry, "`missingSlices`",
      "slices are missing at the usual step of 5 mm: 1 between 1.2 and 1.3, where the step is 10 mm (the first at 0\\0\\5)"
    ),
    (
      .geometry, "`unevenSpacing`",
      "steps between slices by Image Position (Patient) (0020,0032) run from 3 to 5 mm, median 5 mm: 3 mm between 1.2 and 1.3"
    ),
    (
      .geometry, "`slicesOffLine`",
      "Image Position (Patient) (0020,0032) of 1 slice is up to 9 mm off the line through first and last: 1.2"
    ),
    (
      .geometry, "`tilted`",
      "the slices are tilted by 50 degrees: each is shifted by 5 mm against the one before by Image Position (Patient) (0020,0032), 1.2 first"
    ),
    (
      .geometry, "`stackOfSeries`",
      "9 series that look like one stack, one for each slice, cannot be stacked: Rows (0028,0010) differs: 512 in 1.2, 256 in 1.3 (series 1.2, 1.3)"
    ),
    (.geometry, "`incomplete`", "the series has 9 instances where 10 are due: 1 is missing"),
    (
      .geometry, "`incompleteCorrection`",
      "only some images were received again with a corrected header, send the whole series again: Patient ID (0010,0020) differs: hash 1 in 3 images (1.2.1)"
    ),
    (
      .geometry, "`unreadable`",
      "/spool/a.dcm: frame 1: damaged (7FE0,0010) Pixel Data: unexpected end"
    ),
    (
      .model, "this is not a series",
      "this is not a series for the model liver: Series Description (0008,103E) is not wanted"
    ),
    (.model, "suspect", "suspect: the model found 200 ml of liver, 100 % of it in one part"),
    (
      .model, "the job never fits",
      "the job needs 90.00 GB of memory at its peak on top of the 1.00 GB in use, 91.00 GB in all; the machine allows 32.00 GB"
    ),
    (.cine, "the volumes are not phases", "the volumes of the series are not phases of one stack"),
    (
      .cluster, "a node has too little",
      "a node has too little memory for the job: the job needs 9.00 GB"
    ),
    (.cluster, "on node", "on node n1: the model cannot be used on this node: another checksum"),
    (
      .cluster, "Slurm ended the job for its memory",
      "Slurm ended the job for its memory, 64000 MiB, more than was asked for at first: raise slurm.memoryGB"
    ),
    (
      .cluster, "Slurm ended the job after",
      "Slurm ended the job after 120 minutes, more than was asked for at first: raise slurm.wallTimeMinutes"
    ),
    (.faults, "the model is not there", "there is no model \"liver\" (known: none)"),
    (
      .faults, "the result failed its proof",
      "proof failed: (0028,0010) Rows of frame 3: 512 wanted"
    ),
    (.faults, "failed three times", "failed 3 times, at last: something broke"),
    (.faults, "ended the process six times", "the process ended 6 times during this job"),
    (
      .deliveries, "refused with",
      "PACS at pacs:104 refused it with 0xA900: the dataset does not match"
    ),
    (
      .deliveries, "rejected",
      "no association with PACS at pacs:104 as SEGMENTD: rejected: the called AE title is not recognized"
    ),
    (.deliveries, "accepts none", "PACS at pacs:104: the peer accepts none of the SOP classes"),
    (
      .deliveries, "no C-FIND",
      "PACS at pacs:104 answered C-FIND with 0x0122; set verify: none for it and retry"
    ),
    (
      .deliveries, "refused to be asked",
      "PACS at pacs:104 refused to be asked for storage commitment, 0x0110"
    ),
    (.deliveries, "does not commit itself", "it does not commit itself to keep 1.2, 0x0119"),
    (
      .deliveries, "answered 404, 405 or 501",
      "https://pacs answered 404 to a query: it took the result, and without QIDO-RS there it cannot be verified that it keeps it"
    ),
    (
      .deliveries, "took an object",
      "it took an object 5 times and does not have it: pacs does not list 1.2"
    ),
    (
      .deliveries, "answered 401",
      "https://pacs answered 401: it does not admit us; correct user, passwordFile or tokenFile, or our rights there, and retry"
    ),
    (
      .deliveries, "answered 404, or redirects",
      "https://pacs answered 404: nothing takes instances there; correct url, and retry"
    ),
    (.deliveries, "answered 409", "https://pacs answered 415: it takes no application/dicom"),
    (
      .deliveries, "others can read",
      "/etc/segmentd/pacs: others can read or change it (mode 644); chmod 600 or 640"
    ),
    (
      .deliveries, "the configuration has no",
      "the configuration has no destination \"pacs\" any more"
    ),
    (
      .deliveries, "the file was changed",
      "/r/1/a.dcm: the file was changed since it was proved; segmentd ledger repair has the result made again"
    ),
  ]

  /// A text is known as its row, and by itself as no other.
  @Test func textsOfTheLedgerAreKnown() {
    for (part, name, text) in Self.texts {
      let found = HeldReason.reasons(in: text, ofDelivery: part == .deliveries)
      #expect(found.count == 1, "\(text)")
      #expect(found.first?.part == part && found.first?.name.hasPrefix(name) == true, "\(text)")
    }
    // What models refuse has texts of the code itself: DocumentationTests.
    let tested = Self.texts.map { "\($0.0) \($0.1)" }
    for part in HeldReason.Part.allCases {
      for reason in part.reasons
      where !([.model, .channels, .cine].contains(part) && reason.name.hasPrefix("`")) {
        #expect(tested.contains { "\(part) \(reason.name)".hasPrefix($0) }, "\(reason.name)")
      }
    }
  }

  /// One of something is told in the singular, and is known as well; so is what an earlier version told.
  @Test func oneOfSomethingIsKnown() {
    let texts = [
      "the query source lists more":
        "ARCHIVE lists 1 instance of the series, of which 1 is not here (1.2)",
      "files are lost": "1 of 5 files in the spool is not as received, send the series again: 1.2",
      "`incomplete`": "the series has 1 instance where 10 are due: 9 are missing",
      "`channelCount`": "1 image channel, the model takes 4",
      "`tooFewPhases`": "1 cardiac phase by Trigger Time (0018,1060): end-diastole and end-systole",
      "an instance was refused": "1 more instance was refused",
      "failed three times": "failed 1 time, at last: something broke",
      "ended the process six times": "the process ended 1 time during this job",
    ]
    for (name, text) in texts {
      let found = HeldReason.reasons(in: text).map(\.name)
      #expect(found.count == 1 && found[0].hasPrefix(name), "\(text): \(found)")
    }
    let earlier =
      "2 of 5 files in the spool are not as they were received, send the series again: 1.2"
    #expect(HeldReason.reasons(in: earlier).map(\.name).first?.hasPrefix("files are lost") == true)
    let given = HeldReason.reasons(
      in: "it took an object 1 time and does not have it: it lost 1.2", ofDelivery: true)
    #expect(given.count == 1)
  }

  /// The gravest comes first, and what was repaired is none.
  @Test func aTextMayGiveSeveralReasons() {
    let text =
      "Rows (0028,0010) differs: 512 in 1.2, 256 in 1.3; the slices are tilted by 9 degrees: each is "
      + "shifted by 1 mm; resampled to upright planes for the network; the series holds 2 volumes: 1: a; 2: b"
    #expect(HeldReason.reasons(in: text).map(\.name) == ["`severalImageSizes`"])
    let failed = HeldReason.reasons(in: "failed 3 times, at last: proof failed: 2 voxels differ")
    #expect(
      failed.map(\.name) == ["failed three times", "the result failed its proof"])
    #expect(HeldReason.reasons(in: "something else") == [])
  }

  @Test func textsOfTheGuideBecomePlain() {
    #expect(
      HeldReason.plain("`jobs retry`, see <doc:Results#A-b> or <doc:Rules>.")
        == "jobs retry, see guide Results or guide Rules.")
    #expect(HeldReason.plain("nothing") == "nothing")
  }

  /// After a change: the tables of the pages are `HeldReason.Part.markdown`.
  @Test func theGuideHasTheTablesOfTheCode() throws {
    func page(_ name: String) throws -> String {
      try TextFile.read(
        TestFiles.package.appendingPathComponent("Sources/segmentd/Documentation.docc/\(name).md")
          .path)
    }
    let guide = try page("HeldReasons")
    let operation = try page("Operation")
    for part in HeldReason.Part.allCases {
      let text = part == .deliveries ? operation : guide
      #expect(text.contains("\n\n\(part.markdown)\n\n"), "\(part.markdown)")
    }
    let tables = guide.components(separatedBy: "\n|---").count - 1
    #expect(tables == HeldReason.Part.allCases.count - 1)
  }
}
