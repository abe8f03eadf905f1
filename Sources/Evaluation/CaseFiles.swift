import FileSystem
import Foundation

/// One case of a data set on disk.
public struct CaseFiles: Sendable, Equatable {
  public var name: String
  /// One NIfTI file for each channel, in their order, or one folder or file of DICOM; or the
  /// segmentation that is to be scored.
  public var images: [URL]
  public var labels: URL

  public init(name: String, images: [URL], labels: URL) {
    self.name = name
    self.images = images
    self.labels = labels
  }
}

/// Why cases cannot be put together.
public enum CaseListError: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(path: String)
  case noCases(path: String)
  case sameName(name: String, first: String, second: String)
  /// Images without labels, and labels without images.
  case unmatched(images: [String], labels: [String])
  case unknownCases(names: [String])
  case unreadableList(path: String, reason: String)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): there is no such file or folder"
    case .noCases(let path): "\(path): holds neither NIfTI files nor folders or files of DICOM"
    case .sameName(let name, let first, let second):
      "both \(first) and \(second) are called \(name)"
    case .unmatched(let images, let labels):
      [
        images.isEmpty ? nil : "without labels: \(listed(images))",
        labels.isEmpty ? nil : "without images: \(listed(labels))",
      ].compactMap { $0 }.joined(separator: "; ")
    case .unknownCases(let names): "there is no case called \(listed(names))"
    case .unreadableList(let path, let reason): "\(path): \(reason)"
    }
  }

  private func listed(_ names: [String]) -> String {
    let first = names.prefix(10).joined(separator: ", ")
    return names.count > 10 ? "\(first) and \(names.count - 10) more" : first
  }
}

extension CaseFiles {
  /// Puts images and labels together by name.
  ///
  /// Names are those of NIfTI files without `.nii.gz`, of DICOM folders, or of single DICOM
  /// files. Images lose a channel number such as `_0000` (nnU-Net) and labels an ending
  /// `.labels`, `_labels`, `_label`, `_seg` or `_gt`; `img0001` and `label0001` (BTCV) are one
  /// case. Files that begin with a dot are skipped. A folder with `imagesTr` or `images`
  /// (`labelsTr` or `labels`) means that folder within it (Decathlon). A single file of
  /// labels belongs to a single file, or to a folder of neither NIfTI nor folders, whatever the
  /// names.
  ///
  /// - Parameters:
  ///   - images: a NIfTI file, or a folder of NIfTI files or of DICOM series.
  ///   - labels: a file of labels, or a folder of them.
  ///   - names: the cases wanted, or their patients (``called(_:among:)``); nil for all.
  /// - Throws: ``CaseListError``: nothing is left out silently.
  public static func match(images: URL, labels: URL, names: [String]?) throws(CaseListError)
    -> [CaseFiles]
  {
    if isFile(labels), isFile(images) || CaseFolder.isOneSeries(images) {
      let name = CaseFolder.name(of: images)
      return [CaseFiles(name: name, images: [images], labels: labels)]
    }
    let found = try CaseFolder(images, kind: .images).files
    let known = try CaseFolder(labels, kind: .labels).files
    let all = Set(found.keys).union(known.keys).sorted()
    var wanted = all
    if let names {
      let chosen = called(names, among: all)
      guard chosen.unknown.isEmpty else { throw .unknownCases(names: chosen.unknown) }
      wanted = chosen.cases
    }
    let unmatched = (
      images: wanted.filter { known[$0] == nil }, labels: wanted.filter { found[$0] == nil }
    )
    guard unmatched.images.isEmpty, unmatched.labels.isEmpty else {
      throw .unmatched(images: unmatched.images, labels: unmatched.labels)
    }
    return wanted.compactMap { name in
      guard let images = found[name], let label = known[name]?.first else { return nil }
      return CaseFiles(name: name, images: images, labels: label)
    }
  }

  /// The cases that entries of a list name, each once, in the order of the entries. An entry that is no case's
  /// name is that of a patient: every case whose name is the entry, an underscore and more.
  ///
  /// - Parameters:
  ///   - entries: names of cases or patients.
  ///   - names: of the cases there are.
  /// - Returns: the cases, and the entries that name none.
  public static func called(_ entries: [String], among names: [String]) -> (
    cases: [String], unknown: [String]
  ) {
    let known = Set(names)
    var (cases, unknown, taken): ([String], [String], Set<String>) = ([], [], [])
    for entry in entries {
      let found = known.contains(entry) ? [entry] : names.filter { $0.hasPrefix(entry + "_") }
      if found.isEmpty { unknown.append(entry) }
      cases += found.filter { taken.insert($0).inserted }
    }
    return (cases, unknown)
  }

  /// Checks that no image is taken for its own labels, as one of a folder of both is where the file
  /// with the labels is missing.
  ///
  /// - Throws: ``CaseListError/unmatched(images:labels:)``.
  public static func checkLabelsAreApart(_ cases: [CaseFiles]) throws(CaseListError) {
    let own = cases.filter { item in
      item.images.contains { $0.standardizedFileURL.path == item.labels.standardizedFileURL.path }
    }
    guard own.isEmpty else { throw .unmatched(images: own.map(\.name), labels: []) }
  }

