#include "support.h"

#include "networkRequestor.h"

#include <csignal>

namespace {

/// Why the peer rejected the association (PS3.8 9.3.4), and whether it would do so again.
int fail_rejected(T_ASC_Parameters *parameters, cdcmtk_error *error) {
  T_ASC_RejectParameters reason;
  ASC_getRejectParameters(parameters, &reason);
  OFString lines;
  ASC_printRejectParameters(lines, &reason);
  std::string text = "rejected: ";
  for (const char c : lines) text += c == '\n' ? std::string(", ") : std::string(1, c);
  const bool is_permanent = reason.result == ASC_RESULT_REJECTEDPERMANENT;
  return cdcmtk_fail(error, is_permanent ? CDCMTK_REJECTED : CDCMTK_BAD_DATA, text.c_str());
}

/// Like the connection of a peer that calls us, but the first PDU is the answer to our request.
class RequestingConnection : public ConnectionForDCMTK {
public:
  RequestingConnection(PeerConnection &peer, unsigned timeout)
      : ConnectionForDCMTK(peer), peer_(peer), timeout_(timeout) {}

  OFCondition clientSideHandshake() override {
    return peer_.client_handshake(Clock::now() + timeout_) ? EC_Normal : DUL_NETWORKCLOSED;
  }

  ssize_t read(void *buffer, size_t count) override {
    if (!is_answered_) {
      is_answered_ = true;
      if (!peer_.read_reply(Clock::now() + timeout_)) return 0;
    }
    return ConnectionForDCMTK::read(buffer, count);
  }

  OFBool networkDataAvailable(int timeout) override {
    // Reading waits for the answer.
    return is_answered_ ? ConnectionForDCMTK::networkDataAvailable(timeout) : OFTrue;
  }

private:
  PeerConnection &peer_;
  const std::chrono::seconds timeout_;
  bool is_answered_ = false;
};

}  // namespace

DcmTransportConnection *RequestorLayer::createConnection(DcmNativeSocketType socket, OFBool) {
  SSL *session = tls ? make_tls_client(tls.get(), *peer_.tls, peer_.host) : nullptr;
  if (tls && !session) return nullptr;
  connection =
      std::make_unique<PeerConnection>(int(socket), session, peer_.timeout, ASC_MAXIMUMPDUSIZE);
  return new RequestingConnection(*connection, peer_.timeout);
}

void cdcmtk_cancellation::attach(PeerConnection *connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  connection_ = connection;
  if (cancelled_) connection_->interrupt("cancelled");
}

void cdcmtk_cancellation::detach() {
  std::lock_guard<std::mutex> lock(mutex_);
  connection_ = nullptr;
}

void cdcmtk_cancellation::cancel() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (connection_) connection_->interrupt("cancelled");
}

bool cdcmtk_cancellation::is_cancelled() {
  std::lock_guard<std::mutex> lock(mutex_);
  return cancelled_;
}

RequestedAssociation::RequestedAssociation(const cdcmtk_peer &peer,
                                           cdcmtk_cancellation *cancellation)
    : peer_(peer), cancellation_(cancellation), layer_(peer_) {
  signal(SIGPIPE, SIG_IGN);
  setenv("TCP_NODELAY", "1", 0);
  dcmDisableGethostbyaddr.set(OFTrue);
  dcmConnectionTimeout.set(Sint32(peer.timeout));
}

RequestedAssociation::~RequestedAssociation() {
  if (association_) {
    if (established_) {
      connection().set_deadline(Clock::now() + std::chrono::seconds(peer_.timeout), "the release");
      ASC_releaseAssociation(association_);
    }
    ASC_destroyAssociation(&association_);
  } else if (parameters_) {
    ASC_destroyAssociationParameters(&parameters_);
  }
  if (network_) ASC_dropNetwork(&network_);
  if (cancellation_) cancellation_->detach();
}

