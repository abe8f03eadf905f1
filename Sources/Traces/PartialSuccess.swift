import Foundation

/// What a receiver that answers with success did not take all the same (OTLP, ExportTracePartialSuccess), or warns of.
struct PartialSuccess: Equatable {
  var rejectedSpans = 0
  /// Printable, and not too long.
  var message = ""

  /// An answer that says nothing of it, or is no JSON, has taken all.
  init(_ body: Data) {
    guard let answer = try? JSONDecoder().decode(Answer.self, from: body),
      let partial = answer.partialSuccess
    else { return }
    rejectedSpans = partial.rejectedSpans?.number ?? 0
    message = String(
      String.UnicodeScalarView(
        (partial.errorMessage ?? "").unicodeScalars.filter { (32...126).contains($0.value) }
          .prefix(200)))
  }

  private struct Answer: Decodable {
    struct Partial: Decodable {
      var rejectedSpans: Count?
      var errorMessage: String?
    }

    var partialSuccess: Partial?
  }

  /// Numbers of 64 bits are text in the JSON of protocol buffers; readers take both.
  private struct Count: Decodable {
    var number: Int

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let number = try? value.decode(Int.self) {
        self.number = number
      } else {
        number = Int(try value.decode(String.self)) ?? 0
      }
    }
  }
}
