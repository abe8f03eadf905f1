import FileSystem
import Foundation
import Training
import Wording

/// Which cases a network is trained with and which are held out to validate it.
public struct CaseSplit: Sendable, Equatable {
  public var training: [String]
  public var heldOut: [String]

  public init(training: [String], heldOut: [String]) {
    self.training = training
    self.heldOut = heldOut
  }

  /// Reads a JSON object with the lists `training` and `heldOut`. An entry is the name of a case, or
  /// that of a patient: it then means every case whose name is the entry, an underscore and more.
  /// Cases that neither list names take no part.
  ///
  /// - Parameters:
  ///   - file: the JSON file.
  ///   - cases: the names of the cases there are.
  /// - Throws: ``CaseSplitError``.
  public init(file: URL, cases: [String]) throws(CaseSplitError) {
    struct Lists: Decodable {
      var training: [String]
      var heldOut: [String]
    }
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch { throw .unreadable(path: file.path, reason: SystemError.text(of: error)) }
    guard let lists = try? JSONDecoder().decode(Lists.self, from: data) else {
      throw .unreadable(
        path: file.path,
        reason: "is not a JSON object with the lists training and heldOut of names")
    }
    func matching(_ entries: [String]) throws(CaseSplitError) -> [String] {
      var names: Set<String> = []
      for entry in entries {
        let found = cases.filter { $0 == entry || $0.hasPrefix(entry + "_") }
        guard !found.isEmpty else { throw .unknownEntry(path: file.path, entry: entry) }
        names.formUnion(found)
      }
      return names.sorted()
    }
    self.init(training: try matching(lists.training), heldOut: try matching(lists.heldOut))
    let both = Set(training).intersection(heldOut).sorted()
    guard both.isEmpty else { throw .inBothLists(path: file.path, cases: both) }
    guard !training.isEmpty else { throw .noTrainingCases(path: file.path) }
  }

  /// One of `count` folds: patients are shuffled by the seed and dealt out in turn, so that all cases
  /// of a patient are in one fold; patients of one group (of one disease, or of one scanner) are
  /// dealt out one after another, so that every fold has its share of each group.
  ///
  /// - Parameters:
  ///   - index: the fold that is held out, from 0.
  ///   - count: at least 2.
  ///   - cases: the names of all cases.
  ///   - seed: of the shuffle.
  ///   - patient: the patient of a case.
  ///   - group: the group of a patient.
  /// - Throws: ``CaseSplitError``.
  public init(
    fold index: Int, of count: Int, cases: [String], seed: UInt64,
    patient: (String) -> String = { $0 }, group: (String) -> String = { _ in "" }
  ) throws(CaseSplitError) {
    let patients = Set(cases.map(patient)).sorted()
    guard count >= 2, (0..<count).contains(index), patients.count >= count else {
      throw .fold(index: index, count: count, patients: patients.count)
    }
    var generator = CounterGenerator(seed: seed, purpose: .folds)
    let shuffled = generator.permutation(patients.count).map { patients[$0] }
    let members = Dictionary(grouping: shuffled, by: group)
    let dealt = members.keys.sorted().flatMap { members[$0] ?? [] }
    let held = Set(dealt.indices.filter { $0 % count == index }.map { dealt[$0] })
    self.init(
      training: cases.filter { !held.contains(patient($0)) }.sorted(),
      heldOut: cases.filter { held.contains(patient($0)) }.sorted())
  }

  /// `patient001` of `patient001_frame12`: what comes before the first underscore.
  public static func prefixBeforeUnderscore(_ name: String) -> String {
    name.split(separator: "_", maxSplits: 1).first.map(String.init) ?? name
  }
}

/// Why cases cannot be divided into those for training and those held out.
public enum CaseSplitError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  /// No case has the name, or begins with it and an underscore.
  case unknownEntry(path: String, entry: String)
  case inBothLists(path: String, cases: [String])
  case noTrainingCases(path: String)
  case fold(index: Int, count: Int, patients: Int)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .unknownEntry(let path, let entry):
      "\(path): names \(entry), but no case is called so or begins with \(entry)_; remove the entry "
        + "or add the case to the data"
    case .inBothLists(let path, let cases):
      "\(path): \(cases.prefix(10).joined(separator: ", ")) would be trained with and held out; "
        + "leave each in one list"
    case .noTrainingCases(let path): "\(path): the list training is empty"
    case .fold(let index, let count, let patients):
      "fold \(index) of \(count) cannot be made from \(counted(patients, "patient")): folds are numbered from 0, "
        + "there are at least 2, and each needs a patient"
    }
  }
}
