#include "support.h"

#include "dcmtk/dcmdata/dcdict.h"
#include "dcmtk/dcmjpeg/djdecode.h"
#include "dcmtk/dcmjpls/djdecode.h"
#include "dcmtk/oflog/oflog.h"
#include "dcmtk/oflog/spi/logevent.h"

#include <mutex>

thread_local unsigned cdcmtk_thread_warnings = 0;
thread_local char cdcmtk_thread_warning[256] = "";

namespace {

namespace log4cplus = dcmtk::log4cplus;

/// Hands DCMTK's messages to the handler and counts them for the thread that caused them.
class HandlerAppender : public log4cplus::Appender {
public:
  explicit HandlerAppender(cdcmtk_log_handler handler) : handler_(handler) {}
  ~HandlerAppender() override { destructorImpl(); }
  void close() override { closed = true; }

protected:
  void append(const log4cplus::spi::InternalLoggingEvent &event) override {
    const bool is_error = event.getLogLevel() >= log4cplus::ERROR_LOG_LEVEL;
    cdcmtk_thread_warnings += 1;
    snprintf(cdcmtk_thread_warning, sizeof cdcmtk_thread_warning, "%s",
             event.getMessage().c_str());
    if (handler_) {
      handler_(is_error ? CDCMTK_LOG_ERROR : CDCMTK_LOG_WARNING, event.getLoggerName().c_str(),
               event.getMessage().c_str());
    }
  }

private:
  cdcmtk_log_handler handler_;
};

}  // namespace

int cdcmtk_initialize(cdcmtk_log_handler handler, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    static std::once_flag once;
    std::call_once(once, [&] {
      OFLog::configure(OFLogger::WARN_LOG_LEVEL);
      log4cplus::Logger root = log4cplus::Logger::getRoot();
      root.removeAllAppenders();
      root.addAppender(log4cplus::SharedAppenderPtr(new HandlerAppender(handler)));
      DJDecoderRegistration::registerCodecs();
      DJLSDecoderRegistration::registerCodecs();
      // Values are copied as they are, also where they break the rules of their VR.
      dcmEnableAutomaticInputDataCorrection.set(OFFalse);
    });
    if (!dcmDataDict.isDictionaryLoaded()) {
      return cdcmtk_fail(error, CDCMTK_NO_DICTIONARY,
                         "no DICOM data dictionary is loaded: install libdcmtk17's dicom.dic or "
                         "name one in DCMDICTPATH");
    }
    return int(CDCMTK_OK);
  });
}

void cdcmtk_tag_name(uint32_t tag, char *name, size_t size) {
  if (size == 0) return;
  name[0] = 0;
  cdcmtk_guarded(nullptr, [&] {
    DcmTag dcm_tag(Uint16(tag >> 16), Uint16(tag & 0xFFFF));
    snprintf(name, size, "%s", dcm_tag.getTagName());
    return int(CDCMTK_OK);
  });
}

void cdcmtk_uid_name(const char *uid, char *name, size_t size) {
  if (size == 0) return;
  name[0] = 0;
  cdcmtk_guarded(nullptr, [&] {
    const char *known = dcmFindNameOfUID(uid, "");
    snprintf(name, size, "%s", known ? known : "");
    return int(CDCMTK_OK);
  });
}
