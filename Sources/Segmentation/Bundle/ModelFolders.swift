import Foundation

/// Where model bundles are: those delivered with the program, and folders of the site's own.
public enum ModelFolders {
  /// The folder of bundles next to the executable.
  public static let embedded = Bundle.main.bundleURL
    .appendingPathComponent("segmentd_Segmentation.resources/Models")

  /// The folder of bundles that packages install: `/usr/share/segmentd/models` for
  /// `/usr/bin/segmentd`.
  public static let installed = Bundle.main.bundleURL.deletingLastPathComponent()
    .appendingPathComponent("share/segmentd/models")

  /// The bundles' folders, sorted by name: folders that hold a `model.yaml`, in the embedded
  /// folder, in the installed one and in `directories`. A folder that does not exist has no bundles,
  /// and one whose name begins with a dot is not a bundle but one being written.
  public static func bundles(in directories: [URL] = []) -> [URL] {
    ([embedded, installed] + directories).flatMap { directory in
      let items = try? FileManager.default.contentsOfDirectory(
        at: directory, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
      return (items ?? []).filter {
        FileManager.default.fileExists(atPath: $0.appendingPathComponent("model.yaml").path)
      }.sorted { $0.lastPathComponent < $1.lastPathComponent }
    }
  }
}
