import ConfigurationFile
import DICOM
import DICOMNetwork
import Results

/// The tables of the conformance statement (PS3.2 annex N) that follow from the code.
///
/// In the page each is between `<!-- table: NAME -->` and `<!-- end -->`; `segmentd conformance --page FILE` writes
/// them anew, and a test compares them.
///
/// ```swift
/// let page = ConformanceTables.updated(try TextFile.read("ConformanceStatement.md"))
/// ```
public enum ConformanceTables {
  /// By name, in the order of the page.
  public static var all: [(name: String, table: String)] {
    [
      ("sop-classes", sopClasses), ("transfer-syntaxes", transferSyntaxes),
      ("association", association), ("limits", limits), ("query", query), ("status", statuses),
      ("destinations", objects),
    ]
  }

  /// A page with the tables of now.
  public static func updated(_ page: String) -> String {
    var page = page
    for (name, table) in all {
      let begin = "<!-- table: \(name) -->\n"
      guard let start = page.range(of: begin),
        let end = page.range(of: "<!-- end -->", range: start.upperBound..<page.endIndex)
      else { continue }
      page.replaceSubrange(start.upperBound..<end.lowerBound, with: "\n\(table)\n\n")
    }
    return page
  }

  /// Names of tables that a page does not have.
  public static func missing(in page: String) -> [String] {
    all.map(\.name).filter { !page.contains("<!-- table: \($0) -->\n") }
  }

  private static func table(_ head: [String], _ rows: [[String]]) -> String {
    ([head, head.map { _ in "---" }] + rows)
      .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
  }
}

// MARK: - SOP classes and transfer syntaxes

extension ConformanceTables {
  private static func name(_ uid: String) -> String { uidNames[uid] ?? "?" }

  private static var created: [String] {
    [
      SegmentationStorage.sopClassUID, SegmentationStorage.labelMapSOPClassUID,
      MeasurementReportStorage.sopClassUID, StructureSetStorage.sopClassUID,
      CaptureStorage.multiFrameSOPClassUID, CaptureStorage.singleFrameSOPClassUID,
    ]
  }

  private static var sopClasses: String {
    let stored = SiteConfiguration.SOPClasses().stored
    var rows = [["Verification", "1.2.840.10008.1.1", "yes", "yes"]]
    for uid in ImageStorage.sopClasses {
      rows.append([name(uid), uid, "no; as SCP over a C-GET association", "yes"])
    }
    for uid in created + stored.filter({ !created.contains($0) }) {
      rows.append([
        name(uid), uid, created.contains(uid) ? "yes" : "no",
        stored.contains(uid) ? "yes, configurable" : "no, unless configured",
      ])
    }
    rows.append(["Storage Commitment Push Model", "1.2.840.10008.1.20.1", "yes", "yes"])
    for (root, number) in [("Patient Root", 1), ("Study Root", 2)] {
      for (service, last) in [("FIND", 1), ("MOVE", 2), ("GET", 3)] {
        rows.append([
          "\(root) Query/Retrieve Information Model – \(service)",
          "1.2.840.10008.5.1.4.1.2.\(number).\(last)", "yes", "no",
        ])
      }
    }
    return table(["SOP class", "UID", "SCU", "SCP"], rows)
  }

  private static var transferSyntaxes: String {
    let sent = [
      TransferSyntax.explicitLittleEndian.rawValue, TransferSyntax.implicitLittleEndian.rawValue,
    ]
    return table(
      ["transfer syntax", "UID", "received", "sent"],
      AssociationPolicy.decodedTransferSyntaxes.map {
        [name($0), $0, "yes", sent.contains($0) ? "yes" : "no"]
      })
  }

  /// Names by PS3.6 annex A.
  static let uidNames = [
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.128": "Positron Emission Tomography Image Storage",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET Image Storage",
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET Image Storage",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR Storage",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT Structure Set Storage",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image Storage",
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian (retired)",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 & 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Non-Hierarchical (Process 14)",
    "1.2.840.10008.1.2.4.70":
      "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Lossy (Near-Lossless)",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 (Lossless Only)",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 (Lossless Only)",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.5": "RLE Lossless",
  ]
}

// MARK: - Associations, limits, status

