import Cryptography
import Foundation
import GRDB

/// An event as it is hashed, its columns in the order of the table.
struct EventColumns {
  var values: [DatabaseValue]

  init(
    id: Int64, at: Double, kind: String, series: String?, job: Int64?, cause: String?,
    message: String
  ) {
    values = [
      id.databaseValue, at.databaseValue, kind.databaseValue,
      series?.databaseValue ?? .null, job?.databaseValue ?? .null, cause?.databaseValue ?? .null,
      message.databaseValue,
    ]
  }

  /// - Parameter values: as they are in the table.
  init(_ values: [DatabaseValue]) { self.values = values }

  /// SHA-256 over the hash of the event before and the columns.
  ///
  /// A column is a byte for its type and its value: integers in 8 bytes, the bits of a number (IEEE 754),
  /// both the highest byte first; a text by its length in 8 bytes and its UTF-8. So no two events
  /// have the same bytes.
  func hash(after previous: Data) -> Data {
    var hash = SHA256()
    hash.update(data: previous)
    for value in values { hash.update(value) }
    return Data(hash.finalize())
  }

  /// In the place of the hash of an event before the first.
  static let start = Data(SHA256.hash(data: Data("segmentd events".utf8)))
}

extension SHA256 {
  fileprivate mutating func update(_ value: DatabaseValue) {
    switch value.storage {
    case .null: update(data: [0])
    case .int64(let number): update(tag: 1, UInt64(bitPattern: number))
    case .double(let number): update(tag: 2, number.bitPattern)
    case .string(let text): update(tag: 3, bytes: Data(text.utf8))
    case .blob(let data): update(tag: 4, bytes: data)
    }
  }

  private mutating func update(tag: UInt8, _ number: UInt64) {
    withUnsafeBytes(of: number.bigEndian) { bytes in update(data: [tag] + Array(bytes)) }
  }

  private mutating func update(tag: UInt8, bytes: Data) {
    update(tag: tag, UInt64(bytes.count))
    update(data: bytes)
  }
}
