import Synchronization
import Volumes

/// Something about an input or a result that the model's training volumes do not show: the result
/// is given, and a person should look at it.
public enum ModelWarning: Sendable, Equatable, CustomStringConvertible {
  case intensity(statistic: IntensityStatistic, found: Double, usual: [Double])
  case notFound(name: String)
  case volume(name: String, millilitres: Double, usual: [Double])
  case scattered(name: String, largestPart: Double, usual: Double)
  case manyParts(name: String, found: Int, usual: Int)
  case ragged(name: String, compactness: Double, usual: Double)
  case misplaced(name: String, due: String, other: String)
  case notEnclosed(name: String, by: String, part: Double, usual: Double)
  case dissimilar(name: String, other: String, ratio: Double, usual: Double)
  case ejectionFraction(cavity: String, found: Double, usual: [Double])

  public var description: String {
    switch self {
    case .intensity(let statistic, let found, let usual):
      "the image's \(statistic.rawValue) is \(rounded(found)), in training "
        + "\(rounded(usual[0])) to \(rounded(usual[1])): look at the result with care"
    case .notFound(let name): "\(name) was not found"
    case .volume(let name, let millilitres, let usual):
      "\(name) has \(rounded(millilitres)) ml, usual are \(rounded(usual[0])) to "
        + "\(rounded(usual[1])): look at the result with care"
    case .scattered(let name, let part, let usual):
      "the largest connected part of \(name) has \(rounded(100 * part)) % of its voxels, usual "
        + "are at least \(rounded(100 * usual)) %: look at the result with care"
    case .manyParts(let name, let found, let usual):
      "\(name) is in \(found) parts, usual are at most \(usual): look at the result with care"
    case .ragged(let name, let compactness, let usual):
      "the compactness of \(name) is \(rounded(compactness)), usual are at least \(rounded(usual)): look at "
        + "the result with care"
    case .misplaced(let name, let due, let other):
      "\(name) is not \(due) \(other): look at the result with care"
    case .notEnclosed(let name, let other, let part, let usual):
      "\(other) is next to \(name) in \(rounded(100 * part)) % of its border, usual are at least "
        + "\(rounded(100 * usual)) %: look at the result with care"
    case .dissimilar(let name, let other, let ratio, let usual):
      "the volumes of \(name) and \(other) are as \(rounded(ratio)) to 1, usual are at most "
        + "\(rounded(usual)) to 1: look at the result with care"
    case .ejectionFraction(let cavity, let found, let usual):
      "the ejection fraction of \(cavity) is \(rounded(100 * found)) %, in training "
        + "\(rounded(100 * usual[0])) to \(rounded(100 * usual[1])) %: look at the result with care"
    }
  }
}

/// Gathers what is unusual, and what else is to be said of the result, while a volume is segmented.
public final class ModelWarnings: Sendable {
  private let list = Mutex<[ModelWarning]>([])
  private let noteList = Mutex<[ModelNote]>([])

  public init() {}

  /// In the order in which they were found.
  public var all: [ModelWarning] { list.withLock { $0 } }

  /// How the result was made, where its reader should know.
  public var notes: [ModelNote] { noteList.withLock { $0 } }

  func add(_ warnings: [ModelWarning]) { list.withLock { $0 += warnings } }

  func add(_ note: ModelNote) { noteList.withLock { $0.append(note) } }
}

func rounded(_ value: Double) -> String {
  formatted(value, decimals: 3)
}

/// How a result was made, where its reader should know and nothing is wrong with it.
public enum ModelNote: Sendable, Equatable, CustomStringConvertible {
  /// The network's slices are further apart than the image's, both in mm; `repeated` of the image's
  /// slices share the nearest slice of the network with the slice before.
  case throughPlane(
    ThroughPlaneInterpolation, networkSpacing: Double, imageSpacing: Double, repeated: Int,
    slices: Int)

  public var description: String {
    switch self {
    case .throughPlane(.nearest, let network, let image, let repeated, let slices):
      "the network's slices are \(rounded(network)) mm apart, the image's \(rounded(image)) mm: each "
        + "image slice has the labels of the nearest network slice, and \(repeated) of \(slices) "
        + "repeat those of the slice before; --through-plane linear, or inference.throughPlane: "
        + "linear in model.yaml, interpolates between slices"
    case .throughPlane(.linear, let network, let image, _, _):
      "the network's slices are \(rounded(network)) mm apart, the image's \(rounded(image)) mm: "
        + "probabilities were interpolated linearly between slices (throughPlane: linear); the "
        + "reference implementation takes the nearest slice"
    }
  }
}
