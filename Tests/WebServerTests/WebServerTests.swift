import Credentials
import DICOMNetwork
import Foundation
import Hummingbird
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import WebServer

/// A route that says who asks and how many bytes came.
private final class Echo: WebRoutes {
  private let isSlowStarted = Mutex(false)
  /// Whether the slow route has begun.
  var hasSlowStarted: Bool { isSlowStarted.withLock { $0 } }

  func add(to router: Router<WebRequestContext>) {
    router.post("echo") { request, context in
      if request.headers[.expect] != nil { context.connection?.goOn() }
      var count = 0
      for try await buffer in request.body { count += buffer.readableBytes }
      let isWhole = context.connection?.isRequestWhole == true
      return Response.text(.ok, "\(context.client ?? "nobody") \(count) \(isWhole)")
    }
    router.post("refuse") { _, _ in
      Response.text(.forbidden, "no", [.connection: "close"])
    }
    router.get("slow") { [self] _, _ in
      isSlowStarted.withLock { $0 = true }
      try await Task.sleep(for: .seconds(1))
      return Response.text(.ok, "slow")
    }
  }
}

/// The server with curl and with clients that do what they should not.
@Suite(.limitedConcurrency) struct WebServerTests {
  private let port: Int
  private let folder: TemporaryFolder
  private let echo = Echo()

  init() throws {
    port = try freePort()
    folder = try TemporaryFolder()
  }

  private func configured(_ change: (inout WebServerConfiguration) -> Void)
    -> WebServerConfiguration
  {
    var configuration = WebServerConfiguration(address: "127.0.0.1", port: port)
    change(&configuration)
    return configuration
  }

