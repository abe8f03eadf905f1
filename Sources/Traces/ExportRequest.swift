import Foundation

/// What makes the spans, as the attributes of OpenTelemetry's resource.
public struct TraceResource: Sendable, Equatable {
  public var installation: String
  public var host: String
  public var version: String

  public init(installation: String, host: String, version: String) {
    self.installation = installation
    self.host = host
    self.version = version
  }
}

/// `ExportTraceServiceRequest` of OTLP 1.x in its JSON encoding
/// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): identifiers are hexadecimal, 64-bit numbers are
/// texts.
struct ExportRequest: Encodable {
  private struct Resource: Encodable {
    var attributes: [Attribute]
  }

  private struct ResourceSpans: Encodable {
    var resource: Resource
    var scopeSpans: [ScopeSpans]
  }

  private struct ScopeSpans: Encodable {
    var scope: Scope
    var spans: [EncodedSpan]
  }

  private struct Scope: Encodable {
    var name: String
    var version: String
  }

  private struct Attribute: Encodable {
    var key: String
    var value: Value
  }

  private struct Value: Encodable {
    var stringValue: String?
    var intValue: String?
  }

  private struct Status: Encodable {
    /// STATUS_CODE_ERROR
    var code = 2
  }

  private struct EncodedSpan: Encodable {
    var traceId: String
    var spanId: String
    var parentSpanId: String?
    var name: String
    var kind: Int
    var startTimeUnixNano: String
    var endTimeUnixNano: String
    var attributes: [Attribute]
    var status: Status?
  }

  private var resourceSpans: [ResourceSpans]

  /// - Parameters:
  ///   - spans: none for a request that only asks whether they would be taken.
  ///   - resource: what made them.
  init(_ spans: [Span], of resource: TraceResource) {
    let attributes = [
      ("service.name", "segmentd"), ("service.version", resource.version),
      ("service.instance.id", resource.installation), ("host.name", resource.host),
    ]
    resourceSpans = [
      ResourceSpans(
        resource: Resource(
          attributes: attributes.map { Attribute(key: $0, value: Value(stringValue: $1)) }),
        scopeSpans: [
          ScopeSpans(
            scope: Scope(name: "segmentd", version: resource.version),
            spans: spans.map(Self.encoded))
        ])
    ]
  }

  var json: Data {
    get throws {
      let coder = JSONEncoder()
      coder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try coder.encode(self)
    }
  }

  private static func encoded(_ span: Span) -> EncodedSpan {
    EncodedSpan(
      traceId: span.trace, spanId: span.id, parentSpanId: span.parent, name: span.name,
      kind: span.kind.rawValue, startTimeUnixNano: nanoseconds(span.began),
      endTimeUnixNano: nanoseconds(span.ended),
      attributes: span.attributes.sorted { $0.key.rawValue < $1.key.rawValue }.map { key, value in
        switch value {
        case .text(let text): Attribute(key: key.rawValue, value: Value(stringValue: text))
        case .number(let number):
          Attribute(key: key.rawValue, value: Value(intValue: "\(number)"))
        }
      },
      status: span.isFault ? Status() : nil)
  }

  /// Since 1970; a time that a damaged ledger states is brought within the years 1970 to 2255.
  private static func nanoseconds(_ date: Date) -> String {
    "\(UInt64(min(max(0, date.timeIntervalSince1970), 9e9) * 1e9))"
  }
}
