import Foundation

/// Worker threads; 0 asks for one a processor.
public func threadCount(_ asked: Int) -> Int {
  asked > 0 ? asked : ProcessInfo.processInfo.activeProcessorCount
}
