#include "networkConnection.h"

#include "networkTLS.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 128 presentation contexts with every transfer syntax take half of it.
constexpr size_t maximum_request = 128 * 1024;

}  // namespace

PeerConnection::PeerConnection(int socket, SSL_CTX *tls, unsigned pdu_seconds, long maximum_pdu)
    : socket_(socket), wanted_(POLLIN), pdu_time_(pdu_seconds), framing_(size_t(maximum_pdu)) {
  if (!tls) return;
  ssl_ = SSL_new(tls);
  if (ssl_) SSL_set_fd(ssl_, socket_);
}

PeerConnection::PeerConnection(int socket, SSL *client, unsigned pdu_seconds, long maximum_pdu)
    : socket_(socket), ssl_(client), wanted_(POLLIN), pdu_time_(pdu_seconds),
      framing_(size_t(maximum_pdu)) {
  if (!ssl_) return;
  // OpenSSL must not block beyond a deadline.
  (void)fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
  SSL_set_fd(ssl_, socket_);
}

PeerConnection::~PeerConnection() {
  close();
  if (ssl_) SSL_free(ssl_);
}

bool PeerConnection::fail(ConnectionEnd end, const std::string &words, AbortReason reason) {
  if (end_ == ConnectionEnd::open) {
    end_ = end;
    failure_ = words;
    abort_reason_ = reason;
  }
  return false;
}

bool PeerConnection::is_interrupted() {
  const char *why = interruption_;
  if (why) fail(ConnectionEnd::interrupted, why);
  return why != nullptr;
}

void PeerConnection::interrupt(const char *why) {
  std::lock_guard<std::mutex> lock(closing_);
  interruption_ = why;
  // Wakes whoever waits for input; an A-ABORT can still be sent.
  if (socket_ >= 0) shutdown(socket_, SHUT_RD);
}

bool PeerConnection::has_begun() {
  std::lock_guard<std::mutex> lock(closing_);
  int waiting = 0;
  return has_begun_ || (socket_ >= 0 && ioctl(socket_, FIONREAD, &waiting) == 0 && waiting > 0);
}

void PeerConnection::give_up(const std::string &why) { fail(ConnectionEnd::violated, why); }

void PeerConnection::set_deadline(Clock::time_point deadline, const char *what) {
  deadline_ = deadline;
  deadline_of_ = what;
}

std::string PeerConnection::late() const {
  if (command_deadline_ < std::min(deadline_, pdu_deadline_)) return "a command set took too long";
  return deadline_ <= pdu_deadline_ ? std::string(deadline_of_) + " took too long"
                                    : "a PDU took too long";
}

