import Wording

/// What nnU-Net's plans say of the preprocessing that a network was trained with: `plans.pkl` or a
/// checkpoint's `.model.pkl` of version 1, `plans.json` of version 2.
///
/// Of version 1 the last stage is read, which is the full resolution; of version 2 one configuration.
/// All triples are in the order of the transposed array (`transposeForward`), as the plans have them.
public struct TrainingPlans: Sendable, Equatable {
  /// Of the training set's foreground, for one channel.
  public struct Intensities: Sendable, Equatable {
    public var lower: Double
    public var upper: Double
    public var mean: Double
    public var sd: Double
  }

  public struct Channel: Sendable, Equatable {
    /// Such as `CT` or `nonCT`.
    public var scheme: String
    /// Whether statistics are taken inside the nonzero mask and the outside is set to 0.
    public var usesMask: Bool
    public var intensities: Intensities?
  }

  public var channels: [Channel]
  /// mm.
  public var spacing: [Double]
  public var patch: [Int]
  public var transposeForward: [Int]
  /// Without the background; nil in version 2, whose `dataset.json` says it.
  public var classes: Int?
  public var preprocessor: String
  /// Settings of the resampling back that differ from the usual ones; nil where the plans leave
  /// them.
  public var exportSettings: String?
}

/// Why plans cannot be read.
public enum TrainingPlansError: Error, Equatable, Sendable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case pickle(PickleError)
  /// A replacement of text in the pickle changed its strings but not their lengths.
  case textReplaced(path: String, count: Int)
  case missing(path: String, key: String)
  case invalid(path: String, key: String, reason: String)
  case notPlans(path: String, reason: String)
  case configuration(path: String, wanted: String, known: [String])

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .pickle(let error): error.description
    case .textReplaced(let path, let count):
      "\(path): is damaged: somebody replaced the text nnUNet by nnFormer, \(counted(count, "time")), but "
        + "not the lengths before it. This restores it: LC_ALL=C sed s/nnFormer/nnUNet/g"
    case .missing(let path, let key): "\(path): the plans have no \(key)"
    case .invalid(let path, let key, let reason): "\(path): the plans' \(key) \(reason)"
    case .notPlans(let path, let reason): "\(path): is not nnU-Net's plans.json: \(reason)"
    case .configuration(let path, let wanted, let known):
      "\(path): there is no three-dimensional configuration \(wanted) in the plans; choose one by "
        + "--configuration: \(known.joined(separator: ", "))"
    }
  }
}

extension TrainingPlans {
  /// - Parameters:
  ///   - path: a plans.pkl, or a plans.json of version 2.
  ///   - configuration: of plans of version 2.
  public init(
    path: String, configuration: String = "3d_fullres"
  ) throws(TrainingPlansError) {
    let bytes: [UInt8]
    do throws(MappedFile.Failure) {
      let mapping = try MappedFile(path: path)
      guard mapping.bytes.count <= PickleReader.byteLimit else {
        throw MappedFile.Failure(reason: "it has \(counted(mapping.bytes.count, "byte"))")
      }
      bytes = mapping.copy()
    } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    // A pickle of protocol 2 and later begins with 0x80, JSON with a brace or space.
    if bytes.first != 0x80 {
      try self.init(json: bytes, configuration: configuration, path: path)
    } else {
      try self.init(pickle: bytes, path: path)
    }
  }

  init(pickle bytes: [UInt8], path: String) throws(TrainingPlansError) {
    let document: PickleDocument
    do throws(PickleError) {
      document = try PickleReader.document(bytes, file: path)
    } catch {
      let count = Self.replacements(bytes, path: path)
      throw count > 0 ? .textReplaced(path: path, count: count) : .pickle(error)
    }
    var root = document.root
    // A .model.pkl holds the plans and the trainer's name.
    if let plans = document.value("plans", in: root) { root = plans }
    let values = NumPyValues(document: document, bytes: bytes)
    try self.init(PlansNode(values: values, path: path, key: "", index: root))
  }

  /// How often the text was replaced, where undoing it makes a sound pickle; else 0.
  private static func replacements(_ bytes: [UInt8], path: String) -> Int {
    let (new, old) = (Array("nnFormer".utf8), Array("nnUNet".utf8))
    var restored: [UInt8] = []
    restored.reserveCapacity(bytes.count)
    var count = 0
    var index = 0
    while index < bytes.count {
      if bytes[index] == new[0], bytes[index...].starts(with: new) {
        restored += old
        index += new.count
        count += 1
      } else {
        restored.append(bytes[index])
        index += 1
      }
    }
    guard count > 0, (try? PickleReader.document(restored, file: path)) != nil else { return 0 }
    return count
  }

