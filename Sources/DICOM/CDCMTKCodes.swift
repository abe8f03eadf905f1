import CDCMTK

// The constants of an anonymous C enumeration arrive with another type than the results.
extension CDCMTKCode {
  var code: Int32 { Int32(rawValue) }
}
