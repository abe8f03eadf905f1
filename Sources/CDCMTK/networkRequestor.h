// An association that we request; not visible from Swift.
#ifndef CDCMTK_NETWORK_REQUESTOR_H
#define CDCMTK_NETWORK_REQUESTOR_H

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dimse.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "CDCMTKNetwork.h"
#include "CDCMTKQuery.h"
#include "networkConnection.h"
#include "networkContexts.h"
#include "networkTLS.h"

/// A presentation context to propose (PS3.8 9.3.2.2).
struct ProposedContext {
  std::string abstract_syntax;
  std::vector<std::string> transfer_syntaxes;
  /// Whether the peer is to be the SCU, as of the C-STORE operations of a C-GET (PS3.7 D.3.3.4).
  bool peer_is_scu = false;
};

/// At most so many contexts fit into one association: identifiers are the odd numbers of a byte.
constexpr size_t maximum_contexts = 128;

/// Lets another thread end what an association waits for.
struct cdcmtk_cancellation {
  void attach(PeerConnection *connection);
  void detach();
  void cancel();
  bool is_cancelled();

private:
  std::mutex mutex_;
  PeerConnection *connection_ = nullptr;
  bool cancelled_ = false;
};

/// Keeps the connection that DCMTK opens for an association of ours.
class RequestorLayer : public DcmTransportLayer {
public:
  explicit RequestorLayer(const cdcmtk_peer &peer) : peer_(peer) {}

  DcmTransportConnection *createConnection(DcmNativeSocketType socket, OFBool) override;

  /// Null for plain TCP; to be set before the connection is made.
  TLSContext tls;
  std::unique_ptr<PeerConnection> connection;

private:
  const cdcmtk_peer &peer_;
};

/// An association that we request. Written on ASC rather than DcmSCU, which keeps the reason of a
/// rejection to itself.
class RequestedAssociation {
public:
  explicit RequestedAssociation(const cdcmtk_peer &peer,
                                cdcmtk_cancellation *cancellation = nullptr);
  /// Releases the association where nothing went wrong.
  ~RequestedAssociation();

  RequestedAssociation(const RequestedAssociation &) = delete;
  RequestedAssociation &operator=(const RequestedAssociation &) = delete;

  int request(const std::vector<ProposedContext> &contexts, cdcmtk_error *error);
  bool is_established() const { return established_; }

protected:
  int timeout() const { return int(peer_.timeout); }
  PeerConnection &connection() { return *layer_.connection; }
  bool is_cancelled() const { return cancellation_ && cancellation_->is_cancelled(); }

  /// The accepted transfer syntax of a context, also one that DCMTK does not know; empty where the
  /// context was not accepted.
  std::string transfer_syntax(T_ASC_PresentationContextID id) const {
    return contexts_.transfer_syntax(parameters_, id);
  }

  /// Waits for the next command until the deadline.
  OFCondition next_command(Clock::time_point deadline, T_DIMSE_Message &message,
                           T_ASC_PresentationContextID &context, DcmDataset **detail);

  /// After any failure of the network the association is of no use any more.
  OFCondition keep(const OFCondition &condition);
  void abort();

  const cdcmtk_peer peer_;
  T_ASC_Parameters *parameters_ = nullptr;
  T_ASC_Association *association_ = nullptr;

private:
  OFCondition prepare(const std::vector<ProposedContext> &contexts);

  cdcmtk_cancellation *const cancellation_;
  T_ASC_Network *network_ = nullptr;
  bool established_ = false;
  RequestorLayer layer_;
  AcceptedContexts contexts_;
};

#endif
