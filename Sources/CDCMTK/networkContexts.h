// Presentation contexts of an association that is asked for (PS3.8 7.1.1.13); not visible from Swift.
#ifndef CDCMTK_NETWORK_CONTEXTS_H
#define CDCMTK_NETWORK_CONTEXTS_H

#include "networkAssociation.h"

#include <map>
#include <string>
#include <vector>

/// Lets an association name this program, and not DCMTK, as the implementation (PS3.7 D.3.3.2), before it
/// is requested or acknowledged.
void name_implementation(T_ASC_Parameters &parameters);

class AcceptedContexts {
public:
  /// Accepts each context in the first transfer syntax of the peer's own order that is taken, and
  /// refuses the others.
  void negotiate(T_ASC_Parameters *parameters, const AssociationSettings &settings);

  /// Which were refused and why, in words; empty where none was.
  std::string refused() const;

  /// DCMTK 3.6.7 neither answers nor stores in a transfer syntax newer than itself. Once the peer
  /// knows what was accepted, DCMTK is told of another compressed syntax, and the true one is kept.
  void hide_unknown_syntaxes(T_ASC_Parameters *parameters);

  std::string transfer_syntax(T_ASC_Parameters *parameters, T_ASC_PresentationContextID id) const;

private:
  void hide_unknown_syntax(DUL_PRESENTATIONCONTEXT &context);

  std::map<T_ASC_PresentationContextID, std::string> hidden_;
  std::vector<std::string> refused_;
};

#endif
