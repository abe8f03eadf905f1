import Foundation

/// Copies that destinations get in place of objects, and that exist while they are sent.
enum OutgoingCopies {
  /// Makes a copy of each object in a folder of its own, which is removed afterwards.
  ///
  /// - Parameters:
  ///   - objects: of a result.
  ///   - folder: where the copies' folder is made.
  ///   - copy: makes the copy of an object in a file, and says what is sent in place of the object.
  ///   - fault: what is wrong where it throws.
  ///   - body: receives what is sent.
  static func with<Answer>(
    of objects: [OutgoingObject], in folder: URL,
    copy: (OutgoingObject, URL) throws -> OutgoingObject,
    fault: (any Error) -> DeliveryFault,
    _ body: ([OutgoingObject]) async throws(DeliveryFault) -> Answer
  ) async throws(DeliveryFault) -> Answer {
    let copies = folder.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: copies) }
    var outgoing: [OutgoingObject] = []
    do {
      try FileManager.default.createDirectory(
        at: copies, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      for (number, object) in objects.enumerated() {
        outgoing.append(try copy(object, copies.appendingPathComponent("\(number + 1).dcm")))
      }
    } catch {
      throw fault(error)
    }
    return try await body(outgoing)
  }
}
