import Tensors
import Testing
import UNETRPP

@testable import Training

/// One layer by itself: its parameters (those of a whole small network), memory and passes.
final class LayerBench {
  static let batch = 2
  let description: NetworkDescription
  let compute: Compute
  let plan: LayerPlan
  private(set) var store: ParameterStore
  private var arenas: [Arena] = []

  init(_ kind: BlockKind, threads: Int = 2, instructions: InstructionSet? = nil) throws {
    description = SmallNetworks.description(kind)
    compute = try #require(Compute(threads: threads, instructions: instructions))
    let table = ParameterTable(description, deepSupervision: true)
    plan = LayerPlan(
      description, table: table, batch: Self.batch, threads: compute.threads)
    store = try ParameterStore(table)
    ParameterInitialisation.fill(store, seed: 1, compute: compute)
    SmallNetworks.shake(store, seed: 2)
  }

  /// Floats at a stable place.
  func floats(_ values: [Float]) throws -> UnsafeMutablePointer<Float> {
    var layout = ArenaLayout()
    let slot = layout.add(values.count)
    let arena = try Arena(layout)
    arenas.append(arena)
    for (i, value) in values.enumerated() { arena[slot][i] = value }
    return arena[slot]
  }

  func floats(_ count: Int) throws -> UnsafeMutablePointer<Float> {
    // Whatever a layer does not write shall be noticed.
    try floats([Float](repeating: .nan, count: count))
  }

  func values(_ pointer: UnsafePointer<Float>, _ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// A pass in training over what has been planned, with scratch.
  func pass(scratch count: Int, dropout: Dropout? = nil) throws -> (Pass, Scratch) {
    let arena = try Arena(plan.layout)
    arenas.append(arena)
    let pass = Pass(
      compute: compute, arena: arena, parameters: store, batch: Self.batch, isTraining: true,
      dropout: dropout)
    for i in store.gradients.indices { store.gradients[i] = 0 }
    return (pass, Scratch(try floats(count), count: count))
  }

  var reference: DoubleReference {
    var reference = DoubleReference(
      batch: Self.batch, heads: description.heads, kind: description.blocks)
    for entry in store.entries {
      reference.parameters[entry.name] = store.values[entry.range].map { Double($0) }
    }
    return reference
  }

  /// Along the gradient, where an error of its size shows, and at random; and the gradient's length.
  private static func direction(_ gradient: [Float]) -> ([Double], Double) {
    let random = SmallNetworks.numbers(gradient.count, seed: 77).map { Double($0) }
    let (own, size) = (length(gradient.map { Double($0) }), length(random))
    return (zip(gradient, random).map { Double($0) / (own + 1e-30) + $1 / size }, own)
  }

  /// Compares a layer with its reference in double: the output, and by finite differences the
  /// derivatives along one direction of the input and of every parameter.
  /// - Parameters:
  ///   - input: of the layer; nil as inputGradient where there is none.
  ///   - prefix: of the names of the parameters that the layer has.
  ///   - function: the reference.
  func check(
    _ name: String, input: [Float], output: [Float], outputGradient: [Float],
    inputGradient: [Float]?, prefix: String, tolerance: Double = 2e-5,
    _ function: (DoubleReference, [Double]) -> [Double]
  ) {
    let reference = reference
    let x = input.map { Double($0) }
    let expected = function(reference, x)
    let error = relativeDistance(output.map { Double($0) }, expected)
    #expect(error < tolerance, "\(name): output")
    func objective(_ reference: DoubleReference, _ x: [Double]) -> Double {
      zip(function(reference, x), outputGradient).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    var worst = (error: 0.0, name: "")
    func compare(_ item: String, _ gradient: [Float], _ derivative: ([Double]) -> Double) {
      let (direction, own) = Self.direction(gradient)
      let wanted = derivative(direction)
      let found = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * $1.1 }
      let error = abs(found - wanted) / (own + 1e-30)
      if !(error <= worst.error) { worst = (error, item) }
      #expect(error < tolerance, "\(name): \(item), \(found) for \(wanted)")
    }
    // Small, so that no LeakyReLU changes its slope on the way.
    let step = 1e-7
    if let inputGradient {
      compare("input", inputGradient) { direction in
        let size = step / max(1e-30, length(direction)) * Double(x.count).squareRoot()
        func moved(_ sign: Double) -> [Double] {
          zip(x, direction).map { $0 + sign * size * $1 }
        }
        return (objective(reference, moved(1)) - objective(reference, moved(-1))) / (2 * size)
      }
    }
    var compared = 0
    for entry in store.entries where entry.name.hasPrefix(prefix) {
      compared += 1
      compare(entry.name, Array(store.gradients[entry.range])) { direction in
        let size = step / max(1e-30, length(direction)) * Double(direction.count).squareRoot()
        func moved(_ sign: Double) -> DoubleReference {
          var other = reference
          other.parameters[entry.name] = zip(reference.parameter(entry.name), direction).map {
            $0 + sign * size * $1
          }
          return other
        }
        return (objective(moved(1), x) - objective(moved(-1), x)) / (2 * size)
      }
    }
    print("\(name): output \(error), \(compared) parameters, worst \(worst)")
  }
}

func length(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

/// |a - b| / |b|; infinite where counts differ or a value is not a number.
func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let distance = length(zip(a, b).map { $0 - $1 }) / max(1e-30, length(b))
  return distance.isNaN ? .infinity : distance
}
