import Training

extension TrainingRun {
  /// Reads and checks the training cases, and makes the run ready.
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
    let cases = try PreparedCases(
      request.training, reader: reader, preprocessing: draft.preprocessing,
      memoryBytes: request.caseBytes, folder: folder.prepared, threads: request.threads)
    try cases.checkClasses()
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
}
