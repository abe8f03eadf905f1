import Checkpoints
import Foundation
import Training

/// The state of a run in one safetensors file: tensors by `weight.NAME`, `average.NAME`,
/// `running.NAME`, `runningAverage.NAME` and the optimiser's moments; the rest as metadata.
enum TrainingCheckpoint {
  private static let format = "segmentd training 1"

  /// Writes the state; the older checkpoint stays until the new one is whole and synced.
  ///
  /// - Throws: ``TrainingError/unwritable(path:reason:)``, such as on a full disk.
  static func write(_ state: TrainingState, settings: RunSettings, to url: URL)
    throws(TrainingError)
  {
    let places = state.parts.flatMap { part in part.entries.map { (part, $0) } }
    do {
      let metadata = [
        "format": format, "settings": try settings.json(), "step": "\(state.step)",
        "optimiserSteps": "\(state.optimiser.steps)", "seconds": "\(state.seconds)",
        "bestStep": "\(state.best.step)", "bestDice": "\(state.best.dice)",
        "validationsSinceBest": "\(state.best.validationsSince)",
        "validatedStep": "\(state.validatedStep)",
      ]
      try SafetensorsWriter.write(
        places.map { (name: "\($0.prefix).\($1.name)", shape: $1.shape) }, metadata: metadata,
        to: url.path, failure: { (error) -> any Error in error },
        values: { index in
          let (part, entry) = places[index]
          return Array(part.values[entry.range])
        })
    } catch SafetensorsError.unwritable(let path, let reason) {
      throw .unwritable(path: path, reason: reason)
    } catch {
      throw .unwritable(path: url.path, reason: "\(error)")
    }
  }

  /// The step at which a training has ended, by the settings that it was started with; nil where it has not ended, or
  /// where the checkpoint cannot be read, which ``read(_:into:settings:)`` tells.
  static func lastStep(_ url: URL) -> Int? {
    guard let file = try? SafetensorsFile(path: url.path), file.metadata["format"] == format,
      let step = file.metadata["step"].flatMap({ Int($0) }),
      let settings = file.metadata["settings"].flatMap({ try? RunSettings(json: $0) }),
      let steps = settings.values["steps"].flatMap({ Int($0) })
    else { return nil }
    let patience = settings.values["validation.patience"].flatMap { Int($0) } ?? 0
    let waited = file.metadata["validationsSinceBest"].flatMap { Int($0) } ?? 0
    return step >= steps || (patience > 0 && waited >= patience) ? step : nil
  }

  /// Takes over what a checkpoint holds.
  ///
  /// - Throws: ``TrainingError/differentSetting(key:started:now:)`` where the run was started with
  ///   other settings, ``TrainingError/damagedCheckpoint(path:reason:)``.
  static func read(_ url: URL, into state: TrainingState, settings: RunSettings)
    throws(TrainingError)
  {
    let file: SafetensorsFile
    do throws(SafetensorsError) {
      file = try SafetensorsFile(path: url.path)
    } catch {
      throw .damagedCheckpoint(path: url.path, reason: "\(error)")
    }
    func damaged(_ reason: String) -> TrainingError {
      .damagedCheckpoint(path: url.path, reason: reason)
    }
    guard file.metadata["format"] == format else {
      throw damaged("is not a checkpoint of segmentd train")
    }
    guard let text = file.metadata["settings"], let started = try? RunSettings(json: text) else {
      throw damaged("does not say with which settings the run was started")
    }
    if let difference = settings.difference(from: started) {
      throw .differentSetting(
        key: difference.key, started: difference.other, now: difference.own)
    }
    func number<Value: LosslessStringConvertible>(_ key: String) throws(TrainingError) -> Value {
      guard let value = file.metadata[key].flatMap(Value.init) else {
        throw damaged("its metadata has no number \(key)")
      }
      return value
    }
    for part in state.parts {
      for entry in part.entries {
        let name = "\(part.prefix).\(entry.name)"
        guard file.entry(name)?.shape == entry.shape, let values = try? file.floats(name) else {
          throw damaged("has no tensor \(name) of shape \(entry.shape)")
        }
        _ = UnsafeMutableBufferPointer(rebasing: part.values[entry.range]).update(from: values)
      }
    }
    state.step = try number("step")
    state.optimiser.steps = try number("optimiserSteps")
    state.seconds = try number("seconds")
    state.validatedStep = try number("validatedStep")
    state.best = TrainingState.BestValidation(
      step: try number("bestStep"), dice: try number("bestDice"),
      validationsSince: try number("validationsSinceBest"))
  }
}
