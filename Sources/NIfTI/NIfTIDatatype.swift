/// How a voxel is stored: the header field datatype (nifti1.h, NIFTI_TYPE_*).
///
/// The real numbers of up to eight bytes; complex numbers, colours and FLOAT128 (whose layout
/// differs between machines) are refused.
public enum NIfTIDatatype: Int, Sendable, Equatable, CaseIterable {
  case uint8 = 2
  case int16 = 4
  case int32 = 8
  case float32 = 16
  case float64 = 64
  case int8 = 256
  case uint16 = 512
  case uint32 = 768
  case int64 = 1024
  case uint64 = 1280

  /// Bytes of one voxel.
  var size: Int {
    switch self {
    case .uint8, .int8: 1
    case .int16, .uint16: 2
    case .int32, .uint32, .float32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Calls the body with each voxel's stored value, in the order of the file.
  func forEach(_ data: UnsafeRawBufferPointer, _ body: (_ index: Int, _ value: Double) -> Void) {
    func walk<Value>(_ type: Value.Type, _ convert: (Value) -> Double) {
      let values = data.bindMemory(to: type)
      for index in values.indices { body(index, convert(values[index])) }
    }
    switch self {
    case .uint8: walk(UInt8.self) { Double($0) }
    case .int8: walk(Int8.self) { Double($0) }
    case .int16: walk(Int16.self) { Double($0) }
    case .uint16: walk(UInt16.self) { Double($0) }
    case .int32: walk(Int32.self) { Double($0) }
    case .uint32: walk(UInt32.self) { Double($0) }
    case .int64: walk(Int64.self) { Double($0) }
    case .uint64: walk(UInt64.self) { Double($0) }
    case .float32: walk(Float.self) { Double($0) }
    case .float64: walk(Double.self) { $0 }
    }
  }
}
