#include "support.h"

#include "networkAssociation.h"
#include "networkCommitment.h"
#include "networkContexts.h"
#include "networkRequest.h"
#include "networkStore.h"

#include <chrono>
#include <ctime>

namespace {

// Seconds for the rest of a command set once its first PDU began.
constexpr int command_timeout = 30;

constexpr Rejection unsupported_application_context = {1, 1, 2};
constexpr Rejection nothing_accepted = {1, 1, 1};

/// What DCMTK says, without its numbers and in one line.
std::string in_words(const OFCondition &condition) {
  const std::string text = condition.text();
  std::string words;
  for (size_t i = 0; i < text.size(); ++i) {
    // A module and a code, as in 0006:020c.
    if (i + 9 < text.size() && text[i + 4] == ':' && text[i + 9] == ' ' &&
        text.find_first_not_of("0123456789abcdef", i) == i + 4) {
      i += 9;
    } else {
      words += text[i] == '\n' ? std::string("; ") : std::string(1, text[i]);
    }
  }
  return "the protocol was violated: " + words;
}

class Association {
public:
  Association(AssociationSettings &settings, T_ASC_Association *association,
              const AssociationIdentity &identity, PeerConnection &connection, Peers::Peer &peer)
      : settings_(settings), association_(association), connection_(connection), peer_(peer),
        who_(identity), identity_(identity.in_c()),
        storing_(settings, association, connection, identity_),
        commitment_(settings, association, connection, identity_) {}

  ~Association() {
    ASC_dropSCPAssociation(association_, 0);
    ASC_destroyAssociation(&association_);
  }

  void serve() {
    if (!negotiate()) return;
    tell(CDCMTK_EVENT_ACCEPTED, contexts_.refused());
    try {
      exchange();
    } catch (...) {
      // An association whose end is never told would be taken as open for ever.
      abort(CDCMTK_EVENT_ABORTED, "internal error");
      throw;
    }
  }

private:
  /// Answers messages until the association ends.
  void exchange() {
    OFCondition condition = EC_Normal;
    auto last = Clock::now();
    while (condition.good()) {
      if (settings_.stopping) return abort(CDCMTK_EVENT_SHUT_DOWN, "segmentd is stopping");
      last_seen_ = connection_.incoming(1000);
      if (last_seen_ == Incoming::nothing) {
        condition = commitment_.report();
        if (Clock::now() - last > std::chrono::seconds(settings_.limits.idle_seconds)) {
          return abort(CDCMTK_EVENT_TIMED_OUT, "the peer was silent for too long");
        }
        continue;
      }
      peer_.set_busy(true);
      connection_.begin_message();
      T_DIMSE_Message message;
      memset(&message, 0, sizeof message);
      T_ASC_PresentationContextID context = 0;
      condition = DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, command_timeout, &context,
                                       &message, nullptr);
      if (condition.good()) condition = answer(message, context);
      peer_.set_busy(false);
      last = Clock::now();
    }
    end(condition);
  }

  bool negotiate() {
    char application_context[DUL_LEN_NAME + 1];
    ASC_getApplicationContextName(association_->params, application_context,
                                  sizeof application_context);
    if (strcmp(application_context, UID_StandardApplicationContext) != 0) {
      return reject(settings_, who_, connection_, unsupported_application_context,
                    "application context not supported");
    }
    contexts_.negotiate(association_->params, settings_);
    if (ASC_countAcceptedPresentationContexts(association_->params) == 0) {
      return reject(settings_, who_, connection_, nothing_accepted,
                    "no presentation context is accepted: " + contexts_.refused());
    }
    name_implementation(*association_->params);
    const OFCondition condition = ASC_acknowledgeAssociation(association_);
    if (condition.bad()) {
      tell(CDCMTK_EVENT_NO_ASSOCIATION, "the association could not be acknowledged");
    }
    contexts_.hide_unknown_syntaxes(association_->params);
    return condition.good();
  }

  OFCondition answer(T_DIMSE_Message &message, T_ASC_PresentationContextID context) {
    switch (message.CommandField) {
      case DIMSE_C_ECHO_RQ:
        return DIMSE_sendEchoResponse(association_, context, &message.msg.CEchoRQ,
                                      settings_.echo(settings_.context, &identity_), nullptr);
      case DIMSE_C_STORE_RQ:
        return store(message.msg.CStoreRQ, context);
      case DIMSE_N_ACTION_RQ:
        return commitment_.answer(message.msg.NActionRQ, context,
                                  contexts_.transfer_syntax(association_->params, context));
      case DIMSE_N_EVENT_REPORT_RSP:
        return commitment_.take(message.msg.NEventReportRSP, context);
      case DIMSE_N_EVENT_REPORT_RQ:
        return commitment_.take(message.msg.NEventReportRQ, context,
                                contexts_.transfer_syntax(association_->params, context));
      default:
        return DIMSE_BADCOMMANDTYPE;
    }
  }