  /// Runs a server as long as the body does, and shuts it down.
  private func withServer(
    _ configuration: WebServerConfiguration? = nil, _ body: () async throws -> Void
  ) async throws {
    let configuration = configuration ?? configured { _ in }
    let server = try HTTPServer(
      configuration, routes: [echo],
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await server.run(at: port, while: body)
  }

  private func curl(_ path: String, _ options: String..., scheme: String = "http") async throws
    -> (code: String, text: String)
  {
    let result = try await runProcess(
      "/usr/bin/curl",
      ["-sS", "-w", "\n%{http_code}", "--noproxy", "*"] + options
        + ["\(scheme)://127.0.0.1:\(port)\(path)"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
  }

  /// Sends bytes by a script of Python, which prints what it reads until the server closes.
  private func raw(_ script: String) async throws -> String {
    let start = """
      import socket, sys, time
      def connect():
          c = socket.create_connection(("127.0.0.1", \(port)))
          c.settimeout(900)
          return c
      def rest(c):
          data = b""
          try:
              while (more := c.recv(65536)): data += more
          except ConnectionError: pass
          return data.decode()
      def until(c, words):
          data = b""
          while words not in data and (more := c.recv(65536)): data += more
          return data.decode()

      """
    return try await runProcess(testPython, ["-c", start + script]).output
  }

  @Test func requests() async throws {
    try await withServer {
      #expect(try await curl("/echo", "-d", "12345") == ("200", "nobody 5 true\n"))
      let large = folder.url.appendingPathComponent("large")
      try Data(count: 3 << 20).write(to: large)
      for options in [["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]] {
        let answer = try await curl(
          "/echo", "--data-binary", "@\(large.path)", options[0], options[1])
        #expect(answer == ("200", "nobody \(3 << 20) true\n"))
      }
      #expect(try await curl("/other").code == "404")
      let long = String(repeating: "x", count: 40_000)
      #expect(try await curl("/echo", "-H", "X: \(long)", "-d", "1").code == "400")
      let verbose = try await curl("/echo", "-v", "-H", "Expect: 100-continue", "-d", "1")
      #expect(verbose.text.contains("HTTP/1.1 100 Continue"), "\(verbose.text)")
      #expect(
        try await raw("c = connect(); c.sendall(b'no HTTP\\r\\n\\r\\n'); print(rest(c))")
          .contains("400"))
    }
  }

  /// Two requests over one connection, and a refused body that is not read to its end.
  @Test func connectionsAreKeptAndClosed() async throws {
    try await withServer {
      let twice = try await raw(
        """
        c, answers = connect(), ""
        for i in range(2):
            c.sendall(b"POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nabc")
            answers += until(c, b"nobody 3 true")
        c.shutdown(socket.SHUT_WR)
        print((answers + rest(c)).count("nobody 3 true"))
        """)
      #expect(twice == "2\n")
      let refused = try await raw(
        """
        c = connect()
        c.sendall(b"POST /refuse HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 300000000\\r\\n\\r\\nabc")
        print(rest(c))
        """)
      #expect(refused.contains("403"))
    }
  }

  @Test func addresses() async throws {
    for (range, code) in [("10.0.0.0/8", "403"), ("127.0.0.0/8", "200")] {
      let configuration = configured {
        $0.access.addresses = [AddressRange(range)].compactMap(\.self)
      }
      try await withServer(configuration) {
        let answer = try await curl("/echo", "-d", "1")
        #expect(answer.code == code)
      }
    }
  }

  @Test func passwordsAndTokens() async throws {
    let hash = try SecretHash(of: "geheim:ü", rounds: 210_000)
    let here = [AddressRange("127.0.0.1")].compactMap(\.self)
    let elsewhere = [AddressRange("10.0.0.0/8")].compactMap(\.self)
    func client(_ name: String, _ kind: Credential.Kind, _ addresses: [AddressRange])
      -> WebAccess.Client
    {
      .init(credential: Credential(name: name, kind: kind, hash: hash), addresses: addresses)
    }
    let configuration = configured {
      $0.access.clients = [
        client("ct1", .password, here), client("ct2", .password, elsewhere),
        client("gate", .token, []),
      ]
    }
    try await withServer(configuration) {
      let none = try await curl("/echo", "-i", "-d", "1")
      #expect(none.code == "401" && none.text.contains("WWW-Authenticate: Basic"), "\(none)")
      #expect(none.text.contains("WWW-Authenticate: Bearer"))
      #expect(try await curl("/echo", "-d", "1", "-u", "ct1:geheim:ü") == ("200", "ct1 1 true\n"))
      #expect(try await curl("/echo", "-d", "1", "-u", "ct2:geheim:ü").code == "403")
      let token = try await curl("/echo", "-d", "1", "-H", "Authorization: Bearer geheim:ü")
      #expect(token == ("200", "gate 1 true\n"))
      for odd in ["Basic x", "Basic Zw==", "Digest a", "Bearer", "geheim:ü", ""] {
        #expect(try await curl("/echo", "-d", "1", "-H", "Authorization: \(odd)").code == "401")
      }
      #expect(try await curl("/other", "-d", "1").code == "401")
      // The same one again is no other guess.
      for number in 0..<CredentialCheck.maximumFailures {
        for _ in 0..<2 {
          #expect(try await curl("/echo", "-d", "1", "-u", "ct1:wrong\(number)").code == "401")
        }
      }
      let waits = try await curl("/echo", "-i", "-d", "1", "-u", "ct1:wrong")
      #expect(waits.code == "429" && waits.text.lowercased().contains("retry-after: 60"))
      // Who is known goes on.
      #expect(try await curl("/echo", "-d", "1", "-u", "ct1:geheim:ü").code == "200")
    }
  }

  @Test(arguments: TransportSecurity.ClientCertificates.allCases)
  func certificates(clients: TransportSecurity.ClientCertificates) async throws {
    let place = folder.url.path
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/certificates.sh")
    #expect(try await runProcess("/bin/bash", [script.path, place]).status == 0)
    let security = TransportSecurity(
      certificate: "\(place)/server.pem", key: "\(place)/server.key", clientCertificates: clients,
      trusted: "\(place)/ca.pem")
    try await withServer(configured { $0.security = security }) {
      func code(_ options: String...) async throws -> String {
        let result = try await runProcess(
          "/usr/bin/curl",
          [
            "-sS", "-o", "/dev/null", "-w", "\n%{http_code}", "--cacert", "\(place)/ca.pem", "-d",
            "1",
          ]
            + options + ["https://127.0.0.1:\(port)/echo"])
        return result.output.split(separator: "\n").last.map(String.init) ?? ""
      }
      func shown(_ name: String, _ more: String...) async throws -> String {
        try await runProcess(
          "/usr/bin/curl",
          [
            "-sS", "-o", "/dev/null", "-w", "\n%{http_code}", "--cacert", "\(place)/ca.pem", "-d",
            "1", "--cert", "\(place)/\(name).pem", "--key", "\(place)/\(name).key",
            "https://127.0.0.1:\(port)/echo",
          ]
        ).output.split(separator: "\n").last.map(String.init) ?? ""
      }
      #expect(try await code() == (clients == .require ? "000" : "200"))
      #expect(
        try await code("--tlsv1.2", "--tls-max", "1.2") == (clients == .require ? "000" : "200"))
      #expect(try await code("--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0") == "000")
      #expect(
        try await code("--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-SHA256:AES128-SHA")
          == "000")
      #expect(try await shown("client") == "200")
      let foreign = try await shown("foreign-client")
      #expect(foreign == (clients == .none ? "200" : "000"))
      #expect(try await shown("expired-client") == (clients == .none ? "200" : "000"))
      // Without TLS nobody is answered.
      #expect(try await curl("/echo", "-d", "1").code == "000")
    }
  }

  @Test func certificatesThatCannotBeUsed() {
    var configuration = WebServerConfiguration(address: "127.0.0.1", port: port)
    configuration.security = TransportSecurity(certificate: "/no/file", key: "/no/key")
    #expect(throws: WebServerError.self) {
      try HTTPServer(configuration, routes: [], logger: Logger(label: "test"))
    }
  }