bool PeerConnection::wait(Clock::time_point deadline) {
  for (;;) {
    if (is_interrupted()) return false;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return fail(ConnectionEnd::timed_out, late());
    pollfd waiting = {socket_, wanted_, 0};
    const int ready = poll(&waiting, 1, int(std::min<long long>(left.count() + 1, 60'000)));
    if (ready > 0) return !is_interrupted();
    if (ready < 0 && errno != EINTR) return fail(ConnectionEnd::closed, std::strerror(errno));
  }
}

PeerConnection::Transfer PeerConnection::receive(void *buffer, size_t count, size_t &received) {
  wanted_ = POLLIN;
  if (!ssl_) {
    const ssize_t got = recv(socket_, buffer, count, MSG_DONTWAIT);
    received = got > 0 ? size_t(got) : 0;
    has_begun_ = has_begun_ || got > 0;
    if (got > 0) return Transfer::done;
    const bool again = got < 0 && (errno == EAGAIN || errno == EINTR);
    return again ? Transfer::again : Transfer::closed;
  }
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, buffer, count, &received);
  if (result == 1) return Transfer::done;
  received = 0;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return Transfer::again;
    case SSL_ERROR_WANT_WRITE: wanted_ = POLLOUT; return Transfer::again;
    case SSL_ERROR_ZERO_RETURN: return Transfer::closed;
    default:
      established_ = false;
      fail(ConnectionEnd::closed, "TLS failed: " + tls_failure(ssl_, result));
      return Transfer::closed;
  }
}

bool PeerConnection::read_exactly(uint8_t *buffer, size_t count, Clock::time_point deadline) {
  while (count > 0) {
    size_t received = 0;
    switch (receive(buffer, count, received)) {
      case Transfer::done:
        buffer += received, count -= received;
        break;
      case Transfer::again:
        if (!wait(deadline)) return false;
        break;
      case Transfer::closed:
        if (is_interrupted()) return false;
        return fail(ConnectionEnd::closed, "the connection was closed");
    }
  }
  return true;
}

bool PeerConnection::handshake(Clock::time_point deadline) {
  if (!ssl_) return true;
  uint8_t first = 0;
  set_deadline(deadline, "the TLS handshake");
  // Looked at before OpenSSL sees it: a peer without TLS is answered in its own language.
  for (;;) {
    const ssize_t peeked = recv(socket_, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    has_begun_ = peeked == 1;
    if (peeked == 1) break;
    if (peeked == 0 || (errno != EAGAIN && errno != EINTR)) {
      return fail(ConnectionEnd::closed, "the connection was closed before the TLS handshake");
    }
    if (!wait(deadline)) return false;
  }
  // The type of a TLS record with a handshake (RFC 8446 5.1).
  if (first != 0x16) {
    is_without_tls_ = true;
    return fail(ConnectionEnd::violated, first == PDU_ASSOCIATE_RQ
                                             ? "the peer speaks DICOM without TLS"
                                             : "the peer does not speak TLS");
  }
  return handshake(SSL_accept, deadline);
}

bool PeerConnection::client_handshake(Clock::time_point deadline) {
  if (!ssl_) return true;
  set_deadline(deadline, "the TLS handshake");
  return handshake(SSL_connect, deadline);
}

bool PeerConnection::handshake(int (*step)(SSL *), Clock::time_point deadline) {
  for (;;) {
    ERR_clear_error();
    const int result = step(ssl_);
    if (result == 1) break;
    const int error = SSL_get_error(ssl_, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return fail(ConnectionEnd::violated, "TLS handshake failed: " + tls_failure(ssl_, result));
    }
    wanted_ = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    if (!wait(deadline)) return false;
  }
  established_ = true;
  clear_deadline();
  return true;
}

const std::string *PeerConnection::read_request(Clock::time_point deadline) {
  set_deadline(deadline, "the association request");
  uint8_t header[6];
  // The first byte tells who speaks here.
  if (!read_exactly(header, 1, deadline)) return nullptr;
  if (const char *fault = first_pdu_fault(header[0])) {
    const bool is_known = header[0] >= PDU_ASSOCIATE_RQ && header[0] <= PDU_ABORT;
    fail(ConnectionEnd::violated, fault,
         is_known ? AbortReason::unexpected_pdu : AbortReason::unrecognized_pdu);
    return nullptr;
  }
  return read_establishment(header, "an association request", deadline) ? &request_ : nullptr;
}

bool PeerConnection::read_reply(Clock::time_point deadline) {
  set_deadline(deadline, "the answer to the association request");
  uint8_t header[6];
  if (!read_exactly(header, 1, deadline)) return false;
  if (header[0] != PDU_ASSOCIATE_AC && header[0] != PDU_ASSOCIATE_RJ && header[0] != PDU_ABORT) {
    return fail(ConnectionEnd::violated, "the peer does not answer in DICOM");
  }
  return read_establishment(header, "an answer to an association request", deadline);
}

/// Reads the PDU of which the first byte is there.
bool PeerConnection::read_establishment(const uint8_t *first, const char *what,
                                        Clock::time_point deadline) {
  uint8_t header[6] = {*first};
  if (!read_exactly(header + 1, 5, deadline)) return false;
  const size_t length = pdu_length(header);
  if (length > maximum_request) {
    return fail(ConnectionEnd::violated,
                std::string(what) + " of " + std::to_string(length) + " bytes",
                AbortReason::invalid_parameter);
  }
  request_.assign(reinterpret_cast<char *>(header), sizeof header);
  request_.resize(sizeof header + length);
  if (!read_exactly(reinterpret_cast<uint8_t *>(&request_[sizeof header]), length, deadline)) {
    return false;
  }
  clear_deadline();
  return true;
}

bool PeerConnection::read_header() {
  while (header_count_ < sizeof header_) {
    size_t received = 0;
    const Transfer transfer =
        receive(header_ + header_count_, sizeof header_ - header_count_, received);
    if (transfer == Transfer::closed) {
      if (is_interrupted()) return false;
      return fail(ConnectionEnd::closed, "the connection was closed");
    }
    if (received > 0 && header_count_ == 0) pdu_deadline_ = Clock::now() + pdu_time_;
    header_count_ += received;
    if (transfer == Transfer::again && !wait(pdu_deadline())) return false;
  }
  return check_header();
}

bool PeerConnection::check_header() {
  bool is_unrecognized = false;
  const char *fault = framing_.begin(header_, is_unrecognized);
  if (!fault) return true;
  const bool is_unexpected = header_[0] < PDU_DATA;
  return fail(ConnectionEnd::violated, fault,
              is_unrecognized ? AbortReason::unrecognized_pdu
              : is_unexpected ? AbortReason::unexpected_pdu
                              : AbortReason::invalid_parameter);
}

void PeerConnection::follow_command() {
  if (!framing_.is_within_command()) {
    command_deadline_ = Clock::time_point::max();
  } else if (command_deadline_ == Clock::time_point::max()) {
    command_deadline_ = Clock::now() + pdu_time_;
  }
}

Incoming PeerConnection::incoming(int timeout) {
  if (end_ != ConnectionEnd::open || is_interrupted()) return Incoming::closed;
  if (Clock::now() > message_deadline()) {
    fail(ConnectionEnd::timed_out, late());
    return Incoming::closed;
  }
  if (request_given_ < request_.size() || framing_.rest() > 0) return Incoming::data;
  const auto until = Clock::now() + milliseconds(timeout);
  while (header_count_ == 0) {
    size_t received = 0;
    const Transfer transfer = receive(header_, sizeof header_, received);
    if (transfer == Transfer::closed) {
      if (!is_interrupted()) fail(ConnectionEnd::closed, "the connection was closed");
      return Incoming::closed;
    }
    header_count_ = received;
    if (received > 0) {
      pdu_deadline_ = Clock::now() + pdu_time_;
      if (received == sizeof header_ && !check_header()) return Incoming::closed;
      break;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    if (left <= 0) return Incoming::nothing;
    pollfd waiting = {socket_, wanted_, 0};
    (void)poll(&waiting, 1, int(left) + 1);
  }
  // DCMTK does not tell an A-ABORT from a closed connection.
  return header_[0] == PDU_ABORT ? Incoming::abort : Incoming::data;
}

bool PeerConnection::data_available(int timeout) {
  // Within a PDU there is something to wait for, for as long as `read` does.
  const bool is_within = request_given_ < request_.size() || header_count_ > 0 ||
                         framing_.rest() > 0 || end_ != ConnectionEnd::open;
  return is_within || incoming(std::max(timeout, 0) * 1000) != Incoming::nothing;
}

ssize_t PeerConnection::read(void *buffer, size_t count) {
  // What was sent before an interruption, and whatever comes after it, could still be read.
  if (end_ != ConnectionEnd::open || is_interrupted()) return 0;
  if (request_given_ < request_.size()) {
    const size_t part = std::min(count, request_.size() - request_given_);
    memcpy(buffer, request_.data() + request_given_, part);
    request_given_ += part;
    if (request_given_ == request_.size()) {
      request_.clear();
      request_.shrink_to_fit();
      request_given_ = 0;
    }
    return ssize_t(part);
  }
  if (framing_.rest() == 0 || header_count_ > 0) {
    if (header_given_ == 0 && !read_header()) return 0;
    const size_t part = std::min(count, sizeof header_ - header_given_);
    memcpy(buffer, header_ + header_given_, part);
    header_given_ += part;
    if (header_given_ == sizeof header_) {
      header_given_ = header_count_ = 0;
      if (framing_.rest() == 0) pdu_deadline_ = Clock::time_point::max();
    }
    return ssize_t(part);
  }
  for (;;) {
    size_t received = 0;
    switch (receive(buffer, std::min(count, framing_.rest()), received)) {
      case Transfer::done:
        if (const char *fault = framing_.take(static_cast<uint8_t *>(buffer), received)) {
          fail(ConnectionEnd::violated, fault, AbortReason::invalid_parameter);
          return 0;
        }
        if (framing_.rest() == 0) pdu_deadline_ = Clock::time_point::max();
        follow_command();
        return ssize_t(received);
      case Transfer::again:
        if (!wait(pdu_deadline())) return 0;
        break;
      case Transfer::closed:
        if (!is_interrupted()) fail(ConnectionEnd::closed, "the connection was closed");
        return 0;
    }
  }
}