  OFCondition store(T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context) {
    const OFCondition condition = storing_.answer(
        request, context, contexts_.transfer_syntax(association_->params, context));
    if (condition.bad()) last_seen_ = storing_.last_seen();
    return condition;
  }

  void end(const OFCondition &condition) {
    if (condition == DUL_PEERREQUESTEDRELEASE) {
      // Told first: once the peer has its answer, nothing may take the association as broken.
      tell(CDCMTK_EVENT_RELEASED, "");
      ASC_acknowledgeRelease(association_);
      return;
    }
    switch (connection_.end()) {
      case ConnectionEnd::interrupted:
        return abort(settings_.stopping ? CDCMTK_EVENT_SHUT_DOWN : CDCMTK_EVENT_TIMED_OUT,
                     connection_.failure());
      case ConnectionEnd::timed_out:
        return abort(CDCMTK_EVENT_TIMED_OUT, connection_.failure());
      case ConnectionEnd::violated:
        return abort(CDCMTK_EVENT_ABORTED, connection_.failure(), AbortSource::provider,
                     connection_.abort_reason());
      case ConnectionEnd::closed:
      case ConnectionEnd::open: break;
    }
    if (last_seen_ == Incoming::abort) {
      tell(CDCMTK_EVENT_ABORTED_BY_PEER, "the peer aborted");
    } else if (connection_.end() == ConnectionEnd::closed ||
               condition == DUL_PEERABORTEDASSOCIATION || condition == DUL_NETWORKCLOSED) {
      abort(CDCMTK_EVENT_CONNECTION_LOST, "the connection was closed without release");
    } else if (condition == DIMSE_NODATAAVAILABLE || condition == DUL_READTIMEOUT) {
      abort(CDCMTK_EVENT_TIMED_OUT, "the peer was silent in the middle of a message");
    } else {
      abort(CDCMTK_EVENT_ABORTED, in_words(condition), AbortSource::provider,
            AbortReason::invalid_parameter);
    }
  }

  /// Told first: an A-ABORT takes its time where the peer still sends.
  void abort(int kind, const std::string &reason, AbortSource source = AbortSource::user,
             AbortReason code = AbortReason::not_specified) {
    tell(kind, reason);
    connection_.abort(source, code);
  }

  void tell(int kind, const std::string &message) {
    report(settings_, who_, kind, message, storing_.stored(), storing_.refused());
  }

  AssociationSettings &settings_;
  T_ASC_Association *association_;
  PeerConnection &connection_;
  Peers::Peer &peer_;
  const AssociationIdentity &who_;
  const cdcmtk_association identity_;
  AcceptedContexts contexts_;
  /// What was seen last of the connection.
  Incoming last_seen_ = Incoming::nothing;
  StoreProvider storing_;
  CommitmentProvider commitment_;
};

}  // namespace

uint64_t cdcmtk_next_association_number(void) {
  static std::atomic<uint64_t> associations{0};
  return associations.fetch_add(1) + 1;
}

AssociationIdentity::AssociationIdentity(const std::string &calling, const std::string &called,
                                         const std::string &address)
    : number(cdcmtk_next_association_number()), started_at(seconds_now()), calling(calling),
      called(called), address(address) {}

cdcmtk_association AssociationIdentity::in_c() const {
  return {number, started_at, calling.c_str(), called.c_str(), address.c_str()};
}

double seconds_now() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return double(now.tv_sec) + double(now.tv_nsec) / 1e9;
}

void report(AssociationSettings &settings, const AssociationIdentity &identity, int kind,
            const std::string &message, unsigned stored, unsigned refused) {
  const cdcmtk_association association = identity.in_c();
  const cdcmtk_event event = {kind, &association, message.c_str(), stored, refused};
  settings.event(settings.context, &event);
}

void serve_association(AssociationSettings &settings, T_ASC_Association *association,
                       const AssociationIdentity &identity, PeerConnection &connection,
                       Peers::Peer &peer) {
  Association(settings, association, identity, connection, peer).serve();
}

void AssociationSettings::read(const cdcmtk_scp_options &options) {
  folder = options.folder;
  sop_classes.assign(options.sop_classes, options.sop_classes + options.sop_class_count);
  transfer_syntaxes.assign(options.transfer_syntaxes,
                           options.transfer_syntaxes + options.transfer_syntax_count);
  limits = options.limits;
  admit = options.admit;
  file = options.file;
  store = options.store;
  refusal = options.refusal;
  echo = options.echo;
  event = options.event;
  beat = options.beat;
  if (options.commitment) commitment = *options.commitment;
  context = options.context;
}
