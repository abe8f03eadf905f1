import SeriesProcessing
import Training

extension TrainingRun {
  /// Reads and checks all cases, and makes the run ready.
  ///
  /// - Throws: ``TrainingDataErrors`` with every case that is at fault, `AugmentationError`, `MemoryShortage`, and
  ///   what `TrainingRun.init` throws.
  static func prepare(
    _ request: RunRequest, in folder: RunFolder, resume: Bool,
    report: @escaping (TrainingEvent) -> Void
  ) throws -> TrainingRun {
    let draft = request.draft
    try request.augmentation.validate()
    let reader = CaseReader(draft)
    let caseBytes = try roomForCases(request, report: report)
    let cases = try prepareCases(request, reader, memoryBytes: caseBytes, in: folder)
    let patches = PatchSource(
      cases, drawing: PatchDrawing(request.augmentation, patch: draft.network.patch),
      channels: draft.network.inputChannels, batch: request.options.batch,
      seed: request.options.seed, threads: request.threads, weights: request.shares)
    let plan = RunPlan(
      document: try request.model.withOpenLimits(), draft: draft, options: request.options,
      settings: request.settings, threads: request.threads, patches: patches,
      trainingCount: cases.count, caseBytes: cases.heldBytes,
      validation: Validation(cases: request.heldOut, threads: request.threads) {
        try reader.read($0)
      }, weights: request.weights)
    return try TrainingRun(plan, in: folder, resume: resume, report: report)
  }

  /// What prepared cases may take of memory, in bytes: what the configuration allows, or three quarters of what the
  /// network leaves where that is less. The others are read from disk, so that they are never a reason to refuse a
  /// training: the last quarter is for what reading them takes, and the network is checked again after it.
  ///
  /// - Throws: `MemoryShortage` where the network does not fit even without cases, before any is read.
  static func roomForCases(
    _ request: RunRequest, budget: MemoryBudget = MemoryBudget(limit: nil),
    report: (TrainingEvent) -> Void
  ) throws -> Int {
    let network = try Trainer.bytes(
      request.draft.network, options: request.options, threads: request.threads)
    try budget.check(job: network)
    let left = share(ofCases: budget.room.map { $0 - network })
    guard left < request.caseBytes else { return request.caseBytes }
    report(
      .note(
        "cases take at most \(left >> 20) MiB of memory, less than caseMemoryGB allows: the network takes "
          + "\(network >> 20) MiB, and the rest is in use"))
    return left
  }

  /// - Parameter free: the bytes that the network leaves; nil where nothing bounds them.
  static func share(ofCases free: Int?) -> Int { free.map { max(0, $0 / 4 * 3) } ?? .max }

  /// The training cases, made ready for the network. The held-out ones are checked too: a training may
  /// go on for hours before it validates.
  private static func prepareCases(
    _ request: RunRequest, _ reader: CaseReader, memoryBytes: Int, in folder: RunFolder
  ) throws -> PreparedCases {
    let heldOutFaults = reader.faults(in: request.heldOut, threads: request.threads)
    let cases: PreparedCases
    do {
      cases = try PreparedCases(
        request.training, reader: reader, preprocessing: request.draft.preprocessing,
        memoryBytes: memoryBytes, folder: folder.prepared, threads: request.threads)
    } catch let found as TrainingDataErrors {
      throw TrainingDataErrors(errors: found.errors + heldOutFaults)
    }
    guard heldOutFaults.isEmpty else { throw TrainingDataErrors(errors: heldOutFaults) }
    try cases.checkClasses()
    return cases
  }
}
