import Volumes

/// What the model found in one volume.
struct SegmentedStack {
  /// On the source images.
  var labels: LabelVolume
  var predictedMemory: Int
  var warnings: [String]
  /// How the labels were made, where a reader should know.
  var notes: [String]
}
