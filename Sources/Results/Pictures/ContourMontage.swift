import DICOM
import Terminology
import Volumes

/// A picture for a person's first look: slices of a volume with the contours of its segments.
///
/// It is drawn like the secondary captures, by Cairo: cut to what was found, turned the way people look at it,
/// in the patient's proportions, with thin contours just outside the structures. Each label is in at least
/// one of the slices. The names of the segments are in it, and nothing of the patient.
public enum ContourMontage {
  /// Most slices shown, unless more are needed to show each label.
  public static let maximumTiles = 12
  /// Most slices shown of each of several volumes, likewise.
  public static let maximumColumns = 6

  /// Writes up to twelve slices, evenly chosen among those with labels, in rows of four.
  ///
  /// - Parameters:
  ///   - labels: on the images of the stack.
  ///   - stack: the source images, of which the slices that are shown are read.
  ///   - segments: what each label means, with its colour.
  ///   - remarks: what is unusual about the result.
  ///   - path: the PNG; written under a temporary name and renamed, mode 0600.
  /// - Throws: ``SegmentationError``.
  public static func write(
    _ labels: LabelVolume, of stack: SliceStack, segments: [SegmentDescription],
    remarks: [String] = [], to path: String
  ) throws(SegmentationError) {
    try write(montage(labels, of: stack, segments: segments, remarks: remarks), to: path)
  }

  /// As above for images that are not DICOM, turned by their directions like these.
  ///
  /// - Parameters:
  ///   - volume: the images, order z, y, x.
  ///   - labels: on the grid of the volume, order z, y, x.
  ///   - segments: what each label means, with its colour.
  ///   - remarks: what is unusual about the result.
  ///   - path: the PNG, as above.
  /// - Throws: ``SegmentationError``.
  public static func write(
    _ volume: Volume, labels: LabelVolume, segments: [SegmentDescription],
    remarks: [String] = [], to path: String
  ) throws(SegmentationError) {
    try write(montage(volume, labels: labels, segments: segments, remarks: remarks), to: path)
  }

  /// Writes one row of slices for each of some volumes, as of the phases of a heartbeat: the same slices of
  /// each, all in one window.
  ///
  /// - Parameters:
  ///   - phases: labels on the images of their stacks, all of one shape.
  ///   - names: of the phases, each above its row; none, or as many as phases.
  ///   - segments: what each label means, with its colour.
  ///   - remarks: what is unusual about the result.
  ///   - path: the PNG, as above.
  /// - Throws: ``SegmentationError``.
  public static func write(
    phases: [(labels: LabelVolume, stack: SliceStack)], names: [String] = [],
    segments: [SegmentDescription], remarks: [String] = [], to path: String
  ) throws(SegmentationError) {
    try write(
      montage(phases: phases, names: names, segments: segments, remarks: remarks), to: path)
  }

  private static func write(_ montage: Montage, to path: String) throws(SegmentationError) {
    do { try montage.draw().write(to: path) } catch { throw .dicom(error) }
  }

  static func montage(
    _ labels: LabelVolume, of stack: SliceStack, segments: [SegmentDescription],
    remarks: [String] = []
  ) throws(SegmentationError) -> Montage {
    try check(labels, of: stack)
    let chosen = ChosenSlices([labels]).showingEachLabel(atMost: maximumTiles)
    do {
      let shown = try ShownSlices(chosen, labels, of: stack)
      return Montage(
        [shown], across: min(4, chosen.count), window: try GrayWindow(for: stack, shown),
        segments: segments, remarks: remarks)
    } catch { throw .dicom(error) }
  }

  static func montage(
    _ volume: Volume, labels: LabelVolume, segments: [SegmentDescription], remarks: [String] = []
  ) throws(SegmentationError) -> Montage {
    guard volume.grid == labels.grid, volume.storage.count == labels.labels.count,
      volume.storage.count == volume.grid.voxelCount, volume.storage.count > 0
    else { throw .gridsDiffer(reason: "the volume and its labels do not match") }
    let chosen = ChosenSlices([labels]).showingEachLabel(atMost: maximumTiles)
    let shown = ShownSlices(chosen, volume, labels)
    let range = GrayWindow.range(of: shown.volume, shown.labels)
    return Montage(
      [shown], across: min(4, chosen.count),
      window: GrayWindow(low: range.lowerBound, high: range.upperBound, isInverted: false),
      segments: segments, remarks: remarks)
  }

  static func montage(
    phases: [(labels: LabelVolume, stack: SliceStack)], names: [String] = [],
    segments: [SegmentDescription], remarks: [String] = []
  ) throws(SegmentationError) -> Montage {
    guard let first = phases.first,
      phases.allSatisfy({ $0.labels.grid.shape == first.labels.grid.shape })
    else { throw .gridsDiffer(reason: "the volumes and their labels do not match") }
    for phase in phases { try check(phase.labels, of: phase.stack) }
    let chosen = ChosenSlices(phases.map(\.labels)).showingEachLabel(atMost: maximumColumns)
    var (volumes, windows): ([ShownSlices], [GrayWindow]) = ([], [])
    do {
      for phase in phases {
        let shown = try ShownSlices(chosen, phase.labels, of: phase.stack)
        volumes.append(shown)
        windows.append(try GrayWindow(for: phase.stack, shown))
      }
    } catch { throw .dicom(error) }
    let window = GrayWindow(
      low: windows.map(\.low).min() ?? 0, high: windows.map(\.high).max() ?? 1,
      isInverted: windows.allSatisfy(\.isInverted))
    return Montage(
      volumes, across: chosen.count, window: window, segments: segments, remarks: remarks,
      names: names)
  }

  private static func check(
    _ labels: LabelVolume, of stack: SliceStack
  ) throws(SegmentationError) {
    guard labels.grid == stack.sourceGrid, labels.labels.count == labels.grid.voxelCount,
      stack.frames.count == labels.grid.slices, !labels.labels.isEmpty
    else { throw .gridsDiffer(reason: "the images and their labels do not match") }
  }
}