  private init(_ root: PlansNode) throws(TrainingPlansError) {
    let stage = try root["plans_per_stage"].last()
    spacing = try stage["current_spacing"].numbers(3)
    guard spacing.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw try stage["current_spacing"].invalid("is \(spacing)")
    }
    patch = try stage["patch_size"].integers(3)
    let transpose = try root["transpose_forward"]
    transposeForward = try transpose.integers(3)
    guard transposeForward.sorted() == [0, 1, 2] else {
      throw transpose.invalid("is \(transposeForward)")
    }
    classes = try root["num_classes"].integer(in: 1...1024)
    preprocessor = root.optional("preprocessor_name").flatMap(\.text) ?? "GenericPreprocessor"
    exportSettings = Self.exportSettings(root)
    let count = try root["num_modalities"].integer(in: 1...64)
    let (schemes, masks) = (try root["normalization_schemes"], try root["use_mask_for_norm"])
    let properties = try root["dataset_properties"].optional("intensityproperties")
    channels = []
    for index in 0..<count {
      let scheme = try schemes.item(index)
      guard let name = scheme.text else { throw scheme.invalid("is not text") }
      let mask = try masks.item(index)
      guard let usesMask = mask.flag else { throw mask.invalid("is neither true nor false") }
      var channel = Channel(scheme: name, usesMask: usesMask)
      if let node = properties, !node.isNone {
        channel.intensities = try Intensities(node.item(index))
      }
      channels.append(channel)
    }
  }

  private static func exportSettings(_ root: PlansNode) -> String? {
    guard let node = root.optional("segmentation_export_params"), !node.isNone else { return nil }
    let order = node.optional("interpolation_order")?.number
    let orderZ = node.optional("interpolation_order_z")?.number
    let isForced = node.optional("force_separate_z").map { !$0.isNone } ?? false
    if order == 1, orderZ == 0, !isForced { return nil }
    return "order \(order.map { "\($0)" } ?? "?"), order along z \(orderZ.map { "\($0)" } ?? "?")"
      + (isForced ? ", separate z forced" : "")
  }
}

extension TrainingPlans.Intensities {
  fileprivate init(_ node: PlansNode) throws(TrainingPlansError) {
    lower = try node["percentile_00_5"].finite()
    upper = try node["percentile_99_5"].finite()
    mean = try node["mean"].finite()
    sd = try node["sd"].finite()
    guard lower < upper, sd > 0 else {
      throw node.invalid("are clipped to \(lower)...\(upper), standard deviation \(sd)")
    }
  }
}

/// A place in the plans.
private struct PlansNode {
  let values: NumPyValues
  let path: String
  let key: String
  let index: PickleDocument.Index

  private var document: PickleDocument { values.document }

  private func child(_ name: String, _ index: PickleDocument.Index) -> PlansNode {
    PlansNode(
      values: values, path: path, key: key.isEmpty ? name : "\(key).\(name)", index: index)
  }

  func optional(_ name: String) -> PlansNode? {
    document.value(name, in: index).map { child(name, $0) }
  }

  subscript(name: String) -> PlansNode {
    get throws(TrainingPlansError) {
      guard let node = optional(name) else {
        throw .missing(path: path, key: key.isEmpty ? name : "\(key).\(name)")
      }
      return node
    }
  }

  func item(_ number: Int) throws(TrainingPlansError) -> PlansNode {
    guard let value = document.value(number, in: index) else {
      throw .missing(path: path, key: "\(key).\(number)")
    }
    return child("\(number)", value)
  }

  /// The item of the largest number.
  func last() throws(TrainingPlansError) -> PlansNode {
    let numbers = (document.dictionary(index) ?? []).compactMap { document.integer($0.key) }
    guard let last = numbers.max() else { throw invalid("has no stage") }
    return try item(last)
  }

  func invalid(_ reason: String) -> TrainingPlansError {
    .invalid(path: path, key: key, reason: reason)
  }

  var isNone: Bool { if case .none = document[index] { true } else { false } }
  var text: String? { document.string(index) }
  var flag: Bool? { values.flag(index) }
  var number: Double? { values.number(index) }

  func finite() throws(TrainingPlansError) -> Double {
    guard let value = number, value.isFinite else { throw invalid("is not a number") }
    return value
  }

  func numbers(_ count: Int) throws(TrainingPlansError) -> [Double] {
    guard let numbers = values.numbers(index), numbers.count == count else {
      throw invalid("is not \(count) numbers")
    }
    return numbers
  }

  func integers(_ count: Int) throws(TrainingPlansError) -> [Int] {
    var integers: [Int] = []
    for number in try numbers(count) {
      guard let integer = Int(exactly: number), (0...4096).contains(integer) else {
        throw invalid("holds \(number)")
      }
      integers.append(integer)
    }
    return integers
  }

  func integer(in range: ClosedRange<Int>) throws(TrainingPlansError) -> Int {
    guard let number, let integer = Int(exactly: number), range.contains(integer) else {
      throw invalid("is not from \(range.lowerBound) to \(range.upperBound)")
    }
    return integer
  }
}
