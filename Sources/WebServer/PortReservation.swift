import FileSystem
import Glibc

/// A port that is taken and not listened to yet. Who else wants it finds it taken as soon as the server
/// listens, which it may do next to this socket (socket(7), SO_REUSEADDR).
public final class PortReservation: Sendable {
  private let descriptor: Int32

  /// - Parameters:
  ///   - address: IPv4 or IPv6, in numbers.
  ///   - port: of TCP.
  /// - Throws: the error of the system, as where another program listens there.
  public init(_ address: String, _ port: Int) throws(SystemError) {
    var four = sockaddr_in()
    four.sin_family = sa_family_t(AF_INET)
    four.sin_port = in_port_t(port).bigEndian
    var six = sockaddr_in6()
    six.sin6_family = sa_family_t(AF_INET6)
    six.sin6_port = in_port_t(port).bigEndian
    let isFour = inet_pton(AF_INET, address, &four.sin_addr) == 1
    guard isFour || inet_pton(AF_INET6, address, &six.sin6_addr) == 1 else {
      throw SystemError(EADDRNOTAVAIL)
    }
    descriptor = socket(
      isFour ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError() }
    var on: Int32 = 1
    setsockopt(
      descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    let result = isFour ? Self.bind(descriptor, four) : Self.bind(descriptor, six)
    if result != 0 {
      let error = SystemError()
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  private static func bind<Address>(_ descriptor: Int32, _ address: Address) -> Int32 {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
  }
}
