import Training

extension TrainingRun {
  /// Reads and checks all cases, and makes the run ready.
  ///
  /// - Throws: ``TrainingDataErrors`` with every case that is at fault, `AugmentationError`, and what
  ///   `TrainingRun.init` throws.
  static func prepare(
    _ request: RunRequest, in folder: RunFolder, resume: Bool,
    report: @escaping (TrainingEvent) -> Void
  ) throws -> TrainingRun {
    let draft = request.draft
    try request.augmentation.validate()
    let reader = CaseReader(draft)
    let cases = try prepareCases(request, reader, in: folder)
    let patches = PatchSource(
      cases, drawing: PatchDrawing(request.augmentation, patch: draft.network.patch),
      channels: draft.network.inputChannels, batch: request.options.batch,
      seed: request.options.seed, threads: request.threads, weights: request.shares)
    let plan = RunPlan(
      document: try request.model.withOpenLimits(), draft: draft, options: request.options,
      settings: request.settings, threads: request.threads, patches: patches,
      trainingCount: cases.count,
      validation: Validation(cases: request.heldOut, threads: request.threads) {
        try reader.read($0)
      }, weights: request.weights)
    return try TrainingRun(plan, in: folder, resume: resume, report: report)
  }

  /// The training cases, made ready for the network. The held-out ones are checked too: a training may
  /// go on for hours before it validates.
  private static func prepareCases(
    _ request: RunRequest, _ reader: CaseReader, in folder: RunFolder
  ) throws -> PreparedCases {
    let heldOutFaults = reader.faults(in: request.heldOut, threads: request.threads)
    let cases: PreparedCases
    do {
      cases = try PreparedCases(
        request.training, reader: reader, preprocessing: request.draft.preprocessing,
        memoryBytes: request.caseBytes, folder: folder.prepared, threads: request.threads)
    } catch let found as TrainingDataErrors {
      throw TrainingDataErrors(errors: found.errors + heldOutFaults)
    }
    guard heldOutFaults.isEmpty else { throw TrainingDataErrors(errors: heldOutFaults) }
    try cases.checkClasses()
    return cases
  }
}
