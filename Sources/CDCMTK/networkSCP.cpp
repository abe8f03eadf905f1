// A storage SCP with its own accept loop. The accept thread only accepts; each connection has a
// thread, which waits for a complete A-ASSOCIATE-RQ before DCMTK sees the socket, so that a silent
// peer does not hold up the others.

#include "support.h"
#include "networkAssociation.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <list>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

// Connections that have not sent a request yet take a thread each; further ones are closed.
constexpr size_t maximum_waiting_connections = 64;
constexpr size_t maximum_request_length = 128 * 1024;
// An association that is still open so many seconds after the SCP was told to stop is aborted.
constexpr std::chrono::seconds stop_timeout(20);

// DCMTK takes descriptors from a global variable; whoever sets it holds this.
std::mutex external_socket;

std::string errno_text() { return std::strerror(errno); }

/// Whether a whole A-ASSOCIATE-RQ (PS3.8 9.3.2) is in the socket's buffer before the deadline.
bool wait_for_request(int socket, unsigned seconds, const std::atomic<bool> &stopping) {
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  while (Clock::now() < deadline && !stopping) {
    pollfd wait = {socket, POLLIN, 0};
    if (poll(&wait, 1, 100) < 0 && errno != EINTR) return false;
    if (!(wait.revents & (POLLIN | POLLHUP | POLLERR))) continue;
    unsigned char header[6];
    const ssize_t peeked = recv(socket, header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
    if (peeked == 0) return false;
    if (peeked < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (peeked >= 1 && header[0] != 1) return false;
    if (peeked == ssize_t(sizeof header)) {
      const size_t length = size_t(header[2]) << 24 | size_t(header[3]) << 16 |
                            size_t(header[4]) << 8 | size_t(header[5]);
      if (length > maximum_request_length) return false;
      int available = 0;
      if (ioctl(socket, FIONREAD, &available) != 0) return false;
      if (size_t(available) >= length + sizeof header) return true;
    }
    // Data is there but not all of it: poll would return at once.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

std::string address_text(const sockaddr_storage &address, socklen_t length) {
  char host[NI_MAXHOST] = "?";
  getnameinfo(reinterpret_cast<const sockaddr *>(&address), length, host, sizeof host, nullptr, 0,
              NI_NUMERICHOST);
  return host;
}

}  // namespace

struct cdcmtk_scp {
  AssociationSettings settings;
  unsigned request_timeout = 5;
  int listening = -1;
  T_ASC_Network *network = nullptr;
  std::thread accepting;

  struct Connection {
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  std::list<Connection> connections;

  ~cdcmtk_scp() {
    if (listening >= 0) close(listening);
    if (network) ASC_dropNetwork(&network);
  }

  OFCondition initialize(uint16_t port) {
    std::lock_guard<std::mutex> lock(external_socket);
    // With a descriptor set DCMTK opens no listening socket of its own.
    dcmExternalSocketHandle.set(listening);
    const OFCondition condition =
        ASC_initializeNetwork(NET_ACCEPTOR, port, int(request_timeout), &network);
    dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    return condition;
  }

  void accept_loop() {
    while (!settings.stopping) {
      pollfd wait = {listening, POLLIN, 0};
      poll(&wait, 1, 200);
      join_ended();
      if (!(wait.revents & POLLIN)) continue;
      sockaddr_storage address = {};
      socklen_t length = sizeof address;
      const int socket = accept4(listening, reinterpret_cast<sockaddr *>(&address), &length,
                                 SOCK_CLOEXEC);
      if (socket < 0) continue;
      if (connections.size() >= settings.maximum_associations + maximum_waiting_connections) {
        close(socket);
        continue;
      }
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      connections.emplace_back();
      Connection &connection = connections.back();
      const std::string peer = address_text(address, length);
      try {
        connection.thread = std::thread([this, socket, peer, &connection] {
          serve(socket, peer);
          connection.ended = true;
        });
      } catch (const std::system_error &) {
        close(socket);
        connections.pop_back();
      }
    }
  }

  void serve(int socket, const std::string &peer) {
    cdcmtk_guarded(nullptr, [&] {
      if (!wait_for_request(socket, request_timeout, settings.stopping)) {
        close(socket);
        if (!settings.stopping) {
          report_no_association(settings, peer, "no association request");
        }
        return 0;
      }
      T_ASC_Association *association = receive(socket);
      if (association) {
        serve_association(settings, association, socket, peer);
      } else {
        report_no_association(settings, peer, "unusable association request");
      }
      return 0;
    });
  }

  /// Lets DCMTK read the request that waits in the socket, which is then DCMTK's to close.
  T_ASC_Association *receive(int socket) {
    std::lock_guard<std::mutex> lock(external_socket);
    T_ASC_Association *association = nullptr;
    dcmExternalSocketHandle.set(socket);
    const OFCondition condition =
        ASC_receiveAssociation(network, &association, settings.maximum_pdu, nullptr, nullptr,
                               OFFalse, DUL_NOBLOCK, int(request_timeout));
    dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    if (condition.good()) return association;
    if (association) {
      ASC_dropAssociation(association);
      ASC_destroyAssociation(&association);
    } else {
      close(socket);
    }
    return nullptr;
  }

  void join_ended() {
    for (auto connection = connections.begin(); connection != connections.end();) {
      if (connection->ended) {
        connection->thread.join();
        connection = connections.erase(connection);
      } else {
        ++connection;
      }
    }
  }

  void stop() {
    settings.stopping = true;
    if (accepting.joinable()) accepting.join();
    const auto deadline = Clock::now() + stop_timeout;
    while (!connections.empty() && Clock::now() < deadline) {
      join_ended();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    settings.out_of_time = true;
    for (Connection &connection : connections) connection.thread.join();
    connections.clear();
  }
};

namespace {

int listen_on(const char *address, uint16_t port, int *listening, cdcmtk_error *error) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo *found = nullptr;
  const int failure = getaddrinfo(address, std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    return cdcmtk_fail(error, CDCMTK_BAD_DATA, gai_strerror(failure));
  }
  const int socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  // A request must fit the buffer as a whole; accepted sockets inherit the size.
  const int buffer = 1 << 20;
  const bool listens =
      socket >= 0 && setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0 &&
      bind(socket, found->ai_addr, found->ai_addrlen) == 0 && listen(socket, 128) == 0;
  const std::string reason = errno_text();
  freeaddrinfo(found);
  if (!listens) {
    if (socket >= 0) close(socket);
    return cdcmtk_fail(error, CDCMTK_BAD_DATA, reason.c_str());
  }
  *listening = socket;
  return CDCMTK_OK;
}

}  // namespace

int cdcmtk_scp_start(const cdcmtk_scp_options *options, cdcmtk_scp **scp, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    signal(SIGPIPE, SIG_IGN);
    setenv("TCP_NODELAY", "1", 0);
    dcmDisableGethostbyaddr.set(OFTrue);

    auto started = std::make_unique<cdcmtk_scp>();
    started->request_timeout = options->request_timeout;
    started->settings.read(*options);
    const int code = listen_on(options->address, options->port, &started->listening, error);
    if (code != CDCMTK_OK) return code;
    const OFCondition condition = started->initialize(options->port);
    if (condition.bad()) return cdcmtk_fail(error, CDCMTK_UNEXPECTED, condition.text());
    cdcmtk_scp *running = started.release();
    running->accepting = std::thread([running] { running->accept_loop(); });
    *scp = running;
    return int(CDCMTK_OK);
  });
}

void cdcmtk_scp_stop(cdcmtk_scp *scp) {
  if (!scp) return;
  cdcmtk_guarded(nullptr, [&] {
    scp->stop();
    return int(CDCMTK_OK);
  });
  delete scp;
}
