import DICOM
import Foundation
import JobLedger
import SeriesProcessing
import SeriesReading
import SeriesSelection

extension StudyAssessor {
  /// Jobs of the models that take several series of a study together, by the series whose job each
  /// one is.
  ///
  /// Once every channel is there, the reference series has the job, and the other series know from a
  /// cancelled one why they have none. Where channels are missing or in doubt, one held job says so.
  ///
  /// - Parameters:
  ///   - assessed: all series of the study.
  ///   - due: the series in which something is new; a model none of whose series is due is left out.
  /// - Throws: `LedgerError`
  func channelJobs(_ assessed: [String: AssessedSeries], due: Set<String>) throws -> [String:
    [NewJob]]
  {
    var jobs: [String: [NewJob]] = [:]
    for (model, channels) in rules.channels.sorted(by: { $0.key < $1.key }) {
      let members = assessed.filter { $0.value.plan.models.contains(model) }.keys.sorted()
      guard !due.isDisjoint(with: members) else { continue }
      let found = Self.selection(
        channels, among: members.compactMap { assessed[$0]?.candidate }, chosen: [:])
      let priority = members.compactMap { assessed[$0]?.plan.priority(of: model) }.max() ?? 0
      for (series, var job) in Self.jobs(found, model: model, members: members, due: due) {
        job.priority = priority
        jobs[series, default: []].append(try holdingIncomplete(job))
      }
    }
    return jobs
  }

  /// The job, held where one of its input series is incomplete.
  private func holdingIncomplete(_ job: NewJob) throws -> NewJob {
    guard job.start == .available else { return job }
    let reasons = try job.inputs.compactMap { input in
      try reasonToWait(input.seriesInstanceUID).map {
        "\(input.channel.map { "channel \($0), " } ?? "")series \(input.seriesInstanceUID): \($0)"
      }
    }
    guard !reasons.isEmpty else { return job }
    var held = job
    held.start = .held(reason: reasons.joined(separator: "; "))
    return held
  }

  /// The channels of a model among some series of a study, which are read for it.
  ///
  /// - Throws: `LedgerError`, ``MachineFault``. A series of which no image can be read is no candidate.
  public func selection(
    _ channels: [ModelChannel], of series: [String], chosen: [String: String]
  ) throws -> Result<ChannelSelection, ChannelRefusal> {
    let candidates = try series.compactMap { uid in
      let files = SeriesFiles(try ledger.instances(series: uid), in: state)
      do {
        return ChannelCandidate(try SourceSeries(files, geometry: geometry))
      } catch let error as DICOMError {
        if let fault = MachineFault(error) { throw fault }
        return nil
      }
    }
    return Self.selection(channels, among: candidates, chosen: chosen)
  }

  private static func selection(
    _ channels: [ModelChannel], among candidates: [ChannelCandidate], chosen: [String: String]
  ) -> Result<ChannelSelection, ChannelRefusal> {
    Result { () throws(ChannelRefusal) in
      try ChannelSelection(channels, candidates: candidates, chosen: chosen)
    }
  }

  private static func jobs(
    _ found: Result<ChannelSelection, ChannelRefusal>, model: String, members: [String],
    due: Set<String>
  ) -> [(String, NewJob)] {
    let news = members.filter(due.contains)
    switch found {
    case .success(let selection):
      let reference = selection.reference.seriesInstanceUID
      let others = news.filter { $0 != reference }.map { uid in
        let names = zip(selection.names, selection.series)
          .filter { $0.1.seriesInstanceUID == uid }.map(\.0)
        let role = names.isEmpty ? "no channel" : "channel \(names.joined(separator: ", "))"
        return (
          uid,
          NewJob(
            model: model,
            start: .cancelled(reason: "\(role) of the job of series \(reference)"))
        )
      }
      return [(reference, NewJob(model: model, selection: selection))] + others
    case .failure(let refusal):
      guard let first = news.first else { return [] }
      return [(first, NewJob(model: model, start: .held(reason: refusal.description)))]
        + news.dropFirst().map {
          (
            $0,
            NewJob(
              model: model,
              start: .cancelled(reason: "the job of series \(first) says which channel is missing"))
          )
        }
    }
  }
}

extension NewJob {
  /// A job on the channels of a selection.
  public init(model: String, selection: ChannelSelection) {
    self.init(model: model)
    inputs = zip(selection.names, selection.series).map {
      Input(channel: $0, seriesInstanceUID: $1.seriesInstanceUID)
    }
  }
}
