#ifndef CDCMTK_H
#define CDCMTK_H

#include "CDCMTKCommitment.h"
#include "CDCMTKFile.h"
#include "CDCMTKNetwork.h"
#include "CDCMTKQuery.h"
#include "CDCMTKReport.h"
#include "CDCMTKStructures.h"

#endif
