#include "support.h"

#include "dcmtk/dcmdata/dcostrmf.h"
#include "dcmtk/dcmdata/dcwcache.h"

#include <string>
#include <vector>

struct cdcmtk_builder {
  DcmFileFormat file;
};

namespace {

DcmItem *dcm_item(cdcmtk_item *item) { return reinterpret_cast<DcmItem *>(item); }

DcmTag dcm_tag(uint32_t tag, const char *vr) {
  return DcmTag(Uint16(tag >> 16), Uint16(tag & 0xFFFF), DcmVR(vr));
}

/// Makes an element of the given VR, lets `fill` set its value and inserts it.
template <typename Fill>
int put(cdcmtk_item *item, uint32_t tag, const char *vr, cdcmtk_error *error, Fill fill) {
  return cdcmtk_guarded(error, [&] {
    DcmElement *element = nullptr;
    OFCondition condition = DcmItem::newDicomElementWithVR(element, dcm_tag(tag, vr));
    if (condition.good()) condition = fill(*element);
    if (condition.good()) condition = dcm_item(item)->insert(element, OFTrue);
    if (condition.bad()) delete element;
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

template <typename Stored>
std::vector<Stored> narrowed(const int64_t *values, size_t count) {
  return std::vector<Stored>(values, values + count);
}

OFCondition put_integer_array(DcmElement &element, const int64_t *values, size_t count) {
  const unsigned long length = (unsigned long)count;
  switch (element.ident()) {
    case EVR_US: return element.putUint16Array(narrowed<Uint16>(values, count).data(), length);
    case EVR_SS: return element.putSint16Array(narrowed<Sint16>(values, count).data(), length);
    case EVR_UL: return element.putUint32Array(narrowed<Uint32>(values, count).data(), length);
    case EVR_SL: return element.putSint32Array(narrowed<Sint32>(values, count).data(), length);
    case EVR_AT: {
      std::vector<Uint16> words;
      for (size_t i = 0; i < count; ++i) {
        words.push_back(Uint16(values[i] >> 16));
        words.push_back(Uint16(values[i] & 0xFFFF));
      }
      return element.putUint16Array(words.data(), length);
    }
    default: return EC_IllegalParameter;
  }
}

OFCondition put_byte_array(DcmElement &element, const uint8_t *bytes, size_t count) {
  if (element.ident() == EVR_OW || element.getVR() == EVR_OW) {
    std::vector<Uint16> words((count + 1) / 2);
    for (size_t i = 0; i < count; ++i) words[i / 2] |= Uint16(bytes[i]) << (8 * (i % 2));
    return element.putUint16Array(words.data(), (unsigned long)words.size());
  }
  return element.putUint8Array(bytes, (unsigned long)count);
}

}  // namespace

cdcmtk_builder *cdcmtk_builder_create(void) { return new (std::nothrow) cdcmtk_builder; }

void cdcmtk_builder_free(cdcmtk_builder *builder) { delete builder; }

cdcmtk_item *cdcmtk_builder_dataset(cdcmtk_builder *builder) {
  return reinterpret_cast<cdcmtk_item *>(static_cast<DcmItem *>(builder->file.getDataset()));
}

int cdcmtk_put_text(cdcmtk_item *item, uint32_t tag, const char *vr, const char *bytes,
                    size_t count, cdcmtk_error *error) {
  return put(item, tag, vr, error, [&](DcmElement &element) {
    return element.putString(bytes, Uint32(count));
  });
}

int cdcmtk_put_integers(cdcmtk_item *item, uint32_t tag, const char *vr, const int64_t *values,
                        size_t count, cdcmtk_error *error) {
  return put(item, tag, vr, error, [&](DcmElement &element) {
    return put_integer_array(element, values, count);
  });
}

int cdcmtk_put_reals(cdcmtk_item *item, uint32_t tag, const char *vr, const double *values,
                     size_t count, cdcmtk_error *error) {
  return put(item, tag, vr, error, [&](DcmElement &element) -> OFCondition {
    if (element.ident() == EVR_FD) return element.putFloat64Array(values, (unsigned long)count);
    std::vector<Float32> singles(values, values + count);
    return element.putFloat32Array(singles.data(), (unsigned long)count);
  });
}

int cdcmtk_put_bytes(cdcmtk_item *item, uint32_t tag, const char *vr, const uint8_t *bytes,
                     size_t count, cdcmtk_error *error) {
  return put(item, tag, vr, error, [&](DcmElement &element) {
    return put_byte_array(element, bytes, count);
  });
}

int cdcmtk_put_sequence(cdcmtk_item *item, uint32_t tag, cdcmtk_error *error) {
  return put(item, tag, "SQ", error, [](DcmElement &) { return EC_Normal; });
}

int cdcmtk_append_item(
    cdcmtk_item *item, uint32_t tag, cdcmtk_item **appended, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    DcmItem *added = nullptr;
    OFCondition condition =
        dcm_item(item)->findOrCreateSequenceItem(dcm_tag(tag, "SQ"), added, -2);
    *appended = reinterpret_cast<cdcmtk_item *>(added);
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

namespace {

/// What is before a dataset in Explicit VR Little Endian. DCMTK's own would name DCMTK as the
/// implementation.
std::string file_header(DcmDataset &dataset) {
  // Empty where they are missing, as in the dataset.
  OFString sop_class_uid, sop_instance_uid;
  dataset.findAndGetOFString(DCM_SOPClassUID, sop_class_uid);
  dataset.findAndGetOFString(DCM_SOPInstanceUID, sop_instance_uid);
  return cdcmtk_meta_information(sop_class_uid.c_str(), sop_instance_uid.c_str(),
                                 UID_LittleEndianExplicitTransferSyntax);
}

}  // namespace

int cdcmtk_builder_save(cdcmtk_builder *builder, const char *path, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    DcmDataset &dataset = *builder->file.getDataset();
    const std::string header = file_header(dataset);
    if (header.empty()) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the file meta information cannot be written");
    }
    FILE *file = fopen(path, "wb");
    if (!file) return cdcmtk_fail(error, CDCMTK_CANNOT_WRITE, "the file cannot be opened");
    if (fwrite(header.data(), 1, header.size(), file) != header.size()) {
      fclose(file);
      return cdcmtk_fail(error, CDCMTK_CANNOT_WRITE, "the file cannot be written");
    }
    // Closes the file.
    DcmOutputFileStream stream(file);
    DcmWriteCache cache;
    dataset.transferInit();
    OFCondition condition =
        dataset.write(stream, EXS_LittleEndianExplicit, EET_ExplicitLength, &cache,
                      EGL_withoutGL, EPD_noChange);
    dataset.transferEnd();
    if (condition.good()) condition = stream.status();
    // What closing cannot write would be lost without a word.
    if (condition.good() && fflush(file) != 0) {
      return cdcmtk_fail(error, CDCMTK_CANNOT_WRITE, "the file cannot be written");
    }
    return cdcmtk_check(condition, CDCMTK_CANNOT_WRITE, error);
  });
}
