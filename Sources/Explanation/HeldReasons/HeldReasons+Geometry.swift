// What the geometry gate holds.
extension HeldReason {
  static let geometry = rows(
    .geometry,
    [
      Row(
        "`noImages`",
        meaning: "no image of a kind that is segmented",
        signs: ["the series has no images"],
        advice: "send the images themselves, not results or pages"),
      Row(
        "`blankUID`",
        meaning: "an instance has no UID where one is demanded",
        signs: ["is (blank):", "is (not a UID):"],
        advice: "have the sender corrected"),
      Row(
        "`notMeasured`",
        meaning: "localizers, projections, reformats or computed maps alone",
        signs: [
          "is not a measured image", "is not an image:", "is not a plain slice",
          "is not an original image", "a mosaic whose header", "is a protocol page",
        ],
        advice:
          "send the acquired series; or set `geometry.acceptDerivedImages: true`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`pixelFormat`",
        meaning: "pixels in a form that is no measured image, as colour",
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
        advice: "send the original series, not one from which it was removed"),
      Row(
        "`invalidGeometry`",
        meaning: "such an attribute holds what it cannot",
        signs: [
          "usable numbers", "is not positive", "is not two perpendicular unit vectors",
          "gives no normal",
        ],
        advice: "send the original series, not one in which it was changed"),
      Row(
        "`severalSeries`",
        meaning: "instances of several series where one is expected",
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
        meaning: "parts that share no coordinate system",
        signs: ["Frame of Reference UID (0020,0052) differs"],
        advice:
          "set `geometry.splitFramesOfReference: true`, where each is a volume, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalModalities`",
        meaning: "images of several modalities in one series",
        signs: ["Modality (0008,0060) differs"],
        advice: "send them as series of their own"),
      Row(
        "`severalLateralities`",
        meaning: "left and right in one series",
        signs: ["Laterality (0020,0060) differs"],
        advice: "send them as series of their own"),
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
          "set `geometry.excludeMismatchedImages: true`, where the odd ones may go, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalPixelSpacings`",
        meaning: "pixel spacing differs",
        signs: ["Pixel Spacing (0028,0030) differs"],
        advice:
          "set `geometry.excludeMismatchedImages: true`, where the odd ones may go, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`severalOrientations`",
        meaning: "planes that are not parallel, with no part large enough",
        signs: ["Image Orientation (Patient) (0020,0037) differs"],
        advice: "send one orientation as one series"),
      Row(
        "`severalVolumes`",
        meaning:
          "the series splits into several volumes, as by echo, phase or b-value, and the model takes one",
        signs: ["the series holds … volumes:"],
        advice: "`segmentd jobs release --job NUMBER --volume N`, or `volume:` in the rule"),
      Row(
        "`noFrameOfReference`",
        meaning: "series of a stack without a frame of reference",
        signs: ["is absent, so that nothing says that their positions"],
        advice: "send the stack as one series"),
      Row(
        "`duplicateInstance`",
        meaning: "one SOP Instance UID with different pixels or places",
        signs: ["more than once with pixels or a place that"],
        advice: "find out which is right, and send the whole series under new UIDs"),
      Row(
        "`duplicatePositions`",
        meaning:
          "several images at one position with different pixels, and nothing tells them apart",
        signs: [
          "nothing tells volumes apart", "no attribute tells the volumes apart",
          "nothing tells the stacks apart",
        ],
        advice: "have the source state echo, phase or b-value, or send one volume as a series"),
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
        meaning: "steps between slices differ",
        signs: ["steps between slices by Image Position"],
        advice:
          "set `geometry.resampleUnevenSpacing: true`, where that is acceptable, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`slicesOffLine`",
        meaning: "slices are shifted against each other",
        signs: ["off the line through first and last"],
        advice: "nothing here: the volume would be sheared in an unknown way"),
      Row(
        "`tilted`",
        meaning: "the gantry was tilted by more than 45°, or `resampleTilt` is off",
        signs: ["the slices are tilted by"],
        advice: "set `geometry.resampleTilt: true`, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "`stackOfSeries`",
        meaning: "series that look like one stack do not fit each other",
        signs: ["they are no longer the slices of one stack", "series that look like one stack"],
        advice: "the reason says what differs: send the missing or right slice"),
      Row(
        "`incomplete`",
        meaning: "another number of instances than expected",
        signs: ["instances where … are due"],
        advice: "send the rest"),
      Row(
        "`incompleteCorrection`",
        meaning: "only a part came again with another identity",
        signs: ["only some images were received again with a corrected header"],
        advice: "send the whole series again"),
      Row(
        "`unreadable`",
        meaning: "a file cannot be read or its pixels not be decoded",
        signs: [
          "cannot be read:", "not a DICOM file", "ends within (", "malformed at (",
          "sequences nested more than", "too large:", "transfer syntax … is not supported",
          "is not a CT, MR or PET image", "is missing or empty", "has the invalid value",
          "pixels not supported:", ": damaged (7FE0", "is …, but ",
        ],
        advice: "send it again; where the same happens, the sender writes it wrongly"),
    ])
}