  @Test func aPortThatIsTaken() async throws {
    try await withServer {
      let error = #expect(throws: WebServerError.self) {
        try HTTPServer(
          WebServerConfiguration(address: "127.0.0.1", port: port), routes: [],
          logger: Logger(label: "test"))
      }
      #expect(
        error?.description.contains("Address already in use") == true,
        "\(String(describing: error))")
    }
  }

  /// Who does not end a header, or stops in a body, is told so and cut off.
  @Test func slowClients() async throws {
    try await withServer(
      configured {
        $0.limits.headerSeconds = 1
        $0.limits.bodySeconds = 1
        $0.limits.idleSeconds = 1
      }
    ) {
      let head = try await raw(
        "c = connect(); c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\n'); print(rest(c))")
      #expect(head.contains("408"), "\(head)")
      #expect(try await raw("c = connect(); print(len(rest(c)) > 0)") == "True\n")
      let body = try await raw(
        """
        c = connect()
        c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 10\\r\\n\\r\\nabc')
        print(rest(c))
        """)
      #expect(body.contains("408"), "\(body)")
      // Each byte comes in time, and together they are too few.
      let drip = try await raw(
        """
        c = connect()
        c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 100000\\r\\n\\r\\n')
        c.settimeout(0.1)
        data = b""
        try:
            while True:
                try:
                    more = c.recv(65536)
                    if not more: break
                    data += more
                except TimeoutError:
                    c.sendall(b"x")
        except ConnectionError: pass
        print(data.decode())
        """)
      #expect(drip.contains("408"), "\(drip)")
    }
    // A connection without a further request ends; its first one has time, however busy the machine is.
    try await withServer(
      configured {
        $0.limits.headerSeconds = 900
        $0.limits.bodySeconds = 900
        $0.limits.idleSeconds = 1
      }
    ) {
      let idle = try await raw(
        """
        c = connect()
        c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nabc')
        print(rest(c))
        """)
      #expect(idle.contains("nobody 3 true") && !idle.contains("408"), "\(idle)")
    }
  }

  /// Beyond the limits idle connections make room; where all are busy, a new one is told to wait.
  @Test func manyConnections() async throws {
    try await withServer(
      configured {
        $0.limits.connectionsPerAddress = 4
        $0.limits.headerSeconds = 60
      }
    ) {
      let idle = try await raw(
        """
        idle = [connect() for i in range(20)]
        time.sleep(0.5)
        c = connect()
        c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nabc')
        print(until(c, b"nobody 3 true"))
        """)
      #expect(idle.contains("nobody 3 true"), "\(idle)")
      let busy = try await raw(
        """
        # Some of the idle ones may not have been noticed as closed yet.
        busy = []
        while len(busy) < 4:
            c = connect()
            try:
                c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nExpect: 100-continue\\r\\n')
                c.sendall(b'Content-Length: 3\\r\\n\\r\\n')
                if b'100 Continue' in c.recv(1000):
                    c.sendall(b'a')
                    busy.append(c)
            except ConnectionError: pass
        c = connect()
        c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nabc')
        print(rest(c))
        for c in busy:
            c.sendall(b'bc')
        print([c.recv(1000).decode().count('nobody 3') for c in busy])
        """)
      #expect(busy.contains("503") && busy.lowercased().contains("retry-after: 30"), "\(busy)")
      #expect(busy.contains("[1, 1, 1, 1]"), "\(busy)")
    }
  }

  /// What is under way ends; what does not is cut off.
  @Test func shutdown() async throws {
    let log = folder.url.appendingPathComponent("log")
    var slow: ChildProcess?
    var silent: ChildProcess?
    try await withServer {
      slow = try ChildProcess(
        "/usr/bin/curl", ["-sS", "http://127.0.0.1:\(port)/slow"], log: log)
      silent = try ChildProcess(
        testPython,
        [
          "-c",
          """
          import socket
          c = socket.create_connection(("127.0.0.1", \(port)))
          c.sendall(b'POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\na')
          print("ready", flush=True)
          c.settimeout(900)
          while c.recv(1000): pass
          """,
        ], log: folder.url.appendingPathComponent("silent"))
      try await waitUntil("both clients") {
        silent?.output.contains("ready") == true && echo.hasSlowStarted
      }
    }
    try await waitUntil("the ends") { slow?.isRunning == false && silent?.isRunning == false }
    #expect(slow?.output == "slow\n")
  }
}
