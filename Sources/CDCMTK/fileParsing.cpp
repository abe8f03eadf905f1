#include "visiting.h"

#include "dcmtk/dcmdata/dcistrmb.h"

#include <string>
#include <vector>

namespace {

uint32_t tag_of(const DcmObject &object) {
  return uint32_t(object.getGTag()) << 16 | object.getETag();
}

/// Letters of the VR an element is written with.
std::string vr_of(DcmElement &element) {
  return DcmVR(DcmVR(element.getVR()).getValidEVR()).getValidVRName();
}

template <typename Stored>
OFCondition visit_integers(DcmElement &element, OFCondition (DcmElement::*get)(Stored *&),
                           const cdcmtk_visitor &visitor) {
  Stored *stored = nullptr;
  OFCondition condition = (element.*get)(stored);
  if (condition.bad()) return condition;
  const size_t count = stored ? element.getLength() / sizeof(Stored) : 0;
  std::vector<int64_t> values(stored, stored + count);
  visitor.integers(visitor.context, tag_of(element), vr_of(element).c_str(), values.data(), count);
  return condition;
}

template <typename Stored>
OFCondition visit_reals(DcmElement &element, OFCondition (DcmElement::*get)(Stored *&),
                        const cdcmtk_visitor &visitor) {
  Stored *stored = nullptr;
  OFCondition condition = (element.*get)(stored);
  if (condition.bad()) return condition;
  const size_t count = stored ? element.getLength() / sizeof(Stored) : 0;
  std::vector<double> values(stored, stored + count);
  visitor.reals(visitor.context, tag_of(element), vr_of(element).c_str(), values.data(), count);
  return condition;
}

/// Tags of an AT element as group << 16 | element.
OFCondition visit_tags(DcmElement &element, const cdcmtk_visitor &visitor) {
  Uint16 *stored = nullptr;
  OFCondition condition = element.getUint16Array(stored);
  if (condition.bad()) return condition;
  std::vector<int64_t> values;
  for (size_t i = 0; stored && i + 1 < element.getLength() / 2; i += 2) {
    values.push_back(int64_t(stored[i]) << 16 | stored[i + 1]);
  }
  visitor.integers(visitor.context, tag_of(element), "AT", values.data(), values.size());
  return condition;
}

OFCondition visit_bytes(DcmElement &element, const cdcmtk_visitor &visitor) {
  const size_t count = element.getLength();
  std::vector<uint8_t> bytes(count);
  OFCondition condition = EC_Normal;
  if (count > 0) condition = element.getPartialValue(bytes.data(), 0, count, nullptr,
                                                     EBO_LittleEndian);
  if (condition.good()) {
    visitor.bytes(visitor.context, tag_of(element), vr_of(element).c_str(), bytes.data(), count);
  }
  return condition;
}

OFCondition visit_text(DcmElement &element, const cdcmtk_visitor &visitor) {
  char *text = nullptr;
  Uint32 count = 0;
  OFCondition condition = element.getString(text, count);
  if (condition.good()) {
    visitor.text(visitor.context, tag_of(element), vr_of(element).c_str(), text ? text : "",
                 text ? count : 0);
  }
  return condition;
}

OFCondition visit_item(DcmItem &item, const cdcmtk_visitor &visitor);

OFCondition visit_sequence(DcmSequenceOfItems &sequence, const cdcmtk_visitor &visitor) {
  visitor.begin_sequence(visitor.context, tag_of(sequence));
  DcmObject *object = nullptr;
  while ((object = sequence.nextInContainer(object)) != nullptr) {
    visitor.begin_item(visitor.context);
    if (DcmItem *item = dynamic_cast<DcmItem *>(object)) {
      OFCondition condition = visit_item(*item, visitor);
      if (condition.bad()) return condition;
    }
    visitor.end_item(visitor.context);
  }
  visitor.end_sequence(visitor.context);
  return EC_Normal;
}

OFCondition visit_element(DcmElement &element, const cdcmtk_visitor &visitor) {
  if (DcmSequenceOfItems *sequence = dynamic_cast<DcmSequenceOfItems *>(&element)) {
    return visit_sequence(*sequence, visitor);
  }
  switch (element.ident()) {
    case EVR_US: return visit_integers(element, &DcmElement::getUint16Array, visitor);
    case EVR_SS: return visit_integers(element, &DcmElement::getSint16Array, visitor);
    case EVR_UL: return visit_integers(element, &DcmElement::getUint32Array, visitor);
    case EVR_SL: return visit_integers(element, &DcmElement::getSint32Array, visitor);
    case EVR_FL: return visit_reals(element, &DcmElement::getFloat32Array, visitor);
    case EVR_FD: return visit_reals(element, &DcmElement::getFloat64Array, visitor);
    case EVR_AT: return visit_tags(element, visitor);
    default: break;
  }
  return element.isaString() ? visit_text(element, visitor) : visit_bytes(element, visitor);
}

OFCondition visit_item(DcmItem &item, const cdcmtk_visitor &visitor) {
  DcmObject *object = nullptr;
  while ((object = item.nextInContainer(object)) != nullptr) {
    if (object->getETag() == 0) continue;  // group length, retired
    if (DcmElement *element = dynamic_cast<DcmElement *>(object)) {
      OFCondition condition = visit_element(*element, visitor);
      if (condition.bad()) return condition;
    }
  }
  return EC_Normal;
}

}  // namespace

OFCondition cdcmtk_visit(DcmItem &item, const cdcmtk_visitor &visitor) {
  return visit_item(item, visitor);
}

int cdcmtk_parse_dataset(const uint8_t *bytes, size_t count, const char *transfer_syntax,
                         const cdcmtk_visitor *visitor, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    if (count == 0) return int(CDCMTK_OK);
    DcmInputBufferStream stream;
    stream.setBuffer(bytes, offile_off_t(count));
    stream.setEos();
    DcmDataset dataset;
    dataset.transferInit();
    OFCondition condition =
        dataset.read(stream, DcmXfer(transfer_syntax).getXfer(), EGL_noChange);
    dataset.transferEnd();
    if (condition.good()) condition = cdcmtk_visit(dataset, *visitor);
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}
