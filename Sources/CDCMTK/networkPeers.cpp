#include "networkPeers.h"

#include <thread>

namespace {

// An association that has said nothing yet is idle after this time, one that has after the other.
constexpr std::chrono::milliseconds patience_without_message(300);
constexpr std::chrono::seconds patience(30);
// So long a request waits for a place, so that a crowd that passes turns nobody away.
constexpr std::chrono::seconds waiting_time(2);

}  // namespace

Peers::Peer::Peer(Peers &peers, PeerConnection &connection, const std::string &address)
    : peers_(peers), connection_(connection), address_(address) {
  std::lock_guard<std::mutex> lock(peers_.mutex_);
  if (peers_.count(false, &address_) >= peers_.limits_.maximum_waiting_per_address) {
    peers_.dismiss(peers_.oldest_waiting(&address_), "newer connections of the same address");
  } else if (peers_.count(false, nullptr) >= peers_.limits_.maximum_waiting) {
    peers_.dismiss(peers_.oldest_waiting(nullptr), "newer connections");
  }
  peers_.peers_.push_back(this);
}

Peers::Peer::~Peer() {
  std::lock_guard<std::mutex> lock(peers_.mutex_);
  peers_.peers_.remove(this);
}

bool Peers::Peer::associate() {
  const auto deadline = Clock::now() + waiting_time;
  while (!try_to_associate()) {
    if (Clock::now() > deadline || connection_.is_interrupted()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

bool Peers::Peer::try_to_associate() {
  std::lock_guard<std::mutex> lock(peers_.mutex_);
  if (peers_.count(true, &address_) >= peers_.limits_.maximum_associations_per_address) {
    Peer *idle = peers_.most_idle(&address_);
    if (!idle) return false;
    peers_.dismiss(idle, "it was idle, and another association of its address needs the place");
  } else if (peers_.count(true, nullptr) >= peers_.limits_.maximum_associations) {
    Peer *idle = peers_.most_idle(nullptr);
    if (!idle) return false;
    peers_.dismiss(idle, "it was idle, and another association needs the place");
  }
  is_associated_ = true;
  since_ = Clock::now();
  return true;
}

void Peers::Peer::set_busy(bool is_busy) {
  std::lock_guard<std::mutex> lock(peers_.mutex_);
  is_busy_ = is_busy;
  has_spoken_ = true;
  since_ = Clock::now();
}

size_t Peers::count() {
  std::lock_guard<std::mutex> lock(mutex_);
  return peers_.size();
}

size_t Peers::count(bool associated, const std::string *address) const {
  size_t count = 0;
  for (const Peer *peer : peers_) {
    count += peer->is_associated_ == associated && !peer->is_leaving_ &&
             (!address || peer->address_ == *address);
  }
  return count;
}

Peers::Peer *Peers::oldest_waiting(const std::string *address) {
  // The list is in the order of arrival; whoever sends something comes last.
  Peer *begun = nullptr;
  for (Peer *peer : peers_) {
    if (peer->is_associated_ || peer->is_leaving_) continue;
    if (address && peer->address_ != *address) continue;
    if (!peer->connection_.has_begun()) return peer;
    if (!begun) begun = peer;
  }
  return begun;
}

Peers::Peer *Peers::most_idle(const std::string *address) {
  const auto now = Clock::now();
  Peer *found = nullptr;
  for (Peer *peer : peers_) {
    if (!peer->is_associated_ || peer->is_leaving_ || peer->is_busy_) continue;
    if (address && peer->address_ != *address) continue;
    if (now - peer->since_ < (peer->has_spoken_ ? patience : patience_without_message)) continue;
    // Those that never said anything go first.
    const bool is_worse = !found || (found->has_spoken_ && !peer->has_spoken_) ||
                          (found->has_spoken_ == peer->has_spoken_ && peer->since_ < found->since_);
    if (is_worse) found = peer;
  }
  return found;
}

void Peers::dismiss(Peer *peer, const char *why) {
  if (!peer) return;
  peer->is_leaving_ = true;
  peer->connection_.interrupt(why);
}

void Peers::interrupt(const char *why, bool everything) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Peer *peer : peers_) {
    if (everything || !peer->is_busy_) peer->connection_.interrupt(why);
  }
}
