import Volumes

/// What tells the images of a series apart, whatever their headers say beyond.
struct FrameIdentity: Hashable {
  var uid: String
  var frame: Int?
  var tile: Int?

  init(_ frame: ImageFrame) {
    uid = frame.sopInstanceUID
    self.frame = frame.frameNumber
    tile = frame.mosaicTile?.index
  }
}
