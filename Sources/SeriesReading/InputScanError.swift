/// An input that is not there.
public enum InputScanError: Error, CustomStringConvertible, Equatable {
  case missing(path: String)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): there is no such file or folder"
    }
  }
}
