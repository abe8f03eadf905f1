// What a connection sends, and how it ends.

#include "networkConnection.h"

#include "networkTLS.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A peer that takes no answers is given up after so long.
constexpr seconds write_time(30);
// A last PDU is sent and the peer's rest read for so long, so that no reset takes it back.
constexpr milliseconds farewell_time(500);

}  // namespace

bool PeerConnection::send(const void *bytes, size_t count, Clock::time_point deadline,
                          bool is_last) {
  if (ssl_ && !established_) return false;
  const char *next = static_cast<const char *>(bytes);
  while (count > 0) {
    size_t sent = 0;
    bool again = false;
    if (ssl_) {
      ERR_clear_error();
      const int result = SSL_write_ex(ssl_, next, count, &sent);
      if (result != 1) {
        const int error = SSL_get_error(ssl_, result);
        again = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
        wanted_ = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        sent = 0;
      }
    } else {
      const ssize_t result = ::send(socket_, next, count, MSG_NOSIGNAL | MSG_DONTWAIT);
      again = result < 0 && (errno == EAGAIN || errno == EINTR);
      wanted_ = POLLOUT;
      sent = result > 0 ? size_t(result) : 0;
    }
    next += sent, count -= sent;
    if (sent == 0 && !again) return false;
    if (sent > 0) continue;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || (interruption_ && !is_last)) return false;
    // An interruption wakes nobody who waits to send.
    pollfd waiting = {socket_, wanted_, 0};
    (void)poll(&waiting, 1, int(std::min<long long>(left + 1, 200)));
  }
  return true;
}

ssize_t PeerConnection::write(const void *bytes, size_t count) {
  if (socket_ < 0 || end_ != ConnectionEnd::open) return -1;
  if (is_muted_) return ssize_t(count);
  if (send(bytes, count, Clock::now() + write_time, false)) return ssize_t(count);
  fail(ConnectionEnd::closed, "the peer takes no answers");
  return -1;
}

void PeerConnection::abort(AbortSource source, AbortReason reason) {
  const uint8_t pdu[] = {PDU_ABORT, 0, 0, 0, 0, 4, 0, 0, uint8_t(source), uint8_t(reason)};
  finish(pdu, sizeof pdu);
}

void PeerConnection::reject(uint8_t result, uint8_t source, uint8_t reason) {
  const uint8_t pdu[] = {PDU_ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, reason};
  finish(pdu, sizeof pdu);
}

void PeerConnection::finish(const uint8_t *pdu, size_t count) {
  if (socket_ < 0) return;
  const auto deadline = Clock::now() + farewell_time;
  bool sent = false;
  if (is_without_tls_) {
    sent = ::send(socket_, pdu, count, MSG_NOSIGNAL | MSG_DONTWAIT) == ssize_t(count);
  } else if (ssl_ && !established_) {
    // OpenSSL has sent its alert.
    sent = end_ == ConnectionEnd::violated;
  } else {
    sent = send(pdu, count, deadline, true);
    if (sent && ssl_) (void)SSL_shutdown(ssl_);
  }
  if (sent && interruption_ == nullptr) {
    shutdown(socket_, SHUT_WR);
    // What is not read would make the kernel answer with a reset, which overtakes the PDU.
    char rest[16 * 1024];
    for (;;) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
      pollfd waiting = {socket_, POLLIN, 0};
      if (left <= 0 || poll(&waiting, 1, int(left)) <= 0) break;
      if (recv(socket_, rest, sizeof rest, MSG_DONTWAIT) <= 0) break;
    }
  }
  close();
}

void PeerConnection::close() {
  std::lock_guard<std::mutex> lock(closing_);
  if (socket_ < 0) return;
  if (established_) (void)SSL_shutdown(ssl_);
  established_ = false;
  ::close(socket_);
  socket_ = -1;
  fail(ConnectionEnd::closed, "the connection was closed");
}
