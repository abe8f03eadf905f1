import Foundation
import Testing

@testable import DICOMweb

/// How a server knows us is told to nobody else.
@Suite struct AuthorizationTests {
  @Test func secretsAreNotPrinted() throws {
    let url = try #require(URL(string: "https://pacs.example/dicom-web"))
    for authorization: DICOMwebClient.Authorization in [
      .basic(user: "olga", password: "secret-1"), .bearer(token: "secret-2"),
    ] {
      let client = DICOMwebClient(url: url, authorization: authorization)
      for text in ["\(client)", String(reflecting: client), "\(authorization)"] {
        #expect(!text.contains("secret-"), "\(text)")
      }
      #expect("\(client)".contains("olga") == ("\(authorization)" == "password of olga"))
    }
  }
}
