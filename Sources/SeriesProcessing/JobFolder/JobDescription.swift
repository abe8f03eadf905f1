import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Tensors

/// All that a job is, for whoever computes it: the file `job.json` of a ``JobFolder``. It holds UIDs, and
/// nothing else of a patient.
public struct JobDescription: Codable, Sendable, Equatable {
  /// The schema that this program writes, and the only one that it reads.
  public static let currentSchema = 2

  public struct Model: Codable, Sendable, Equatable {
    public var name: String
    public var version: String
    /// `ModelBundle.sha256`.
    public var sha256: String
  }

  /// A file of the folder.
  public struct File: Codable, Sendable, Equatable {
    /// From the job's folder: `input/000001.dcm`.
    public var path: String
    /// Of the whole file, as 64 hexadecimal digits.
    public var sha256: String
  }

  /// As `SeriesFiles`.
  public struct Series: Codable, Sendable, Equatable {
    public var seriesInstanceUID: String
    public var files: [File]
    public var replaced: [File]
    public var stackedWith: [Series]

    var allFiles: [File] { files + replaced + stackedWith.flatMap(\.allFiles) }
  }

  public struct Channel: Codable, Sendable, Equatable {
    public var name: String
    public var series: Series
  }

  public var schema = currentSchema
  /// Of the job; its submissions to a cluster are named after it.
  public var name: String
  /// `SegmentdVersion.results` of the program that made the folder.
  public var program: String
  /// As ``ProgramBuild`` says it of the program that made the folder, where no other one shall compute it; nil for any that
  /// gives the same results.
  public var build: String?
  public var model: Model
  public var identity: ResultIdentity
  /// That the result will have.
  public var resultSeriesInstanceUID: String
  public var installation: String
  public var geometry: GeometryRules
  public var options: ResultOptions
  /// Seconds of computing between two checkpoints; nil for none but that of an interruption.
  public var checkpointSeconds: Double?
  /// As `PhaseChoice` is read.
  public var phases: String?
  /// `InstructionSet` that the result is computed with; nil for the fastest of the machine.
  public var instructionSet: String?
  public var volume: String?
  public var series: Series
  public var channels: [Channel]

  /// Each file once.
  var allFiles: [File] {
    var seen: Set<String> = []
    return (series.allFiles + channels.flatMap(\.series.allFiles))
      .filter { seen.insert($0.path).inserted }
  }

  /// Whether it describes the same work, whatever it is named.
  public func isSameWork(as other: JobDescription) -> Bool {
    var other = other
    other.name = name
    return self == other
  }
}

/// What a ``JobFolder`` is made of, but for its files.
public struct JobSettings: Sendable {
  public var model: JobDescription.Model
  public var identity: ResultIdentity
  public var installation: String
  public var geometry: GeometryRules
  public var options: ResultOptions
  /// The least time of computing between two checkpoints; nil for none but that of an interruption.
  public var checkpointInterval: Duration?
  /// Nil for the fastest of the machine.
  public var instructionSet: InstructionSet?
  /// As ``ProgramBuild`` says it; nil where any will do that gives the same results.
  public var build: String?

  public init(
    model: JobDescription.Model, identity: ResultIdentity, installation: String,
    geometry: GeometryRules, options: ResultOptions, checkpointInterval: Duration? = nil,
    instructionSet: InstructionSet? = nil
  ) {
    self.instructionSet = instructionSet
    self.model = model
    self.identity = identity
    self.installation = installation
    self.geometry = geometry
    self.options = options
    self.checkpointInterval = checkpointInterval
  }
}

extension JobDescription.Model {
  public init(_ bundle: ModelBundle, named name: String) {
    self.init(name: name, version: bundle.version, sha256: bundle.sha256)
  }
}

extension JobDescription {
  /// - Parameters:
  ///   - name: of the job.
  ///   - input: what it takes.
  ///   - settings: the rest.
  ///   - files: the files of the folder, by those of the input.
  init(
    name: String, _ input: ModelInput, _ settings: JobSettings, files: [URL: File]
  ) {
    func described(_ series: SeriesFiles) -> Series {
      Series(
        seriesInstanceUID: series.seriesInstanceUID, files: series.files.compactMap { files[$0] },
        replaced: series.replaced.compactMap { files[$0] },
        stackedWith: series.stackedWith.map(described))
    }
    self.init(
      name: name, program: SegmentdVersion.results, build: settings.build, model: settings.model,
      identity: settings.identity,
      resultSeriesInstanceUID: settings.identity.seriesInstanceUID,
      installation: settings.installation, geometry: settings.geometry, options: settings.options,
      checkpointSeconds: settings.checkpointInterval.map { $0 / .seconds(1) },
      phases: input.phases?.text, instructionSet: settings.instructionSet?.rawValue,
      volume: input.volume, series: described(input.series),
      channels: input.channels.map { Channel(name: $0.name, series: described($0.series)) })
  }

  /// That the result is computed with; nil for the fastest of the machine.
  ///
  /// - Parameter file: of the description.
  func pinnedInstructionSet(in file: URL) throws(JobFolderError) -> InstructionSet? {
    guard let name = instructionSet else { return nil }
    guard let known = InstructionSet(rawValue: name) else {
      throw .unknownInstructionSet(file: file.path, name: name)
    }
    return known
  }

  /// The input, with the files of a folder.
  func input(in folder: URL) -> ModelInput {
    func files(_ series: Series) -> SeriesFiles {
      var all = SeriesFiles(
        seriesInstanceUID: series.seriesInstanceUID,
        files: series.files.map { folder.appendingPathComponent($0.path) },
        replaced: series.replaced.map { folder.appendingPathComponent($0.path) })
      all.stackedWith = series.stackedWith.map(files)
      return all
    }
    var input = ModelInput(
      files(series), channels: channels.map { ($0.name, files($0.series)) },
      phases: phases.flatMap { PhaseChoice($0) })
    input.volume = volume
    return input
  }
}

extension ModelInput {
  /// Every file, each once, in the order of their paths.
  var allFiles: [URL] {
    func all(_ series: SeriesFiles) -> [URL] {
      series.files + series.replaced + series.stackedWith.flatMap(all)
    }
    return Set(all(series) + channels.flatMap { all($0.series) }).sorted { $0.path < $1.path }
  }
}
