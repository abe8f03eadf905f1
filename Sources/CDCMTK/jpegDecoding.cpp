#include "support.h"

#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"

#include <memory>
#include <vector>

namespace {

/// A dataset of one monochrome frame whose pixel data is the codestream in one fragment.
OFCondition make_dataset(DcmDataset &dataset, E_TransferSyntax syntax, const uint8_t *codestream,
                         size_t length, Uint16 rows, Uint16 columns, Uint16 precision) {
  dataset.putAndInsertUint16(DCM_SamplesPerPixel, 1);
  dataset.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME2");
  dataset.putAndInsertString(DCM_NumberOfFrames, "1");
  dataset.putAndInsertUint16(DCM_Rows, rows);
  dataset.putAndInsertUint16(DCM_Columns, columns);
  dataset.putAndInsertUint16(DCM_BitsAllocated, precision > 8 ? 16 : 8);
  dataset.putAndInsertUint16(DCM_BitsStored, precision);
  dataset.putAndInsertUint16(DCM_HighBit, Uint16(precision - 1));
  dataset.putAndInsertUint16(DCM_PixelRepresentation, 0);

  std::vector<Uint8> padded(codestream, codestream + length);
  if (padded.size() % 2 == 1) padded.push_back(0);
  std::unique_ptr<DcmPixelSequence> sequence(new DcmPixelSequence(DcmTag(DCM_PixelData, EVR_OB)));
  std::unique_ptr<DcmPixelItem> fragment(new DcmPixelItem(DcmTag(DCM_Item, EVR_OB)));
  OFCondition condition =
      sequence->insert(new DcmPixelItem(DcmTag(DCM_Item, EVR_OB)));  // empty offset table
  if (condition.good()) condition = fragment->putUint8Array(padded.data(), Uint32(padded.size()));
  if (condition.good()) condition = sequence->insert(fragment.get());
  if (condition.bad()) return condition;
  fragment.release();
  std::unique_ptr<DcmPixelData> pixels(new DcmPixelData(DcmTag(DCM_PixelData, EVR_OB)));
  pixels->putOriginalRepresentation(syntax, nullptr, sequence.release());
  condition = dataset.insert(pixels.get(), OFTrue);
  if (condition.good()) pixels.release();
  return condition;
}

}  // namespace

int cdcmtk_decode_jpeg(
    const char *transfer_syntax, const uint8_t *codestream, size_t length, uint16_t rows,
    uint16_t columns, uint16_t precision, uint8_t *samples, size_t count, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    const size_t expected = size_t(rows) * columns * (precision > 8 ? 2 : 1);
    if (count != expected || length > 0xFFFFFFF0u || count > 0x7FFFFFFFu) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "frame size out of bounds");
    }
    DcmDataset dataset;
    OFCondition condition =
        make_dataset(dataset, DcmXfer(transfer_syntax).getXfer(), codestream, length, rows,
                     columns, precision);
    DcmElement *element = nullptr;
    if (condition.good()) condition = dataset.findAndGetElement(DCM_PixelData, element);
    if (condition.bad()) return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);

    // The decoders want an even buffer.
    std::vector<uint8_t> frame(count + count % 2);
    Uint32 fragment = 0;
    OFString color_model;
    cdcmtk_thread_warnings = 0;
    condition = element->getUncompressedFrame(&dataset, 0, fragment, frame.data(),
                                              Uint32(frame.size()), color_model);
    if (condition.bad()) return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
    if (cdcmtk_thread_warnings > 0) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, cdcmtk_thread_warning);
    }
    memcpy(samples, frame.data(), count);
    return int(CDCMTK_OK);
  });
}
