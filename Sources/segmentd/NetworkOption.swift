import ArgumentParser
import Foundation
import UNETRPP
import Yams

/// The network of `--variant`: a published one by name, or a YAML file that describes one.
func networkDescription(_ variant: String) throws -> NetworkDescription {
  switch variant {
  case "synapse": return .synapse
  case "acdc": return .acdc
  case "lung": return .lung
  case "tumor": return .tumor
  default: break
  }
  guard let text = FileManager.default.contents(atPath: variant) else {
    throw ValidationError(
      "--variant \(variant) is neither synapse, acdc, lung, tumor nor a readable file")
  }
  do {
    let description = try YAMLDecoder().decode(NetworkDescription.self, from: text)
    try description.validate()
    return description
  } catch let error as NetworkError {
    throw error
  } catch {
    throw ValidationError("\(variant) does not describe a network: \(error)")
  }
}

/// The largest resident memory that this process has had, in MB of 2^20 bytes.
func peakMemoryMB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / 1024
}

/// The median of at least one value.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
