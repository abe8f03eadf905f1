#include "support.h"

#include "dcmtk/dcmdata/dcostrmb.h"

std::string cdcmtk_meta_information(const char *sop_class_uid, const char *sop_instance_uid,
                                    const char *transfer_syntax_uid) {
  const Uint8 version[] = {0, 1};
  DcmMetaInfo meta;
  meta.putAndInsertUint8Array(DCM_FileMetaInformationVersion, version, 2);
  meta.putAndInsertString(DCM_MediaStorageSOPClassUID, sop_class_uid);
  meta.putAndInsertString(DCM_MediaStorageSOPInstanceUID, sop_instance_uid);
  meta.putAndInsertString(DCM_TransferSyntaxUID, transfer_syntax_uid);
  meta.putAndInsertString(DCM_ImplementationClassUID, implementation_class_uid);
  meta.putAndInsertString(DCM_ImplementationVersionName, implementation_version_name);
  OFCondition condition = meta.computeGroupLengthAndPadding(
      EGL_withGL, EPD_noChange, META_HEADER_DEFAULT_TRANSFERSYNTAX, EET_ExplicitLength);
  if (condition.bad()) return "";
  // UIDs have 64 characters.
  char buffer[4096];
  DcmOutputBufferStream stream(buffer, sizeof buffer);
  meta.transferInit();
  condition = meta.write(stream, META_HEADER_DEFAULT_TRANSFERSYNTAX, EET_ExplicitLength, nullptr);
  meta.transferEnd();
  if (condition.bad()) return "";
  void *written = nullptr;
  offile_off_t length = 0;
  stream.flushBuffer(written, length);
  return std::string(static_cast<const char *>(written), size_t(length));
}
