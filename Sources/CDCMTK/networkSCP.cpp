// A storage SCP with its own accept loop. The accept thread only accepts; each connection has a
// thread, which reads a complete A-ASSOCIATE-RQ before DCMTK sees it, so that a silent peer does not
// hold up the others.

#include "support.h"
#include "networkAssociation.h"
#include "networkRequest.h"
#include "networkTLS.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <thread>

namespace {

// Threads of connections that were dismissed and say farewell, beyond those that are counted.
constexpr size_t leaving_connections = 64;
// An object that is still on its way so many seconds after the SCP was told to stop is given up.
constexpr std::chrono::seconds stop_timeout(3);

// A peer speaks first: one that says nothing stays with the kernel for so many seconds, where it costs
// next to nothing.
constexpr int silent_seconds = 2;
constexpr int backlog = 1024;

// DCMTK takes descriptors from a global variable; whoever sets it holds this.
std::mutex external_socket;

std::string errno_text() { return std::strerror(errno); }

/// An IPv4 address that came over an IPv6 socket is told as what it is.
std::string address_text(const sockaddr_storage &address, socklen_t length) {
  char host[NI_MAXHOST] = "?";
  getnameinfo(reinterpret_cast<const sockaddr *>(&address), length, host, sizeof host, nullptr, 0,
              NI_NUMERICHOST);
  const std::string text = host;
  const std::string mapped = "::ffff:";
  return text.compare(0, mapped.size(), mapped) == 0 ? text.substr(mapped.size()) : text;
}

}  // namespace

struct cdcmtk_scp {
  AssociationSettings settings;
  TLSContext tls;
  std::unique_ptr<Peers> peers;
  int listening = -1;
  T_ASC_Network *network = nullptr;
  ConnectionLayer layer;
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
    OFCondition condition = ASC_initializeNetwork(
        NET_ACCEPTOR, port, int(settings.limits.request_seconds), &network);
    dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    if (condition.good()) condition = ASC_setTransportLayer(network, &layer, 0);
    return condition;
  }

  void accept_loop() {
    const size_t most = settings.limits.maximum_associations + settings.limits.maximum_waiting +
                        leaving_connections;
    while (!settings.stopping) {
      if (settings.beat) settings.beat(settings.context);
      pollfd wait = {listening, POLLIN, 0};
      poll(&wait, 1, 200);
      join_ended();
      // The kernel keeps further connections until there is a place.
      if (!(wait.revents & POLLIN)) continue;
      if (connections.size() >= most) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        continue;
      }
      sockaddr_storage address = {};
      socklen_t length = sizeof address;
      const int socket = accept4(listening, reinterpret_cast<sockaddr *>(&address), &length,
                                 SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (socket < 0) {
        // Where no descriptor is left, the connection stays ready to be accepted.
        if (errno == EMFILE || errno == ENFILE) {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        continue;
      }
      start(socket, address_text(address, length));
    }
  }

  void start(int socket, const std::string &address) {
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    connections.emplace_back();
    Connection &connection = connections.back();
    try {
      connection.thread = std::thread([this, socket, address, &connection] {
        cdcmtk_guarded(nullptr, [&] {
          serve(socket, address);
          return 0;
        });
        connection.ended = true;
      });
    } catch (const std::system_error &) {
      close(socket);
      connections.pop_back();
    }
  }

  void serve(int socket, const std::string &address) {
    PeerConnection connection(socket, tls.get(), settings.limits.pdu_seconds,
                              AssociationSettings::maximum_pdu);
    Peers::Peer peer(*peers, connection, address);
    const auto deadline = Clock::now() + std::chrono::seconds(settings.limits.request_seconds);
    const std::string *request = nullptr;
    if (connection.handshake(deadline)) request = connection.read_request(deadline);
    if (!request) return refuse_connection(settings, connection, address);
    const AssociationIdentity identity = identify(*request, address);
    if (!admit(settings, *request, identity, connection, peer)) return;
    T_ASC_Association *association = receive(connection);
    if (association) {
      serve_association(settings, association, identity, connection, peer);
    } else {
      report(settings, identity, CDCMTK_EVENT_NO_ASSOCIATION,
             "the association request cannot be read");
      connection.abort(AbortSource::provider, AbortReason::invalid_parameter);
    }
  }

  /// Lets DCMTK read the request, which is in memory.
  T_ASC_Association *receive(PeerConnection &connection) {
    std::lock_guard<std::mutex> lock(external_socket);
    T_ASC_Association *association = nullptr;
    layer.next = &connection;
    connection.set_muted(true);
    dcmExternalSocketHandle.set(connection.socket());
    const OFCondition condition = ASC_receiveAssociation(
        network, &association, AssociationSettings::maximum_pdu, nullptr, nullptr, OFFalse,
        DUL_NOBLOCK, int(settings.limits.request_seconds));
    dcmExternalSocketHandle.set(DCMNET_INVALID_SOCKET);
    if (condition.bad() && association) {
      ASC_dropAssociation(association);
      ASC_destroyAssociation(&association);
    }
    connection.set_muted(false);
    return condition.good() ? association : nullptr;
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
    while (!connections.empty()) {
      peers->interrupt("segmentd is stopping", Clock::now() >= deadline);
      join_ended();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
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
  const int on = 1, buffer = 1 << 20;
  const bool listens =
      socket >= 0 && setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0 &&
      bind(socket, found->ai_addr, found->ai_addrlen) == 0 && listen(socket, backlog) == 0;
  const std::string reason = errno_text();
  (void)setsockopt(socket, IPPROTO_TCP, TCP_DEFER_ACCEPT, &silent_seconds, sizeof silent_seconds);
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
    started->settings.read(*options);
    started->peers = std::make_unique<Peers>(options->limits);
    if (options->tls) {
      std::string reason;
      started->tls = make_tls_context(*options->tls, reason);
      if (!started->tls) return cdcmtk_fail(error, CDCMTK_BAD_DATA, reason.c_str());
    }
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
