// What the file functions share; not visible from Swift.
#ifndef CDCMTK_SUPPORT_H
#define CDCMTK_SUPPORT_H

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dctk.h"

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "CDCMTKFile.h"

/// Implementation Class UID (0002,0012) and Implementation Version Name (0002,0013) of this program,
/// in files and in associations (PS3.7 D.3.3.2): the UID is a UUID of version 5 and never changed.
constexpr char implementation_class_uid[] = "2.25.209837312672225110937804643794729056877";
constexpr char implementation_version_name[] = "SEGMENTD_0.2";

/// Preamble, prefix and file meta information of an instance (PS3.10 7.1) in bytes; empty where DCMTK
/// fails.
std::string cdcmtk_meta_information(const char *sop_class_uid, const char *sop_instance_uid,
                                    const char *transfer_syntax_uid);

/// Warnings DCMTK logged on this thread since the caller set it to zero.
extern thread_local unsigned cdcmtk_thread_warnings;
/// The last of them.
extern thread_local char cdcmtk_thread_warning[256];

inline int cdcmtk_fail(cdcmtk_error *error, int code, const char *message) {
  if (error) snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

inline int cdcmtk_check(const OFCondition &condition, int code, cdcmtk_error *error) {
  return condition.good() ? CDCMTK_OK : cdcmtk_fail(error, code, condition.text());
}

/// Runs `body`, turning any exception into a code.
template <typename Body> int cdcmtk_guarded(cdcmtk_error *error, Body body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return cdcmtk_fail(error, CDCMTK_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &exception) {
    return cdcmtk_fail(error, CDCMTK_UNEXPECTED, exception.what());
  } catch (...) {
    return cdcmtk_fail(error, CDCMTK_UNEXPECTED, "unknown C++ exception");
  }
}

#endif
