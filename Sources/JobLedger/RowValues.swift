import Foundation
import GRDB

extension Row {
  /// A column's value; in a damaged file one of the wrong type is an error, where the subscript
  /// would end the process.
  func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
    try decode(forColumn: column)
  }

  func date(_ column: String) throws -> Date {
    Date(timeIntervalSince1970: try value(column))
  }

  func optionalDate(_ column: String) throws -> Date? {
    let seconds: Double? = try value(column)
    return seconds.map(Date.init(timeIntervalSince1970:))
  }
}
