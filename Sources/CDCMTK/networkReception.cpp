#include "support.h"

#include "networkReception.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

namespace {

// A dataset that stops in the middle is given up after so many seconds of silence.
constexpr int data_timeout = 30;
// So much of a dataset is told of one that is refused: identifiers come long before.
constexpr size_t beginning_size = 256 * 1024;

// The disk is looked at again after so much of a dataset.
constexpr uint64_t space_check_interval = 16 << 20;

std::string errno_text() { return std::strerror(errno); }

}  // namespace

/// On a full disk the ledger could not be written either.
std::string free_space_fault(const AssociationSettings &settings) {
  struct statvfs disk;
  if (statvfs(settings.folder.c_str(), &disk) != 0) return "";
  const uint64_t available = uint64_t(disk.f_bavail) * disk.f_frsize;
  const uint64_t reserve = settings.limits.disk_reserve;
  if (available >= reserve) return "";
  return "no space left but the reserve: " + std::to_string(available >> 20) + " of " +
         std::to_string(reserve >> 20) + " MiB";
}

bool FileBuffer::begin() {
  if (!bytes_) bytes_.reset(new (std::nothrow) uint8_t[capacity]);
  count_ = 0;
  return bytes_ != nullptr;
}

size_t FileBuffer::take(const uint8_t *bytes, size_t count) {
  const size_t part = std::min(count, capacity - count_);
  memcpy(bytes_.get() + count_, bytes, part);
  count_ += part;
  return part;
}

bool FileBuffer::write(int file) {
  size_t done = 0;
  while (done < count_) {
    const ssize_t written = ::write(file, bytes_.get() + done, count_ - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    done += size_t(written);
  }
  count_ = 0;
  return true;
}

ReceivedDataset::ReceivedDataset(AssociationSettings &settings, T_ASC_Association *association,
                                 const T_DIMSE_C_StoreRQ &request,
                                 T_ASC_PresentationContextID context,
                                 const std::string &transfer_syntax, PeerConnection &connection,
                                 FileBuffer &buffer)
    : settings_(settings), association_(association), request_(request), context_(context),
      transfer_syntax_(transfer_syntax), connection_(connection), buffer_(buffer) {
  connection_.set_deadline(Clock::now() + std::chrono::seconds(settings.limits.object_seconds),
                           "an object");
  T_ASC_PresentationContext accepted;
  const bool matches =
      ASC_findAcceptedPresentationContext(association->params, context, &accepted).good() &&
      strcmp(accepted.abstractSyntax, request.AffectedSOPClassUID) == 0;
  if (!matches) {
    fail(STATUS_STORE_Refused_SOPClassNotSupported,
         "the SOP class of the request is not that of its presentation context");
  } else {
    check_space();
    if (status_ == STATUS_Success && !(open_file() && take_meta_information())) {
      fail(STATUS_STORE_Refused_OutOfResources, errno_text());
    }
  }
}

ReceivedDataset::~ReceivedDataset() {
  connection_.clear_deadline();
  if (file_ >= 0) close(file_);
  if (!handed_over_ && !path_.empty()) unlink(path_.c_str());
}

/// A file of the handler's, or a new one in the folder of incoming files.
bool ReceivedDataset::open_file() {
  char path[PATH_MAX] = "";
  const int32_t opened =
      settings_.file ? settings_.file(settings_.context, path, sizeof path) : CDCMTK_NO_FILE;
  if (opened != CDCMTK_NO_FILE) {
    if (opened < 0) errno = -opened;
    if (opened >= 0) path_ = path;
    file_ = opened;
    is_of_handler_ = opened >= 0;
    return opened >= 0;
  }
  // Several listeners share the folder.
  static std::atomic<unsigned long> files{0};
  path_ = settings_.folder + "/" + std::to_string(getpid()) + "-" +
          std::to_string(files.fetch_add(1));
  file_ = open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  return file_ >= 0;
}

/// Not by DIMSE_createFilestream, which refuses transfer syntaxes that DCMTK does not know.
bool ReceivedDataset::take_meta_information() {
  if (!buffer_.begin()) {
    errno = ENOMEM;
    return false;
  }
  const std::string meta =
      cdcmtk_meta_information(request_.AffectedSOPClassUID, request_.AffectedSOPInstanceUID,
                              transfer_syntax_.c_str());
  meta_length_ = meta.size();
  const auto *bytes = reinterpret_cast<const uint8_t *>(meta.data());
  return !meta.empty() && append(bytes, meta_length_) == meta_length_;
}

/// Takes as much as buffer and disk do; `errno` says why it is less.
size_t ReceivedDataset::append(const uint8_t *bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    const size_t part = buffer_.take(bytes + done, count - done);
    if (part == 0 && !write_buffer()) break;
    done += part;
  }
  return done;
}

