// Who is connected to a listener, and who has to go when there are too many; not visible from Swift.
#ifndef CDCMTK_NETWORK_PEERS_H
#define CDCMTK_NETWORK_PEERS_H

#include "networkConnection.h"

#include <list>
#include <string>

#include "CDCMTKNetwork.h"

/// The connections of one listener, bounded by address and in all.
///
/// Whoever comes is let in, and the one that has been idle for longest has to go: peers that connect
/// and say nothing cannot keep others out.
class Peers {
public:
  explicit Peers(const cdcmtk_limits &limits) : limits_(limits) {}

  /// One connection, as long as it lives.
  class Peer {
  public:
    Peer(Peers &peers, PeerConnection &connection, const std::string &address);
    ~Peer();

    /// Whether there is room for its association, for which an idle one may have to go.
    bool associate();
    /// A message begins, or its answer was sent.
    void set_busy(bool is_busy);

  private:
    friend class Peers;
    bool try_to_associate();

    Peers &peers_;
    PeerConnection &connection_;
    const std::string address_;
    Clock::time_point since_ = Clock::now();
    bool is_associated_ = false, is_busy_ = false, has_spoken_ = false, is_leaving_ = false;
  };

  size_t count();
  /// Ends those that wait for a message or a request; all of them where `everything`.
  void interrupt(const char *why, bool everything);

private:
  Peer *oldest_waiting(const std::string *address);
  Peer *most_idle(const std::string *address);
  size_t count(bool associated, const std::string *address) const;
  void dismiss(Peer *peer, const char *why);

  const cdcmtk_limits limits_;
  std::mutex mutex_;
  std::list<Peer *> peers_;
};

#endif
