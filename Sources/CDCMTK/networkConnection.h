// The TCP or TLS connection of one peer under DCMTK's upper layer; not visible from Swift.
#ifndef CDCMTK_NETWORK_CONNECTION_H
#define CDCMTK_NETWORK_CONNECTION_H

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcerror.h"
#include "dcmtk/dcmnet/dcmlayer.h"
#include "dcmtk/dcmnet/dcmtrans.h"

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "networkPDU.h"

using Clock = std::chrono::steady_clock;

/// What is next to be read of a connection, without reading it.
enum class Incoming { nothing, data, abort, closed };

/// How a connection became unusable.
enum class ConnectionEnd { open, closed, timed_out, violated, interrupted };

/// The source of an A-ABORT (PS3.8 9.3.8).
enum class AbortSource : uint8_t { user = 0, provider = 2 };

/// The reason of an A-ABORT by the provider (PS3.8 9.3.8).
enum class AbortReason : uint8_t {
  not_specified = 0,
  unrecognized_pdu = 1,
  unexpected_pdu = 2,
  invalid_parameter = 6,
};

/// A connection that hands DCMTK nothing but whole and well-formed PDUs, each within its time.
///
/// A command set has the time of one PDU too, however many fragments it comes in. DCMTK reads through
/// it, so that limits are the same with TLS and without. Used by one thread; `interrupt` may be called
/// by any.
class PeerConnection {
public:
  /// Takes over the socket of a peer that called us. `tls` is null for plain TCP.
  PeerConnection(int socket, SSL_CTX *tls, unsigned pdu_seconds, long maximum_pdu);
  /// Takes over the socket of a peer that we called, and a session as client, null for plain TCP.
  PeerConnection(int socket, SSL *client, unsigned pdu_seconds, long maximum_pdu);
  ~PeerConnection();
  PeerConnection(const PeerConnection &) = delete;
  PeerConnection &operator=(const PeerConnection &) = delete;

  int socket() const { return socket_; }

  /// The TLS handshake, nothing without TLS; false where it failed, with words in `failure`.
  bool handshake(Clock::time_point deadline);
  /// The same with a peer that we called.
  bool client_handshake(Clock::time_point deadline);

  /// Reads a whole A-ASSOCIATE-RQ, which DCMTK reads again; null where none came, with `end`.
  const std::string *read_request(Clock::time_point deadline);
  /// Reads the whole answer to an A-ASSOCIATE-RQ of ours, which DCMTK reads again.
  bool read_reply(Clock::time_point deadline);

  /// Waits for up to so many milliseconds for the next PDU.
  Incoming incoming(int milliseconds);

  /// From now on what is read has to come before the deadline.
  void set_deadline(Clock::time_point deadline, const char *what);
  void clear_deadline() { deadline_ = Clock::time_point::max(); }

  /// Forgets how long the command set was that came before.
  void begin_message() { framing_.begin_message(); }

  /// The peer goes beyond a limit: nothing more is read of it.
  void give_up(const std::string &why);

  /// Ends the connection from another thread, with words for the log.
  void interrupt(const char *why);

  /// Sends an A-ABORT and closes.
  void abort(AbortSource source, AbortReason reason);
  /// Sends an A-ASSOCIATE-RJ (PS3.8 9.3.4) and closes.
  void reject(uint8_t result, uint8_t source, uint8_t reason);
  void close();
  /// Whether what DCMTK writes is thrown away: while it reads a request, the answer is ours.
  void set_muted(bool is_muted) { is_muted_ = is_muted; }

  bool is_interrupted();
  /// Whether the peer has sent anything yet; for any thread.
  bool has_begun();

  ConnectionEnd end() const { return end_; }
  /// Why, in words.
  const std::string &failure() const { return failure_; }
  AbortReason abort_reason() const { return abort_reason_; }

