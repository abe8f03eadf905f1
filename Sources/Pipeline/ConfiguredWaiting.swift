import ConfigurationFile
import Explanation

extension SiteConfiguration {
  /// How long series wait, for what people are told of it.
  public var waitingTimes: WaitingTimes {
    WaitingTimes(
      quietPeriod: assembly.quietSeconds, missingPeriod: assembly.incompleteSeconds,
      patience: querySource?.patienceSeconds)
  }
}
