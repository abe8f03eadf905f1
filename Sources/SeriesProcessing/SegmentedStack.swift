import Volumes

/// What the model found in one volume.
struct SegmentedStack {
  /// On the source images.
  var labels: LabelVolume
  /// On the source images; nil where nobody wants them.
  var probabilities: ProbabilityVolume?
  var predictedMemory: Int
  /// Of the memory that it was made in, for as long as there is something of it.
  var reservation: MemoryReservation?
  var warnings: [String]
  /// How the labels were made, where a reader should know.
  var notes: [String]
}
