import Foundation
import HTTPTypes
import Hummingbird
import Mustache

/// Makes pages of templates, which write every value escaped.
struct PageRenderer: Sendable {
  private let library: MustacheLibrary

  /// - Throws: an error of a template that cannot be read; they are part of the program.
  init() throws {
    let templates: [(String, [UInt8])] = [
      ("layout", PackageResources.layout_mustache), ("login", PackageResources.login_mustache),
      ("studies", PackageResources.studies_mustache), ("study", PackageResources.study_mustache),
      ("actions", PackageResources.actions_mustache), ("queue", PackageResources.queue_mustache),
      ("jobs", PackageResources.jobs_mustache), ("held", PackageResources.held_mustache),
      ("reasons", PackageResources.reasons_mustache), ("text", PackageResources.text_mustache),
      ("refused", PackageResources.refused_mustache),
      ("destinations", PackageResources.destinations_mustache),
      ("models", PackageResources.models_mustache), ("rules", PackageResources.rules_mustache),
      ("system", PackageResources.system_mustache), ("viewer", PackageResources.viewer_mustache),
    ]
    var library = MustacheLibrary()
    for (name, text) in templates {
      try library.register(String(decoding: text, as: UTF8.self), named: name)
    }
    self.library = library
  }

  /// A template filled in by itself.
  func response(_ template: String, _ values: Any, status: HTTPResponse.Status = .ok) -> Response {
    let text = library.render(values, withTemplate: template) ?? ""
    return Response(
      status: status, headers: [.contentType: "text/html; charset=utf-8"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// A page: its own part within what all pages have.
  ///
  /// - Parameters:
  ///   - page: with the template's values as stored properties.
  ///   - frame: what all pages have.
  func page(_ page: any Page, in frame: PageFrame) -> Response {
    var values = Self.values(page)
    values.merge(Self.values(frame)) { own, _ in own }
    values["content"] = library.render(values, withTemplate: type(of: page).template) ?? ""
    return response("layout", values)
  }

  /// The stored properties that have a value.
  private static func values(_ object: Any) -> [String: Any] {
    var values: [String: Any] = [:]
    for case (let label?, let value) in Mirror(reflecting: object).children {
      let mirror = Mirror(reflecting: value)
      if mirror.displayStyle == .optional {
        values[label] = mirror.children.first?.value
      } else {
        values[label] = value
      }
    }
    return values
  }
}

/// The values of a template, as stored properties.
protocol Page {
  static var template: String { get }
}

/// What all pages have.
struct PageFrame {
  struct Link {
    var name: String
    var path: String
    var isHere: Bool
    /// How many wait for a person; nil for none.
    var count: Int?
  }

  /// Of the browser's window: it names no patient.
  var title: String
  var heading: String
  var scripts: [String] = []
  /// Whether the page is shown anew when something happens.
  var isLive = true
  var navigation: [Link]
  var user: String?
  var role: String
  var hasSession: Bool
  var canOperate: Bool
  var csrf: String?
  /// The path of the page, to which an action comes back.
  var here: String
  var pause: String?
  var notices: [String]
  var version: String
}

/// A time for people and for programs.
struct ShownTime {
  var iso: String
  var text: String

  init(_ date: Date) {
    iso = date.formatted(.iso8601)
    text = date.formatted(
      Date.ISO8601FormatStyle(
        dateSeparator: .dash, dateTimeSeparator: .space, timeZone: .current))
  }
}

/// A name with its value.
struct Fact {
  var name: String
  var value: String
}

/// The end of a UID, by which people tell them apart.
func shortened(_ uid: String) -> String { uid.count > 18 ? "…" + uid.suffix(16) : uid }
