// Visiting the elements of a dataset; not visible from Swift.
#ifndef CDCMTK_VISITING_H
#define CDCMTK_VISITING_H

#include "support.h"

/// Visits the elements of a dataset or item in their order, those of nested items included.
OFCondition cdcmtk_visit(DcmItem &item, const cdcmtk_visitor &visitor);

#endif
