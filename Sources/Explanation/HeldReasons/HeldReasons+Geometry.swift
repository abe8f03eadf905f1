// What the geometry gate holds.
extension HeldReason {
  static let geometry = rows(
    .geometry,
    [
      Row(
        "`noImages`",
        meaning: "the series has no image of a kind that can be segmented",
        signs: ["the series has no images"],
        advice: "send the images themselves, not results or pages"),
      Row(
        "`blankUID`",
        meaning: "a mandatory UID is missing or invalid",
        signs: ["is (blank):", "is (not a UID):"],
        advice: "have the sending system corrected"),
      Row(
        "`notMeasured`",
        meaning: "the series has only localizers, projections, reformats or computed maps",
        signs: [
          "is not a measured image", "is not an image:", "is not a plain slice",
          "is not an original image", "a mosaic whose header", "is a protocol page",
        ],
        advice:
          "send the acquired series; or set `geometry.acceptDerivedImages: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`pixelFormat`",
        meaning: "a pixel format that measured images do not have, such as colour",
        signs: [
          "Rows (0028,0010) …, Columns (0028,0011)", "Samples per Pixel (0028,0002) is",
          "Photometric Interpretation (0028,0004)", "Bits Allocated (0028,0100) is",
          "do not fit Bits Allocated", "Rescale Slope (0028,1053) is not a number",
          "Rescale Intercept (0028,1052) is not a number",
        ],
        advice: "send the acquired series"),
      Row(
        "`notHounsfieldUnits`",
        meaning: "a CT whose values cannot be Hounsfield units",
        signs: ["these are no Hounsfield units", "of a CT image is not HU"],
        advice: "have Rescale Slope and Intercept corrected at the source"),
      Row(
        "`missingGeometry`",
        meaning: "an attribute of position, orientation or spacing is absent",
        signs: ["is absent or holds no number"],
        advice: "send the original series, not a copy from which it was removed"),
      Row(
        "`invalidGeometry`",
        meaning: "such an attribute has an impossible value",
        signs: [
          "usable numbers", "is not positive", "is not two perpendicular unit vectors",
          "gives no normal",
        ],
        advice: "send the original series, not a copy in which it was changed"),
      Row(
        "`severalSeries`",
        meaning: "instances of several series where one series is expected",
        signs: [
          "Study Instance UID (0020,000D) differs", "Series Instance UID (0020,000E) differs",
          "Accession Number (0008,0050) differs", "Study ID (0020,0010) differs",
          "Study Date (0008,0020) differs",
        ],
        advice: "send them under their own UIDs"),
      Row(
        "`severalPatients`",
        meaning: "parts of the series name different patients or studies",
        signs: [
          "Patient ID (0010,0020) differs", "Patient's Name (0010,0010) differs",
          "Patient's Birth Date (0010,0030) differs", "Patient's Sex (0010,0040) differs",
          "Issuer of Patient ID (0010,0021) differs", "Patient ID (0010,0020) is not that of",
        ],
        advice: "send the whole series again with one identity; see <doc:Operation#Corrections>"),
      Row(
        "`severalFramesOfReference`",
        meaning: "the parts do not share a coordinate system",
        signs: ["Frame of Reference UID (0020,0052) differs"],
        advice:
          "if each part is a volume of its own, set `geometry.splitFramesOfReference: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalModalities`",
        meaning: "images of several modalities in one series",
        signs: ["Modality (0008,0060) differs"],
        advice: "send them as separate series"),
      Row(
        "`severalLateralities`",
        meaning: "left and right in one series",
        signs: ["Laterality (0020,0060) differs"],
        advice: "send them as separate series"),
      Row(
        "`severalRescaleTypes`",
        meaning: "values in several units",
        signs: ["Rescale Type (0028,1054) differs"],
        advice: "have the source corrected"),
      Row(
        "`severalImageSizes`",
        meaning: "rows or columns differ",
        signs: ["Rows (0028,0010) differs", "Columns (0028,0011) differs"],
        advice:
          "if the odd images may be left out, set `geometry.excludeMismatchedImages: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalPixelSpacings`",
        meaning: "pixel spacing differs",
        signs: ["Pixel Spacing (0028,0030) differs"],
        advice:
          "if the odd images may be left out, set `geometry.excludeMismatchedImages: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalOrientations`",
        meaning: "the planes are not parallel, and no group of parallel ones is large enough",
        signs: ["Image Orientation (Patient) (0020,0037) differs"],
        advice: "send each orientation as a series of its own"),
      Row(
        "`severalVolumes`",
        meaning:
          "the series contains several volumes, such as echoes, phases or b-values, and the model takes one",
        signs: ["the series holds … volumes:"],
        advice: "`segmentd jobs release --job NUMBER --volume N`, or set `volume:` in the rule"),
      Row(
        "`noFrameOfReference`",
        meaning: "the series of a stack have no frame of reference",
        signs: ["is absent, so that nothing says that their positions"],
        advice: "send the stack as one series"),
      Row(
        "`duplicateInstance`",
        meaning: "one SOP Instance UID with different pixels or positions",
        signs: ["more than once with pixels or a place that"],
        advice: "find out which is right, and send the whole series under new UIDs"),
      Row(
        "`duplicatePositions`",
        meaning:
          "several images with different pixels at the same position, and no attribute tells them apart",
        signs: [
          "nothing tells volumes apart", "no attribute tells the volumes apart",
          "nothing tells the stacks apart",
        ],
        advice:
          "have the source write echo, phase or b-value, or send each volume as a series of its own"
      ),
      Row(
        "`tooFewSlices`",
        meaning: "fewer slices than `geometry.minimumSlices`",
        signs: ["make a volume", "images of which no two share frame of reference"],
        advice: "send the whole series"),
      Row(
        "`missingSlices`",
        meaning: "a gap between slices",
        signs: [
          "slices are missing at the usual step", "the number of phases differs",
          "without an image where volumes measured with it",
        ],
        advice:
          "send what is missing; or set `geometry.fillGapsUpTo`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`unevenSpacing`",
        meaning: "the distances between slices differ",
        signs: ["steps between slices by Image Position"],
        advice:
          "if resampling is acceptable, set `geometry.resampleUnevenSpacing: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`slicesOffLine`",
        meaning: "slices are shifted against each other",
        signs: ["off the line through first and last"],
        advice: "nothing can be done here: the volume would be sheared by an unknown amount"),
      Row(
        "`tilted`",
        meaning: "the gantry was tilted by more than 45°, or `resampleTilt` is off",
        signs: ["the slices are tilted by"],
        advice: "set `geometry.resampleTilt: true`, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "`stackOfSeries`",
        meaning: "series that look like one stack do not fit together",
        signs: ["they are no longer the slices of one stack", "series that look like one stack"],
        advice: "the reason says what differs: send the slice that is missing, or the right one"),
      Row(
        "`incomplete`",
        meaning: "fewer or more instances than expected",
        signs: ["the series has … where … due: "],
        advice: "send the rest"),
      Row(
        "`incompleteCorrection`",
        meaning: "only part of the series was sent again with a corrected identity",
        signs: ["only some images were received again with a corrected header"],
        advice: "send the whole series again"),
      Row(
        "`unreadable`",
        meaning: "a file cannot be read, or its pixels cannot be decoded",
        signs: [
          "cannot be read:", "not a DICOM file", "ends within (", "malformed at (",
          "sequences nested more than", "too large:", "transfer syntax … is not supported",
          "is not a CT, MR or PET image", "is missing or empty", "has the invalid value",
          "pixels not supported:", ": damaged (7FE0", "is …, but ",
        ],
        advice: "send it again; if that fails too, the sending system writes it incorrectly"),
    ])
}
