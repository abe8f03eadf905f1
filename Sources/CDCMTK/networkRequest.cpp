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

// Items of a request (PS3.8 9.3.2) and of its user information (PS3.7 D.3.3.5).
constexpr uint8_t presentation_context = 0x20, abstract_syntax = 0x30, transfer_syntax = 0x40,
                  user_information = 0x50, extended_negotiation = 0x56;
constexpr size_t longest_uid = 64;

size_t number_at(const std::string &bytes, size_t place) {
  return size_t(uint8_t(bytes[place])) << 8 | uint8_t(bytes[place + 1]);
}

/// Calls back with type, beginning and end of each item; false where one is cut off, or is not wanted.
template <typename Check>
bool check_items(const std::string &bytes, size_t place, size_t end, Check check) {
  while (place < end) {
    if (end - place < 4 || end - place - 4 < number_at(bytes, place + 2)) return false;
    const size_t next = place + 4 + number_at(bytes, place + 2);
    if (!check(uint8_t(bytes[place]), place + 4, next)) return false;
    place = next;
  }
  return true;
}

/// Whether DCMTK can read the items of a request. It refuses the others too, but 3.6.7 then loses the
/// memory of what it has read of them.
bool is_readable(const std::string &request) {
  const auto is_of_context = [](uint8_t type, size_t begin, size_t end) {
    return (type == abstract_syntax || type == transfer_syntax) && end - begin <= longest_uid;
  };
  const auto is_of_user = [&](uint8_t type, size_t begin, size_t end) {
    return type != extended_negotiation ||
           (end - begin >= 2 && number_at(request, begin) <= end - begin - 2);
  };
  const auto is_item = [&](uint8_t type, size_t begin, size_t end) {
    if (type == user_information) return check_items(request, begin, end, is_of_user);
    if (type != presentation_context) return true;
    size_t syntaxes = 0;
    return end - begin >= 4 && check_items(request, begin + 4, end,
                                           [&](uint8_t type, size_t begin, size_t end) {
                                             syntaxes += type == transfer_syntax;
                                             return is_of_context(type, begin, end);
                                           }) &&
           syntaxes > 0;
  };
  return check_items(request, fixed_length, request.size(), is_item);
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
  if (!is_readable(request)) {
    report(settings, identity, CDCMTK_EVENT_NO_ASSOCIATION, "the association request cannot be read");
    connection.abort(AbortSource::provider, AbortReason::invalid_parameter);
    return false;
  }
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