  // What DCMTK calls.
  ssize_t read(void *buffer, size_t count);
  ssize_t write(const void *bytes, size_t count);
  bool data_available(int seconds);

private:
  enum class Transfer { done, again, closed };

  Transfer receive(void *buffer, size_t count, size_t &received);
  /// Waits until the socket can be used again; false after the deadline or an interruption.
  bool wait(Clock::time_point deadline);
  bool read_exactly(uint8_t *buffer, size_t count, Clock::time_point deadline);
  bool handshake(int (*step)(SSL *), Clock::time_point deadline);
  bool read_establishment(const uint8_t *first, const char *what, Clock::time_point deadline);
  bool read_header();
  bool fail(ConnectionEnd end, const std::string &words,
            AbortReason reason = AbortReason::not_specified);
  bool check_header();
  bool send(const void *bytes, size_t count, Clock::time_point deadline, bool is_last);
  void finish(const uint8_t *pdu, size_t count);
  Clock::time_point message_deadline() const { return std::min(deadline_, command_deadline_); }
  Clock::time_point pdu_deadline() const { return std::min(message_deadline(), pdu_deadline_); }
  void follow_command();
  std::string late() const;

  std::mutex closing_;
  int socket_;
  SSL *ssl_ = nullptr;
  bool established_ = false;
  /// Whether the peer came to a port with TLS and speaks without.
  bool is_without_tls_ = false, is_muted_ = false;
  short wanted_;
  const std::chrono::seconds pdu_time_;
  PDUFraming framing_;
  /// Of the PDU that is being read, of the command set, and of all that is.
  Clock::time_point pdu_deadline_ = Clock::time_point::max();
  Clock::time_point command_deadline_ = Clock::time_point::max();
  Clock::time_point deadline_ = Clock::time_point::max();
  const char *deadline_of_ = "";
  /// The header of the next PDU as far as it came, and how much of it DCMTK has.
  uint8_t header_[6];
  size_t header_count_ = 0, header_given_ = 0;
  /// The request or the answer to ours, until DCMTK has read it.
  std::string request_;
  size_t request_given_ = 0;
  ConnectionEnd end_ = ConnectionEnd::open;
  AbortReason abort_reason_ = AbortReason::not_specified;
  std::string failure_;
  std::atomic<const char *> interruption_{nullptr};
  std::atomic<bool> has_begun_{false};
};

/// What DCMTK takes as its connection; the true one outlives it.
class ConnectionForDCMTK : public DcmTransportConnection {
public:
  explicit ConnectionForDCMTK(PeerConnection &peer)
      : DcmTransportConnection(peer.socket()), peer_(peer) {}

  OFCondition serverSideHandshake() override { return EC_Normal; }
  OFCondition clientSideHandshake() override { return EC_IllegalCall; }
  OFCondition renegotiate(const char *) override { return EC_IllegalCall; }
  ssize_t read(void *buffer, size_t count) override { return peer_.read(buffer, count); }
  ssize_t write(void *bytes, size_t count) override { return peer_.write(bytes, count); }
  // An A-ABORT may still have to be sent: the connection is closed by its owner.
  void close() override {}
  void closeTransportConnection() override {}
  unsigned long getPeerCertificateLength() override { return 0; }
  unsigned long getPeerCertificate(void *, unsigned long) override { return 0; }
  OFBool networkDataAvailable(int timeout) override { return peer_.data_available(timeout); }
  OFBool isTransparentConnection() override { return OFFalse; }
  OFString &dumpConnectionParameters(OFString &text) override { return text; }

private:
  PeerConnection &peer_;
};

/// Gives DCMTK the connection that is set; whoever sets it holds a lock until DCMTK has it.
class ConnectionLayer : public DcmTransportLayer {
public:
  PeerConnection *next = nullptr;

  DcmTransportConnection *createConnection(DcmNativeSocketType, OFBool) override {
    return new ConnectionForDCMTK(*next);
  }
};

#endif
