import ConfigurationFile
import DICOMweb
import FileSystem
import Foundation

extension DICOMwebClient.Authorization {
  /// How we show a DICOMweb service who we are, by the first line of a file.
  ///
  /// - Parameters:
  ///   - user: whose password is in `passwordFile`.
  ///   - passwordFile: nil where there is no password.
  ///   - tokenFile: of a bearer token; nil where there is none.
  ///   - isPrivate: whether a file that others can read is refused.
  /// - Throws: `ConfigurationError.invalid`
  init(user: String?, passwordFile: String?, tokenFile: String?, isPrivate: Bool)
    throws(ConfigurationError)
  {
    if let user, let passwordFile {
      self = .basic(user: user, password: try Self.secret(passwordFile, isPrivate: isPrivate))
    } else if let tokenFile {
      self = .bearer(token: try Self.secret(tokenFile, isPrivate: isPrivate))
    } else {
      self = .none
    }
  }

  private static func secret(_ file: String, isPrivate: Bool) throws(ConfigurationError) -> String {
    if isPrivate, let fault = SecretFile.fault(file) {
      throw .invalid(file: file, line: nil, message: fault)
    }
    do {
      let text = try String(contentsOfFile: file, encoding: .utf8)
      return text.components(separatedBy: .newlines).first ?? ""
    } catch {
      throw .invalid(
        file: file, line: nil, message: "cannot be read: \(SystemError.text(of: error))")
    }
  }
}

extension SiteConfiguration.Destination.STOW {
  var authorization: DICOMwebClient.Authorization {
    get throws(ConfigurationError) {
      try .init(user: user, passwordFile: passwordFile, tokenFile: tokenFile, isPrivate: true)
    }
  }
}

extension SiteConfiguration.QuerySource.DICOMweb {
  var authorization: DICOMwebClient.Authorization {
    get throws(ConfigurationError) {
      try .init(user: user, passwordFile: passwordFile, tokenFile: tokenFile, isPrivate: false)
    }
  }
}
