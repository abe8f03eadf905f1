// swift-tools-version: 6.1
import PackageDescription

// Fuzz targets over the modules that read bytes from outside; built and run by Scripts/fuzz.sh.
// `Sources` is a link to the project's: a fuzz target sees what a module of the package sees.

/// An executable whose main function is libFuzzer's.
func fuzz(_ name: String, _ modules: String...) -> Target {
  .executableTarget(
    name: name, dependencies: (["FuzzSupport"] + modules).map { .byName(name: $0) },
    path: "Targets/\(name)", swiftSettings: [.unsafeFlags(["-parse-as-library"])])
}

let dcmtkLibraries = [
  "cmr", "dcmrt", "dcmsr", "dcmnet", "dcmjpeg", "dcmjpls", "dcmimgle", "dcmdata", "oflog", "ofstd",
  "ssl", "crypto",
]

let package = Package(
  name: "fuzz",
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .target(name: "CDCMTK", linkerSettings: dcmtkLibraries.map { .linkedLibrary($0) }),
    .target(name: "CCodecs", linkerSettings: [.linkedLibrary("openjp2"), .linkedLibrary("z")]),
    .target(
      name: "CNIFTI", cSettings: [.unsafeFlags(["-isystem", "/usr/include/nifti"])],
      linkerSettings: [.linkedLibrary("nifti2"), .linkedLibrary("znz")]),
    .systemLibrary(name: "CCairo"),
    .systemLibrary(name: "CPNG"),
    .systemLibrary(name: "COpenSSL"),
    .systemLibrary(name: "CZip"),
    .target(name: "Cryptography", dependencies: ["COpenSSL", "FileSystem"]),
    .target(name: "FileSystem"),
    .target(name: "Terminology"),
    .target(name: "Volumes"),
    .target(name: "Wording"),
    .target(name: "GeometryGate", dependencies: ["Volumes", "Wording"]),
    .target(name: "NIfTI", dependencies: ["CNIFTI", "FileSystem", "Volumes", "Wording"]),
    .target(name: "Checkpoints", dependencies: ["CZip", "FileSystem", "Wording"]),
    .target(
      name: "StrictYAML", dependencies: ["FileSystem", .product(name: "Yams", package: "Yams")]),
    .target(name: "SeriesSelection", dependencies: ["StrictYAML"]),
    .target(
      name: "DICOM",
      dependencies: [
        "CDCMTK", "CCodecs", "FileSystem", "Terminology", "Volumes", "Wording", "Cryptography",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "SeriesReading",
      dependencies: [
        "DICOM", "FileSystem", "GeometryGate", "NIfTI", "SeriesSelection", "Volumes",
        "Cryptography", "Wording",
      ]),
    .target(
      name: "Results",
      dependencies: [
        "DICOM", "FileSystem", "Terminology", "Volumes", "Wording", "CCairo", "CPNG",
        "Cryptography",
        .product(name: "Yams", package: "Yams"),
      ]),

    // Without the client and its HTTP library, which read nothing by themselves.
    .target(
      name: "DICOMweb", dependencies: ["DICOM"],
      sources: [
        "DICOMJSON.swift", "MediaType.swift", "MultipartReader.swift",
        "StoreInstancesResponse.swift", "StoreInstancesResponse+JSON.swift",
        "StoreRequestType.swift", "Worklist/Workitem.swift", "Worklist/WorklistTags.swift",
      ]),
    .target(name: "FuzzSupport", path: "Targets/FuzzSupport"),
    fuzz("AnswerFuzz", "DICOM", "DICOMweb"),
    fuzz("CheckpointFuzz", "Checkpoints"),
    fuzz("InstanceFuzz", "DICOM", "SeriesReading", "GeometryGate"),
    fuzz("LabelFuzz", "Results", "Volumes"),
    fuzz("MultipartFuzz", "DICOMweb"),
    fuzz("VolumeFuzz", "NIfTI"),
  ],
  cxxLanguageStandard: .cxx17
)
