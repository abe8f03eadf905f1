// swift-tools-version: 6.1
import PackageDescription

// Debug builds keep the C kernels optimised: at -O0 the test suite would take hours.
let optimisedKernels: [CSetting] = [.unsafeFlags(["-O3"], .when(configuration: .debug))]

let dcmtkLibraries = [
  "cmr", "dcmrt", "dcmsr", "dcmnet", "dcmjpeg", "dcmjpls", "dcmimgle", "dcmdata", "oflog", "ofstd",
]

let package = Package(
  name: "segmentd",
  products: [.executable(name: "segmentd", targets: ["segmentd"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1",
      traits: ["FullFoundation"]),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // The system's libraries, each behind one plain C interface.
    .target(
      name: "CDCMTK",
      linkerSettings: (dcmtkLibraries + ["ssl", "crypto"]).map { .linkedLibrary($0) }),
    .target(
      name: "CCodecs", linkerSettings: [.linkedLibrary("openjp2"), .linkedLibrary("z")]),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "CKernels", cSettings: optimisedKernels),
    .systemLibrary(name: "CCairo", providers: [.apt(["libcairo2-dev"])]),
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CZip", providers: [.apt(["libzip-dev"])]),
    .target(
      name: "CNIFTI", cSettings: [.unsafeFlags(["-isystem", "/usr/include/nifti"])],
      linkerSettings: [.linkedLibrary("nifti2"), .linkedLibrary("znz")]),

    // Modules, dependencies pointing down only (see Sources/README.md).
    .target(name: "Clocks"),
    .target(name: "FileSystem"),
    .target(name: "Cryptography", dependencies: ["COpenSSL", "FileSystem"]),
    .target(name: "Volumes"),
    .target(name: "Wording"),
    .target(name: "GeometryGate", dependencies: ["Volumes", "Wording"]),
    .target(name: "Evaluation", dependencies: ["FileSystem", "Volumes"]),
    .target(name: "NIfTI", dependencies: ["CNIFTI", "FileSystem", "Volumes", "Wording"]),
    .target(name: "Checkpoints", dependencies: ["CZip", "FileSystem", "Wording"]),
    .target(name: "Terminology"),
    .target(
      name: "StrictYAML", dependencies: ["FileSystem", .product(name: "Yams", package: "Yams")]),
    .target(name: "SeriesSelection", dependencies: ["StrictYAML"]),
    .target(
      name: "ConfigurationFile",
      dependencies: [
        "Credentials", "FileSystem", "StrictYAML", "SeriesSelection", "GeometryGate", "DICOM",
        "DICOMNetwork",
      ]),
    .target(name: "WatchFolder", dependencies: ["Cryptography", "FileSystem"]),
    .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS"]),
    .target(name: "UNETRPP", dependencies: ["Tensors", "Checkpoints"]),
    .target(
      name: "Segmentation",
      dependencies: [
        "UNETRPP", "Tensors", "Checkpoints", "FileSystem", "SeriesSelection", "StrictYAML",
        "Terminology", "Volumes", "Cryptography", "Wording",
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [.copy("Models")]),
    .target(name: "Training", dependencies: ["UNETRPP", "Tensors", "Checkpoints", "Volumes"]),
    .target(
      name: "DICOM",
      dependencies: [
        "CDCMTK", "CCodecs", "FileSystem", "Terminology", "Volumes",
        "Cryptography", "Wording",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "DICOMNetwork",
      dependencies: [
        "CDCMTK", "Clocks", "DICOM", "FileSystem",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "DICOMweb",
      dependencies: [
        "DICOM", "FileSystem",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOFoundationCompat", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
      ]),
    .target(
      name: "Credentials",
      dependencies: ["Clocks", "Cryptography"]),
    .target(
      name: "WebServer",
      dependencies: [
        "Credentials", "DICOMNetwork", "FileSystem",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(
      name: "DICOMwebServer",
      dependencies: [
        "Clocks", "DICOM", "DICOMNetwork", "DICOMweb", "FileSystem", "WebServer",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOFoundationCompat", package: "swift-nio"),
      ]),
    .target(
      name: "Results",
      dependencies: [
        "DICOM", "FileSystem", "Terminology", "Volumes", "CCairo", "CPNG", "Cryptography",
        "Wording",
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "JobLedger",
      dependencies: [
        "Clocks", "FileSystem", "Cryptography", "Wording",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .target(
      name: "WebClient",
      dependencies: [
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    .target(
      name: "Notifications",
      dependencies: [
        "CCurl", "FileSystem", "JobLedger", "WebClient", "Wording",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(
      name: "Traces",
      dependencies: [
        "Cryptography", "JobLedger", "WebClient", "Wording",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(
      name: "AuditLog",
      dependencies: [
        "FileSystem", "Wording",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ]),
    .target(name: "Explanation", dependencies: ["JobLedger", "Wording"]),
    .target(
      name: "Dashboard",
      dependencies: [
        "Clocks", "CPNG", "Credentials", "Cryptography", "DICOM", "DICOMNetwork", "Explanation",
        "JobLedger", "Results", "Volumes", "WebServer", "Wording",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      resources: [.embedInCode("Files")]),
    .target(
      name: "SeriesReading",
      dependencies: [
        "DICOM", "FileSystem", "GeometryGate", "NIfTI", "SeriesSelection", "Volumes",
        "Cryptography", "Wording",
      ]),
    .target(
      name: "SeriesProcessing",
      dependencies: [
        "SeriesReading", "Segmentation", "Results", "Checkpoints", "DICOM", "FileSystem",
        "GeometryGate", "NIfTI",
        "SeriesSelection", "Tensors", "Terminology", "UNETRPP", "Volumes", "Wording",
      ]),
    .target(
      name: "TrainingRuns",
      dependencies: [
        "Training", "SeriesProcessing", "SeriesReading", "Segmentation", "Results", "Evaluation",
        "NIfTI", "StrictYAML", "DICOM", "FileSystem", "GeometryGate", "Checkpoints", "Tensors",
        "UNETRPP", "Terminology", "Volumes", "Cryptography", "Wording",
      ]),
    .target(
      name: "Ingest",
      dependencies: [
        "Clocks", "Cryptography", "SeriesReading", "DICOM", "DICOMNetwork", "FileSystem",
        "JobLedger",
        "WatchFolder", "Wording",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(
      name: "Pipeline",
      dependencies: [
        "ConfigurationFile", "Ingest", "SeriesProcessing", "SeriesReading", "DICOM", "DICOMNetwork",
        "AuditLog", "Clocks", "Credentials", "Dashboard", "DICOMweb", "DICOMwebServer",
        "Evaluation",
        "Explanation", "FileSystem", "GeometryGate", "JobLedger", "Notifications", "Results",
        "Segmentation", "SeriesSelection", "Tensors", "Traces", "Volumes",
        "WebClient", "WebServer", "Wording",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .executableTarget(
      name: "segmentd",
      dependencies: [
        "Pipeline", "Ingest", "SeriesProcessing", "SeriesReading", "ConfigurationFile",
        "Credentials", "Cryptography", "DICOM", "Explanation", "FileSystem", "GeometryGate",
        "JobLedger",
        "Notifications", "Results", "Segmentation", "SeriesSelection",
        "Terminology",
        "Training", "TrainingRuns", "UNETRPP",
        "Tensors", "Checkpoints", "Volumes", "Evaluation", "NIfTI", "Wording",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    // Tests mirror the modules; TestSupport finds fixtures and runs peers.
    .target(
      name: "TestSupport",
      dependencies: ["Volumes", .product(name: "Logging", package: "swift-log")],
      path: "Tests/TestSupport"),
    .testTarget(name: "FileSystemTests", dependencies: ["FileSystem", "TestSupport"]),
    .testTarget(name: "CryptographyTests", dependencies: ["Cryptography", "FileSystem"]),
    .testTarget(name: "VolumesTests", dependencies: ["Volumes", "GeometryGate", "TestSupport"]),
    .testTarget(name: "WordingTests", dependencies: ["Wording"]),
    .testTarget(
      name: "GeometryGateTests", dependencies: ["GeometryGate", "TestSupport", "Wording"]),
    .testTarget(name: "EvaluationTests", dependencies: ["Evaluation", "Volumes", "TestSupport"]),
    .testTarget(name: "NIfTITests", dependencies: ["NIfTI", "Volumes", "TestSupport"]),
    .testTarget(
      name: "SeriesSelectionTests",
      dependencies: ["SeriesSelection", .product(name: "Yams", package: "Yams")]),
    .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "CZip", "TestSupport"]),
    .testTarget(
      name: "WatchFolderTests", dependencies: ["WatchFolder", "Cryptography", "TestSupport"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "Checkpoints", "TestSupport"]),
    .testTarget(
      name: "UNETRPPTests", dependencies: ["UNETRPP", "Tensors", "Checkpoints", "TestSupport"]),
    .testTarget(
      name: "SegmentationTests",
      dependencies: [
        "Segmentation", "Terminology", "Volumes", "UNETRPP", "Checkpoints", "TestSupport",
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Training", "UNETRPP", "Tensors", "Checkpoints", "Volumes", "TestSupport"]),
    .testTarget(
      name: "TrainingRunsTests",
      dependencies: [
        "TrainingRuns", "Training", "Segmentation", "NIfTI", "Evaluation", "Checkpoints",
        "Cryptography", "FileSystem", "SeriesProcessing", "StrictYAML", "Tensors", "UNETRPP",
        "Volumes", "TestSupport",
      ]),
    .testTarget(
      name: "DICOMTests", dependencies: ["DICOM", "FileSystem", "GeometryGate", "TestSupport"]),
    .testTarget(
      name: "DICOMNetworkTests",
      dependencies: ["DICOMNetwork", "Cryptography", "FileSystem", "TestSupport"]),
    .testTarget(name: "DICOMwebTests", dependencies: ["DICOMweb", "DICOM", "TestSupport"]),
    .testTarget(name: "CredentialsTests", dependencies: ["Clocks", "Credentials"]),
    .testTarget(
      name: "WebServerTests",
      dependencies: [
        "WebServer", "Clocks", "Credentials", "Dashboard", "DICOMNetwork", "Explanation",
        "FileSystem", "JobLedger", "TestSupport", "Volumes",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .testTarget(
      name: "DICOMwebServerTests",
      dependencies: [
        "DICOMwebServer", "DICOMweb", "DICOM", "DICOMNetwork", "FileSystem", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "ResultsTests",
      dependencies: [
        "Results", "DICOMNetwork", "DICOMweb", "Terminology", "GeometryGate", "TestSupport",
        "CCairo", "Cryptography",
      ]),
    .testTarget(
      name: "JobLedgerTests", dependencies: ["Clocks", "Cryptography", "JobLedger", "TestSupport"]),
    .testTarget(
      name: "ExplanationTests",
      dependencies: ["Clocks", "Explanation", "FileSystem", "JobLedger", "TestSupport"]),
    .testTarget(
      name: "NotificationsTests",
      dependencies: ["Clocks", "Notifications", "JobLedger", "WebClient", "TestSupport"]),
    .testTarget(
      name: "TracesTests",
      dependencies: [
        "Clocks", "JobLedger", "TestSupport", "Traces", "WebClient",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(name: "AuditLogTests", dependencies: ["AuditLog", "TestSupport"]),
    .testTarget(name: "StrictYAMLTests", dependencies: ["StrictYAML", "TestSupport"]),
    .testTarget(
      name: "ConfigurationFileTests",
      dependencies: ["ConfigurationFile", "Credentials", "TestSupport"]),
    .testTarget(
      name: "SeriesReadingTests",
      dependencies: [
        "SeriesReading", "DICOM", "GeometryGate", "SeriesSelection", "Volumes", "TestSupport",
      ]),
    .testTarget(
      name: "SeriesProcessingTests",
      dependencies: [
        "SeriesProcessing", "SeriesReading", "DICOM", "FileSystem", "GeometryGate", "Results",
        "Segmentation", "SeriesSelection", "Tensors", "Volumes", "TestSupport",
      ]),
    .testTarget(
      name: "IngestTests",
      dependencies: [
        "Clocks", "Cryptography", "Ingest", "DICOM", "DICOMNetwork", "FileSystem", "JobLedger",
        "TestSupport",
      ]),
    .testTarget(
      name: "PipelineTests",
      dependencies: [
        "Clocks", "Explanation", "Pipeline", "Ingest", "SeriesProcessing", "SeriesReading", "DICOM",
        "DICOMNetwork",
        "FileSystem", "GeometryGate", "JobLedger", "Segmentation", "SeriesSelection", "Volumes",
        "UNETRPP",
        "Checkpoints", "Results", "TestSupport", "Traces",
      ]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "FileSystem", "JobLedger", "Checkpoints", "NIfTI", "UNETRPP", "TestSupport", "Volumes",
      ]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)

// Scripts/test.sh builds without optimisation (-Onone), which is most of the time of a build, but for what
// computes: full-size networks would take an hour without. Handed to the frontend this comes last and counts.
if Context.environment["SEGMENTD_TEST_BUILD"] != nil {
  let optimised: Set = [
    "Checkpoints", "Cryptography", "DICOM", "Evaluation", "FileSystem", "GeometryGate", "NIfTI",
    "Results", "Segmentation", "SeriesProcessing", "SeriesReading", "Tensors", "Training",
    "TrainingRuns", "UNETRPP", "Volumes", "WatchFolder",
    "SegmentationTests", "TensorsTests", "TestSupport", "TrainingRunsTests", "TrainingTests",
    "UNETRPPTests",
  ]
  for target in package.targets where optimised.contains(target.name) {
    target.swiftSettings = [.unsafeFlags(["-Xfrontend", "-O"])]
  }
}