extension ConformanceTables {
  private static var association: String {
    let limits = PeerLimits()
    let destination = SiteConfiguration.Destination.defaultTimeoutSeconds
    return table(
      ["parameter", "value", "configured by"],
      [
        ["AE title", "SEGMENTD", "`listener.aeTitle`"],
        ["port", "11112", "`listener.port`"],
        [
          "simultaneous associations accepted", "\(limits.associations)",
          "`listener.maximumAssociations`",
        ],
        [
          "of one address", "\(limits.associations - limits.associations / 8)",
          "`listener.limits.associationsPerAddress`",
        ],
        ["application context", "1.2.840.10008.3.1.1.1", "–"],
        ["asynchronous operations window", "not negotiated: one operation at a time", "–"],
        [
          "timeout of an association that we open: connection, association, each answer",
          "\(destination) s", "`destinations.timeoutSeconds`",
        ],
      ])
  }

  private static var limits: String {
    let limits = PeerLimits()
    return table(
      ["limit of an association that is accepted", "default", "configured by"],
      [
        [
          "from the connection to the whole request, TLS included", "\(limits.requestSeconds) s",
          "`listener.limits.requestSeconds`",
        ],
        ["silence", "\(limits.idleSeconds) s", "`listener.limits.idleSeconds`"],
        ["one PDU or command set", "\(limits.pduSeconds) s", "`listener.limits.pduSeconds`"],
        ["one object", "\(limits.objectSeconds) s", "`listener.limits.objectSeconds`"],
        [
          "size of one object", "\(SiteConfiguration.Limits().objectGB) GB",
          "`listener.limits.objectGB`",
        ],
        [
          "connections without a request", "\(limits.waitingConnections)",
          "`listener.limits.waitingConnections`",
        ],
        [
          "of one address", "\(limits.waitingConnectionsPerAddress)",
          "`listener.limits.waitingConnectionsPerAddress`",
        ],
      ])
  }

  private static var query: String {
    let limits = QueryRetrieveSCU.Limits()
    return table(
      ["limit of a query or retrieval", "value"],
      [
        ["connection, association, each message", "\(limits.timeout) s"],
        ["one C-FIND with all its responses", "\(limits.maximumQueryDuration) s"],
        ["a retrieval without progress", "\(limits.maximumSilence) s"],
        ["matches", "\(limits.maximumMatches)"],
        ["size of an identifier", "\(limits.maximumIdentifierSize) bytes"],
        ["UIDs in one C-MOVE or C-GET", "\(QueryRetrieveSCU.maximumListLength)"],
      ])
  }

  private static var statuses: String {
    table(
      ["service status", "code", "when"],
      [StoreStatus.success, .outOfResources, .doesNotMatch, .cannotUnderstand].map { status in
        let (name, meaning) =
          switch status {
          case .success: ("Success", "the object is on disk, synced, and in the ledger")
          case .outOfResources:
            (
              "Refused",
              "disk or ledger cannot take it now, or the disk is at its reserve: send it again later"
            )
          case .doesNotMatch:
            ("Error", "the dataset is of another SOP class or instance than the request")
          case .cannotUnderstand: ("Error", "the dataset cannot be read")
          }
        let digits = String(status.rawValue, radix: 16, uppercase: true)
        return [name, "0x" + String(repeating: "0", count: 4 - digits.count) + digits, meaning]
      })
  }

  private static var objects: String {
    let makes: [SiteConfiguration.Destination.ObjectKind: (String, [String])] = [
      .segmentation: ("always", [SegmentationStorage.sopClassUID]),
      .report: (
        "`results.report: measurements`; `nothingFound: report`",
        [MeasurementReportStorage.sopClassUID]
      ),
      .capture: (
        "`results.captures`",
        [CaptureStorage.multiFrameSOPClassUID, CaptureStorage.singleFrameSOPClassUID]
      ),
      .labelmap: ("`results.labelmap`", [SegmentationStorage.labelMapSOPClassUID]),
      .fractional: ("`results.fractional`", [SegmentationStorage.sopClassUID]),
      .rtstruct: ("`results.rtstruct`", [StructureSetStorage.sopClassUID]),
    ]
    return table(
      ["kind (`takes`)", "SOP class", "created with"],
      SiteConfiguration.Destination.ObjectKind.allCases.map { kind in
        let (setting, classes) = makes[kind] ?? ("?", [])
        return ["`\(kind.rawValue)`", classes.map(name).joined(separator: "; "), setting]
      })
  }
}