bool ReceivedDataset::write_buffer() {
  const size_t count = buffer_.count();
  if (!buffer_.write(file_)) return false;
  on_disk_ += count;
  return true;
}

OFCondition ReceivedDataset::receive() {
  const OFCondition condition = read_pdvs();
  if (condition.good() && status_ == STATUS_Success && !contents() && !write_buffer()) {
    fail(STATUS_STORE_Refused_OutOfResources, errno_text());
  }
  return condition;
}

OFCondition ReceivedDataset::read_pdvs() {
  if (request_.DataSetType == DIMSE_DATASET_NULL) return DIMSE_BADMESSAGE;
  DUL_PDV pdv;
  do {
    const OFCondition condition = next_pdv(pdv);
    if (condition.bad()) return condition;
    if (pdv.pdvType != DUL_DATASETPDV || pdv.presentationContextID != context_) {
      return DIMSE_UNEXPECTEDPDVTYPE;
    }
    take(pdv.data, pdv.fragmentLength);
    if (received_ > settings_.limits.object_bytes) {
      connection_.give_up("an object is larger than " +
                          std::to_string(settings_.limits.object_bytes) + " bytes");
      return DIMSE_OUTOFRESOURCES;
    }
  } while (!pdv.lastPDV);
  return EC_Normal;
}

void ReceivedDataset::fail(uint16_t status, const std::string &reason) {
  status_ = status;
  reason_ = reason;
}

void ReceivedDataset::check_space() {
  next_check_ = received_ + space_check_interval;
  const std::string fault = free_space_fault(settings_);
  if (!fault.empty()) fail(STATUS_STORE_Refused_OutOfResources, fault);
}

void ReceivedDataset::take(const void *bytes, size_t count) {
  const auto *next = static_cast<const uint8_t *>(bytes);
  size_t done = 0;
  received_ += count;
  if (status_ == STATUS_Success && received_ >= next_check_) check_space();
  if (status_ == STATUS_Success) {
    hash_.take(next, count);
    done = append(next, count);
    kept_ += done;
    if (done < count) fail(STATUS_STORE_Refused_OutOfResources, errno_text());
  }
  const size_t known = std::min(beginning_size, kept_ + unkept_.size());
  unkept_.insert(unkept_.end(), next + done,
                 next + done + std::min(count - done, beginning_size - known));
}

std::vector<uint8_t> ReceivedDataset::beginning() const {
  std::vector<uint8_t> bytes(std::min(kept_, beginning_size));
  size_t done = 0;
  // Nothing is written before the buffer is full, and then all of the beginning is.
  static_assert(FileBuffer::capacity >= 2 * beginning_size);
  if (on_disk_ == 0 && !bytes.empty()) {
    memcpy(bytes.data(), buffer_.bytes() + meta_length_, bytes.size());
    done = bytes.size();
  }
  while (done < bytes.size()) {
    const ssize_t count =
        pread(file_, bytes.data() + done, bytes.size() - done, off_t(meta_length_ + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += size_t(count);
  }
  if (done == bytes.size()) {
    bytes.insert(bytes.end(), unkept_.begin(), unkept_.end());
  } else {
    bytes.resize(done);
  }
  return bytes;
}

OFCondition ReceivedDataset::next_pdv(DUL_PDV &pdv) {
  OFCondition condition = DUL_NextPDV(&association_->DULassociation, &pdv);
  if (condition.good()) return condition;
  for (int waited = 0; (last_seen_ = connection_.incoming(1000)) == Incoming::nothing; ++waited) {
    if (waited >= data_timeout) return DIMSE_NODATAAVAILABLE;
  }
  condition =
      DUL_ReadPDVs(&association_->DULassociation, nullptr, DUL_NOBLOCK, data_timeout);
  if (condition != DUL_PDATAPDUARRIVED) {
    return condition.good() ? OFCondition(DIMSE_READPDVFAILED) : condition;
  }
  return DUL_NextPDV(&association_->DULassociation, &pdv);
}
