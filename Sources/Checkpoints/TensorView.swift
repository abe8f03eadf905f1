import Wording

/// A tensor of a PyTorch checkpoint: a strided view of a storage.
struct TensorView: Equatable {
  var storage: PickleDocument.Storage
  /// Element of the storage at which the tensor begins.
  var offset: Int
  var shape: [Int]
  /// Elements from one to the next along each axis.
  var strides: [Int]

  /// What is wrong with a view, after "the tensor …".
  struct Fault: Error { var reason: String }

  /// Checks that the view is within its storage and repeats no element.
  init(
    storage: PickleDocument.Storage, offset: Int, shape: [Int], strides: [Int]
  ) throws(Fault) {
    self.storage = storage
    self.offset = offset
    self.shape = shape
    self.strides = strides
    guard shape.count == strides.count, shape.count <= 16 else {
      throw Fault(
        reason:
          "has \(counted(shape.count, "axis", "axes")) and \(counted(strides.count, "stride"))")
    }
    guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
      throw Fault(reason: "has a negative size, stride or offset")
    }
    guard !shape.contains(0) else { return }
    // From the least stride up, each axis must step over all that the smaller ones reach. Then
    // there are no more elements than the storage holds, and no product below can overflow.
    var last = 0
    for axis in shape.indices.sorted(by: { strides[$0] < strides[$1] }) where shape[axis] > 1 {
      guard strides[axis] > last else {
        throw Fault(reason: "shows elements of its storage twice (strides \(strides))")
      }
      let (reach, first) = strides[axis].multipliedReportingOverflow(by: shape[axis] - 1)
      let (sum, second) = last.addingReportingOverflow(reach)
      guard !first, !second, sum < storage.count else {
        throw Fault(reason: "of shape \(shape) is larger than its storage of \(storage.count)")
      }
      last = sum
    }
    guard offset <= storage.count - 1 - last else {
      throw Fault(
        reason: "of shape \(shape) at \(offset) ends beyond its \(storage.count) elements")
    }
  }

  var count: Int { shape.reduce(1, *) }

  /// Whether the elements are contiguous in row-major order.
  private var isContiguous: Bool {
    var step = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      guard strides[axis] == step else { return false }
      step *= shape[axis]
    }
    return true
  }

  /// The elements in row-major order as float32; nil unless the type is a floating-point one.
  ///
  /// - Parameter bytes: the storage, `storage.count` elements.
  func floats(_ bytes: UnsafeRawBufferPointer) -> [Float]? {
    guard count > 0 else { return [] }
    let width = storage.type.width
    func elements(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[start * width..<(start + count) * width])
    }
    if isContiguous { return storage.type.floats(elements(offset, count)) }
    guard let all = storage.type.floats(bytes) else { return nil }
    var values: [Float] = []
    values.reserveCapacity(count)
    var place = shape.map { _ in 0 }
    var source = offset
    while true {
      values.append(all[source])
      // The next place in row-major order, as an odometer.
      var axis = shape.count - 1
      while axis >= 0 {
        place[axis] += 1
        source += strides[axis]
        if place[axis] < shape[axis] { break }
        source -= strides[axis] * shape[axis]
        place[axis] = 0
        axis -= 1
      }
      if axis < 0 { return values }
    }
  }
}
