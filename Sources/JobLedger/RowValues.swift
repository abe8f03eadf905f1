import Foundation
import GRDB

extension Row {
  /// A column's value; in a damaged file one of the wrong type is an error, where the subscript
  /// would end the process.
  func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
    try decode(forColumn: column)
  }
}