int RequestedAssociation::request(const std::vector<ProposedContext> &contexts,
                                  cdcmtk_error *error) {
  // PS3.8 9.3.2.2.
  if (contexts.size() > maximum_contexts) {
    return cdcmtk_fail(error, CDCMTK_BAD_DATA, "too many kinds of objects for one association");
  }
  if (peer_.tls) {
    std::string reason;
    layer_.tls = make_tls_context(*peer_.tls, reason);
    if (!layer_.tls) return cdcmtk_fail(error, CDCMTK_BAD_DATA, reason.c_str());
  }
  OFCondition condition = prepare(contexts);
  if (condition.bad()) return cdcmtk_fail(error, CDCMTK_UNEXPECTED, condition.text());
  condition = ASC_requestAssociation(network_, parameters_, &association_, nullptr, nullptr,
                                     DUL_NOBLOCK, timeout());
  if (condition == DUL_ASSOCIATIONREJECTED) return fail_rejected(parameters_, error);
  if (condition.bad()) {
    const bool is_known = layer_.connection && layer_.connection->end() != ConnectionEnd::open;
    return cdcmtk_fail(error, CDCMTK_BAD_DATA,
                       is_known ? connection().failure().c_str() : condition.text());
  }
  established_ = true;
  if (cancellation_) cancellation_->attach(&connection());
  if (ASC_countAcceptedPresentationContexts(parameters_) == 0) {
    return cdcmtk_fail(error, CDCMTK_NO_CONTEXT, "the peer accepts none of the SOP classes");
  }
  contexts_.hide_unknown_syntaxes(parameters_);
  return CDCMTK_OK;
}

OFCondition RequestedAssociation::prepare(const std::vector<ProposedContext> &contexts) {
  OFCondition condition = ASC_initializeNetwork(NET_REQUESTOR, 0, timeout(), &network_);
  if (condition.good()) condition = ASC_setTransportLayer(network_, &layer_, 0);
  if (condition.good()) {
    condition = ASC_createAssociationParameters(&parameters_, ASC_MAXIMUMPDUSIZE);
  }
  if (condition.bad()) return condition;
  name_implementation(*parameters_);
  ASC_setAPTitles(parameters_, peer_.calling_ae_title, peer_.called_ae_title, nullptr);
  ASC_setTransportLayerType(parameters_, OFFalse);
  const std::string address = std::string(peer_.host) + ":" + std::to_string(peer_.port);
  ASC_setPresentationAddresses(parameters_, "localhost", address.c_str());
  unsigned id = 1;
  for (const ProposedContext &context : contexts) {
    std::vector<const char *> syntaxes;
    for (const std::string &syntax : context.transfer_syntaxes) syntaxes.push_back(syntax.c_str());
    condition = ASC_addPresentationContext(
        parameters_, T_ASC_PresentationContextID(id), context.abstract_syntax.c_str(),
        syntaxes.data(), int(syntaxes.size()),
        context.peer_is_scu ? ASC_SC_ROLE_SCP : ASC_SC_ROLE_DEFAULT);
    if (condition.bad()) return condition;
    id += 2;
  }
  return condition;
}

OFCondition RequestedAssociation::next_command(Clock::time_point deadline,
                                               T_DIMSE_Message &message,
                                               T_ASC_PresentationContextID &context,
                                               DcmDataset **detail) {
  while (!is_cancelled()) {
    memset(&message, 0, sizeof message);
    // What came with an earlier PDU is in DCMTK's memory, not in the socket.
    const Incoming seen = connection().incoming(100);
    if (seen != Incoming::nothing) connection().begin_message();
    const OFCondition condition =
        DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING,
                             seen == Incoming::nothing ? 0 : timeout(), &context, &message, detail);
    if (condition != DIMSE_NODATAAVAILABLE) return condition;
    if (Clock::now() >= deadline) return condition;
  }
  return DUL_NETWORKCLOSED;
}

OFCondition RequestedAssociation::keep(const OFCondition &condition) {
  if (condition.bad()) abort();
  return condition;
}

void RequestedAssociation::abort() {
  if (!established_) return;
  established_ = false;
  connection().abort(AbortSource::user, AbortReason::not_specified);
}
