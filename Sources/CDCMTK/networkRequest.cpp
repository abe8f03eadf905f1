#include "support.h"

#include "networkReception.h"
#include "networkRequest.h"

namespace {

// Where the fields of an A-ASSOCIATE-RQ are (PS3.8 table 9-11).
constexpr size_t protocol_version = 6, called_title = 10, calling_title = 26, title_length = 16,
                 fixed_length = 74;

std::string trimmed(const std::string &text) {
  const char padding[] = {' ', '\0'};
  const size_t first = text.find_first_not_of(padding, 0, sizeof padding);
  if (first == std::string::npos) return "";
  const size_t last = text.find_last_not_of(padding, std::string::npos, sizeof padding);
  // What is behind a NUL inside would be invisible in the log.
  const std::string kept = text.substr(first, last - first + 1);
  return kept.find('\0') == std::string::npos ? kept : "";
}

constexpr Rejection unsupported_protocol = {1, 2, 2};
constexpr Rejection unknown_calling = {1, 1, 3};
constexpr Rejection unknown_called = {1, 1, 7};
constexpr Rejection limit_exceeded = {2, 3, 2};

}  // namespace

AssociationIdentity identify(const std::string &request, const std::string &address) {
  if (request.size() < fixed_length) return AssociationIdentity("", "", address);
  return AssociationIdentity(trimmed(request.substr(calling_title, title_length)),
                             trimmed(request.substr(called_title, title_length)), address);
}

bool reject(AssociationSettings &settings, const AssociationIdentity &identity,
            PeerConnection &connection, const Rejection &rejection, const std::string &message) {
  report(settings, identity, CDCMTK_EVENT_REJECTED, message);
  connection.reject(rejection.result, rejection.source, rejection.reason);
  return false;
}

bool admit(AssociationSettings &settings, const std::string &request,
           const AssociationIdentity &identity, PeerConnection &connection, Peers::Peer &peer) {
  if (request.size() < fixed_length) {
    report(settings, identity, CDCMTK_EVENT_NO_ASSOCIATION, "the association request is cut off");
    connection.abort(AbortSource::provider, AbortReason::invalid_parameter);
    return false;
  }
  const auto reject = [&](const Rejection &rejection, const std::string &message) {
    return ::reject(settings, identity, connection, rejection, message);
  };
  if (!(request[protocol_version + 1] & 1)) {
    return reject(unsupported_protocol, "protocol version not supported");
  }
  if (identity.called.empty()) return reject(unknown_called, "called AE title is blank");
  if (identity.calling.empty()) return reject(unknown_calling, "calling AE title is blank");
  char message[256] = "";
  const cdcmtk_association association = identity.in_c();
  switch (settings.admit(settings.context, &association, message, sizeof message)) {
    case CDCMTK_ADMITTED: break;
    case CDCMTK_CALLED_AE_TITLE_NOT_RECOGNIZED: return reject(unknown_called, message);
    case CDCMTK_CALLING_AE_TITLE_NOT_RECOGNIZED: return reject(unknown_calling, message);
    default: return reject(limit_exceeded, message);
  }
  const std::string fault = free_space_fault(settings);
  if (!fault.empty()) return reject(limit_exceeded, fault);
  return peer.associate() || reject(limit_exceeded, "too many associations");
}

void refuse_connection(AssociationSettings &settings, PeerConnection &connection,
                       const std::string &address) {
  if (settings.stopping) return connection.close();
  report(settings, AssociationIdentity("", "", address), CDCMTK_EVENT_NO_ASSOCIATION,
         connection.failure());
  if (connection.end() != ConnectionEnd::closed) {
    connection.abort(AbortSource::provider, connection.abort_reason());
  }
}
