// What the codecs share; not visible from Swift.
#ifndef CCODECS_SUPPORT_H
#define CCODECS_SUPPORT_H

#include <cstdio>
#include <exception>
#include <new>

#include "CCodecs.h"

inline int ccodecs_fail(ccodecs_error *error, int code, const char *message) {
  if (error) snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

/// Runs `body`, turning any exception into a code.
template <typename Body> int ccodecs_guarded(ccodecs_error *error, Body body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return ccodecs_fail(error, CCODECS_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &exception) {
    return ccodecs_fail(error, CCODECS_UNEXPECTED, exception.what());
  } catch (...) {
    return ccodecs_fail(error, CCODECS_UNEXPECTED, "unknown C++ exception");
  }
}

#endif
