import Volumes

/// An attribute by which images at one position may differ.
struct Splitter: Sendable {
  var name: String
  var value: @Sendable (ImageFrame) -> String
  /// The day of a time, so that a scan may run over midnight.
  var day: @Sendable (ImageFrame) -> String = { _ in "" }
  /// Whether images of each value were measured at every position, so that a position without one
  /// is a slice lost.
  var coversEveryPosition = false
  /// Whether the values are points of a cycle, which may be of another length at each position.
  var isCyclic = false

  init(_ name: String, text: @escaping @Sendable (ImageFrame) -> String?) {
    self.name = name
    value = { text($0) ?? "" }
  }

  /// A time, with the date that it belongs to.
  init(
    _ name: String, time: @escaping @Sendable (ImageFrame) -> String?,
    date: @escaping @Sendable (ImageFrame) -> String?
  ) {
    self.init(name, text: time)
    day = { date($0) ?? "" }
  }

  init(_ name: String, number: @escaping @Sendable (ImageFrame) -> Double?) {
    self.name = name
    value = { number($0).map { formatted($0) } ?? "" }
  }

  init(_ name: String, integer: @escaping @Sendable (ImageFrame) -> Int?) {
    self.name = name
    value = { integer($0).map { "\($0)" } ?? "" }
  }

  /// What a volume is told by, the most telling first, by PS3.6 keyword where there is one.
  static let values = [
    Splitter("ImageType", text: { $0.imageType.joined(separator: "\\") }),
    Splitter("ComplexImageComponent", text: { $0.complexComponent }).covering,
    Splitter("StackID", text: { $0.stackID }),
    Splitter("TemporalPositionIdentifier", integer: { $0.temporalPosition }).covering,
    Splitter("FrameReferenceTime", number: { $0.frameReferenceTime }).covering,
    Splitter("DiffusionBValue", number: { $0.bValue }).covering,
    Splitter("DiffusionDirectionality", text: { $0.diffusionDirectionality }).covering,
    Splitter("DiffusionGradientOrientation", text: { numbers($0.gradientDirection) }).covering,
    Splitter("EchoTime", number: { $0.echoTime }).covering,
    Splitter("EchoNumbers", integer: { $0.echoNumber }).covering,
    Splitter("InversionTime", number: { $0.inversionTime }).covering,
    Splitter("CardiacPhase", number: { $0.cardiacPhase }).covering,
    percentage.covering,
    triggerTime.covering,
    Splitter("ConvolutionKernel", text: { $0.convolutionKernel }),
    Splitter("ScanOptions", text: { $0.scanOptions.joined(separator: "\\") }),
    Splitter("KVP", number: { $0.tubeVoltage }),
    Splitter("ContrastBolus", text: { $0.contrast }),
    Splitter("RescaleType", text: { $0.rescaleType }),
    Splitter("AcquisitionNumber", integer: { $0.acquisitionNumber }),
    acquisitionTime,
  ]

  private static let percentage = Splitter(
    "NominalPercentageOfCardiacPhase", number: { $0.nominalPercentageOfCardiacPhase })

  private static let triggerTime = Splitter("TriggerTime", number: { $0.triggerTime })

  private static let acquisitionTime = Splitter(
    "AcquisitionTime", time: { $0.acquisitionTime }, date: { $0.acquisitionDate })

  private var covering: Splitter {
    var splitter = self
    splitter.coversEveryPosition = true
    return splitter
  }

  private var cyclic: Splitter {
    var splitter = self
    splitter.isCyclic = true
    return splitter
  }

  /// Attributes that may count the volumes without being equal within one, such as the time at which
  /// each slice was measured.
  static let ranks = [
    triggerTime.cyclic,
    percentage.cyclic,
    acquisitionTime,
    Splitter("ContentTime", time: { $0.contentTime }, date: { $0.contentDate }),
  ]

  static let instanceNumber = Splitter("InstanceNumber", integer: { $0.instanceNumber })

  /// The splitters of the dimensions that these frames name (PS3.3 C.7.6.17).
  static func dimensions(of frames: [ImageFrame]) -> [Splitter] {
    Set(frames.flatMap(\.dimensions.keys)).sorted().map { name in
      Splitter(name, integer: { $0.dimensions[name] })
    }
  }
}
