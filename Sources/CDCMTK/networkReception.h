// The dataset of one C-STORE request on its way to disk; not visible from Swift.
#ifndef CDCMTK_NETWORK_RECEPTION_H
#define CDCMTK_NETWORK_RECEPTION_H

#include "networkAssociation.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/socket.h>

/// Why nothing more is received: the disk's reserve is reached. Empty where it is not.
std::string free_space_fault(const AssociationSettings &settings);

/// SHA-256 of what is taken, part by part, while it is in the processor's cache anyway.
class RunningHash {
public:
  RunningHash() : context_(EVP_MD_CTX_new()) {
    is_good_ = context_ && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1;
  }
  ~RunningHash() { EVP_MD_CTX_free(context_); }
  RunningHash(const RunningHash &) = delete;
  RunningHash &operator=(const RunningHash &) = delete;

  void take(const void *bytes, size_t count) {
    is_good_ = is_good_ && EVP_DigestUpdate(context_, bytes, count) == 1;
  }
  /// The 32 bytes of the hash, valid as long as this is; null where the library failed. To be called
  /// once, when all was taken.
  const uint8_t *end() {
    is_good_ = is_good_ && EVP_DigestFinal_ex(context_, hash_, nullptr) == 1;
    return is_good_ ? hash_ : nullptr;
  }

private:
  EVP_MD_CTX *context_;
  uint8_t hash_[EVP_MAX_MD_SIZE];
  bool is_good_;
};

/// The bytes of a file on their way to disk.
///
/// They are written in large pieces, each of which begins at a multiple of its size; those of PDUs begin
/// anywhere, which costs the kernel a third more. A slice as scanners send it is one piece.
class FileBuffer {
public:
  static constexpr size_t capacity = 1 << 20;

  /// Forgets what is in it. False where there is no memory.
  bool begin();
  size_t count() const { return count_; }
  const uint8_t *bytes() const { return bytes_.get(); }
  /// Takes as much as there is room for.
  size_t take(const uint8_t *bytes, size_t count);
  /// Appends what is in it to a file and forgets it; false with `errno`, and it is kept.
  bool write(int file);

private:
  /// Made for the first object: most connections bring none.
  std::unique_ptr<uint8_t[]> bytes_;
  size_t count_ = 0;
};

/// Writes a dataset, bit for bit as it comes, into a new DICOM file (PS3.10).
///
/// A file of the handler's that fits into the buffer is left to the handler to write. When the disk
/// fails, the rest of the dataset is read and thrown away, so that the peer still gets an answer. The
/// file is removed again unless it is handed over.
class ReceivedDataset {
public:
  ReceivedDataset(AssociationSettings &settings, T_ASC_Association *association,
                  const T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context,
                  const std::string &transfer_syntax, PeerConnection &connection,
                  FileBuffer &buffer);
  ~ReceivedDataset();

  /// Good when the whole dataset was read off the network, even if the file could not be written.
  OFCondition receive();
  /// The whole file, where nothing of it is written; null where all is.
  const uint8_t *contents() const {
    return is_of_handler_ && on_disk_ == 0 ? buffer_.bytes() : nullptr;
  }
  /// Success, or why the dataset is not on disk.
  uint16_t status() const { return status_; }
  /// Why, where the status is not success.
  const std::string &reason() const { return reason_; }
  double began_at() const { return began_at_; }
  /// The first bytes of the dataset, even if the file could not be written.
  std::vector<uint8_t> beginning() const;
  /// What was seen last before the receiving failed.
  Incoming last_seen() const { return last_seen_; }
  const std::string &path() const { return path_; }
  /// Of the file; -1 where it could not be opened.
  int descriptor() const { return file_; }
  /// SHA-256 of a dataset that is whole in the file; null where it is not known. To be called once.
  const uint8_t *hash() { return hash_.end(); }
  /// Where the dataset begins in the file.
  size_t offset() const { return meta_length_; }
  void hand_over() { handed_over_ = true; }

private:
  bool open_file();
  bool take_meta_information();
  OFCondition read_pdvs();
  void take(const void *bytes, size_t count);
  size_t append(const uint8_t *bytes, size_t count);
  bool write_buffer();
  void fail(uint16_t status, const std::string &reason);
  void check_space();
  OFCondition next_pdv(DUL_PDV &pdv);

  AssociationSettings &settings_;
  T_ASC_Association *association_;
  const T_DIMSE_C_StoreRQ &request_;
  const T_ASC_PresentationContextID context_;
  const std::string transfer_syntax_;
  PeerConnection &connection_;
  FileBuffer &buffer_;
  const double began_at_ = seconds_now();
  RunningHash hash_;
  /// How long the file meta information is, and how much of the dataset is kept behind it.
  size_t meta_length_ = 0, kept_ = 0;
  /// How much of the file is written; the buffer has the rest.
  size_t on_disk_ = 0;
  /// How much of the dataset came, and from which length on the disk is looked at again.
  uint64_t received_ = 0, next_check_ = 0;
  /// What belongs to the beginning and could not be kept.
  std::vector<uint8_t> unkept_;
  Incoming last_seen_ = Incoming::data;
  std::string path_, reason_;
  int file_ = -1;
  bool is_of_handler_ = false;
  uint16_t status_ = STATUS_Success;
  bool handed_over_ = false;
};

/// Holds back what is written to a socket until the end of its life.
class CorkedSocket {
public:
  explicit CorkedSocket(int socket) : socket_(socket) { set(1); }
  ~CorkedSocket() { set(0); }

private:
  void set(int value) { setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &value, sizeof value); }
  const int socket_;
};

#endif