  /// Names from `a,b,c`, or from a JSON file: a list, or an object whose `heldOut` is one.
  public static func names(from text: String) throws(CaseListError) -> [String] {
    guard text.hasSuffix(".json") else {
      return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    struct Split: Decodable { var heldOut: [String] }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: text))
    } catch { throw .unreadableList(path: text, reason: SystemError.text(of: error)) }
    let decoder = JSONDecoder()
    if let names = try? decoder.decode([String].self, from: data) { return names }
    if let split = try? decoder.decode(Split.self, from: data) { return split.heldOut }
    throw .unreadableList(
      path: text, reason: "is neither a JSON list of names nor an object with a list heldOut")
  }
}

private func isFile(_ url: URL) -> Bool {
  var isFolder: ObjCBool = false
  return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    && !isFolder.boolValue
}

/// The files of a folder by the names of their cases.
private struct CaseFolder {
  enum Kind { case images, labels }

  let kind: Kind
  /// By case; several for one image in several channels.
  var files: [String: [URL]] = [:]

  init(_ url: URL, kind: Kind) throws(CaseListError) {
    self.kind = kind
    guard FileManager.default.fileExists(atPath: url.path) else { throw .missing(path: url.path) }
    let isSingle = isFile(url)
    for item in isSingle ? [url] : Self.items(of: url, kind: kind) {
      // A folder may hold images and labels side by side: labels show by their ending.
      let name = Self.name(of: item)
      let isLabels = name.withoutLabelSuffix != name
      if kind == .images, isLabels, !isSingle { continue }
      try add(item, as: name)
    }
    guard !files.isEmpty else { throw .noCases(path: url.path) }
  }

  /// Whether a folder holds files alone, none of them NIfTI: the images of one series.
  static func isOneSeries(_ url: URL) -> Bool {
    let items = try? FileManager.default.contentsOfDirectory(
      at: url, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    guard let items, !items.isEmpty else { return false }
    return items.allSatisfy { isFile($0) && !isNIfTI($0) }
  }

  private static func isNIfTI(_ url: URL) -> Bool {
    let name = url.lastPathComponent.lowercased()
    return name.hasSuffix(".nii") || name.hasSuffix(".nii.gz")
  }

  private static func items(of url: URL, kind: Kind) -> [URL] {
    let fileManager = FileManager.default
    let inner = kind == .images ? ["imagesTr", "images"] : ["labelsTr", "labels"]
    let folder =
      inner.map { url.appendingPathComponent($0) }
      .first { fileManager.fileExists(atPath: $0.path) && !isFile($0) } ?? url
    let items = try? fileManager.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    return (items ?? []).filter { item in
      if isNIfTI(item) || item.pathExtension.lowercased() == "dcm" { return true }
      return kind == .images && !isFile(item)
    }.sorted { $0.path < $1.path }
  }

  static func name(of item: URL) -> String {
    var name = item.lastPathComponent
    for suffix in [".gz", ".nii", ".dcm"] where name.lowercased().hasSuffix(suffix) {
      name.removeLast(suffix.count)
    }
    return name
  }

  private mutating func add(_ item: URL, as name: String) throws(CaseListError) {
    if kind == .labels {
      let caseName = name.withoutLabelSuffix.withoutPrefix("label")
      if let other = files[caseName]?.first {
        // Beside images of the same names, the labels are those with the ending.
        let isBetter = name != caseName && Self.name(of: other) == caseName
        let isWorse = name == caseName && Self.name(of: other) != caseName
        guard isBetter || isWorse else {
          throw .sameName(name: caseName, first: other.path, second: item.path)
        }
        if isWorse { return }
      }
      files[caseName] = [item]
      return
    }
    let parts = name.split(separator: "_")
    let isChannel = parts.count > 1 && parts.last.map { $0.count == 4 && Int($0) != nil } == true
    let caseName = (isChannel ? parts.dropLast().joined(separator: "_") : name)
      .withoutPrefix("img")
    if let other = files[caseName]?.first, !isChannel {
      throw .sameName(name: caseName, first: other.path, second: item.path)
    }
    files[caseName, default: []].append(item)
  }
}

extension String {
  fileprivate var withoutLabelSuffix: String {
    for suffix in [".labels", "_labels", "_label", "_seg", "_gt"] where hasSuffix(suffix) {
      return String(dropLast(suffix.count))
    }
    return self
  }

  /// Without the prefix where only digits follow.
  fileprivate func withoutPrefix(_ prefix: String) -> String {
    guard hasPrefix(prefix) else { return self }
    let rest = dropFirst(prefix.count)
    return !rest.isEmpty && rest.allSatisfy(\.isNumber) ? String(rest) : self
  }
}
