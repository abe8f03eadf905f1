/// The first configuration of a site: what has to be decided, with comments; everything else is left at its default.
///
/// ```swift
/// var starter = StarterConfiguration()
/// starter.port = 104
/// try ConfigurationSource(file: "segmentd.yaml", text: starter.text).configuration()
/// ```
public struct StarterConfiguration: Sendable, Equatable {
  /// A PACS that results are sent to.
  public struct Destination: Sendable, Equatable {
    public var aeTitle: String
    public var host: String
    public var port: Int

    public init(aeTitle: String, host: String, port: Int) {
      self.aeTitle = aeTitle
      self.host = host
      self.port = port
    }

    /// `AE@HOST:PORT`, an IPv6 address in brackets; nil for any other text.
    public init?(_ text: String) {
      guard let at = text.firstIndex(of: "@"), let colon = text.lastIndex(of: ":"), at < colon,
        let port = Int(text[text.index(after: colon)...]), (1...65535).contains(port)
      else { return nil }
      var host = text[text.index(after: at)..<colon]
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      guard !host.isEmpty, at != text.startIndex else { return nil }
      self.init(aeTitle: String(text[..<at]), host: String(host), port: port)
    }
  }

  /// A model with the modalities that it accepts.
  public struct Model: Sendable, Equatable {
    public var name: String
    public var modalities: [String]

    public init(name: String, modalities: [String]) {
      self.name = name
      self.modalities = modalities
    }
  }

  public var stateDirectory = "/var/lib/segmentd"
  public var aeTitle = "SEGMENTD"
  public var address = "127.0.0.1"
  public var port = 11112
  /// Who may send; empty for every caller.
  public var callingAETitles: [String] = []
  public var destinations: [Destination] = []
  public var modelDirectories: [String] = []
  public var models: [Model] = []

  public init() {}

  /// The YAML file.
  public var text: String {
    """
    # segmentd, written by segmentd config init. Research use only: not for clinical use.
    # Check a change with: segmentd config check --config THIS_FILE
    # Keys that are left out have their defaults; Config/segmentd.yaml in the sources shows every key.
    # Relative paths are relative to the folder of this file.

    # Received instances, results and the ledger. Mode 0700: it contains patient data.
    stateDirectory: \(quoted(stateDirectory))

    # Senders need this AE title, this machine's address and this port.
    listener:
      aeTitle: \(quoted(aeTitle))
      address: \(quoted(address))  # 127.0.0.1: this machine only; 0.0.0.0 or "::": all networks
      port: \(port)
      # AE titles that may send; with none every caller is accepted
      callingAETitles: [\(callingAETitles.map(quoted).joined(separator: ", "))]
      # peers:              # the same by address, in CIDR notation
      #   - {aeTitle: CT1, addresses: [10.1.0.0/16]}

    # A series is complete when nothing has arrived for this long.
    assembly:
      quietSeconds: 30

    models:
      directories: [\(modelDirectories.map(quoted).joined(separator: ", "))]  # folders of further models

    # Which model segments which series: see the guide Rules. Try a change on files with
    # segmentd rules test STUDY_FOLDER, and on received studies with segmentd replay.
    rules:\(rules)

    # Where results are sent, with retries until they are delivered. The destination has to allow the AE title above to
    # store Segmentation objects.
    destinations:\(places)

    # What is removed, and when; without this section nothing is removed. "segmentd purge --dry-run" shows the effect.
    # retention:
    #   originals: {completedDays: 30, unusedDays: 30}
    #   minimumFreeGB: 50

    # Every night each model that has a golden case is checked with it; segmentd check-golden does so immediately.
    nightlyCheck: {hour: 2}

    """
  }

  private var rules: String {
    models.isEmpty
      ? " []" : "\n" + models.map { Self.rules[$0.name] ?? rule($0) }.joined(separator: "\n")
  }

  /// For a model of which no more is known than what it accepts.
  private func rule(_ model: Model) -> String {
    let modalities = model.modalities.map(quoted).joined(separator: ", ")
    return """
        - model: \(quoted(model.name))
          require:
            modality: [\(modalities)]
            imageType: {exclude: [LOCALIZER, DERIVED]}
      """
  }

  private var places: String {
    destinations.isEmpty
      ? " []  # none: results stay in the state directory"
      : "\n"
        + zip(1..., destinations).map { number, place in
          """
            - name: \(destinations.count == 1 ? "pacs" : "pacs-\(number)")
              aeTitle: \(quoted(place.aeTitle))
              host: \(quoted(place.host))
              port: \(place.port)
              # verify: commitment  # how it proves that it keeps a result: commitment, query or none
          """
        }.joined(separator: "\n")
  }

  /// As YAML text in double quotes, so that no word is taken for a number, a flag or syntax.
  private func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        "\\x" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
      default: String(scalar)
      }
    }
    return "\"" + escaped.joined() + "\""
  }
}

extension StarterConfiguration {
  /// For the models that come with segmentd, word for word as in `Config/segmentd.yaml`.
  static let rules = [
    "cardiac": #"""
      # The short-axis stack of a cardiac study, among localizers, long axes, flow, perfusion and late
      # enhancement. The model's weights are licensed for non-commercial use only (CC BY-NC-SA 4.0).
      - name: short-axis cine
        model: cardiac
        require:
          modality: MR
          imageType: {exclude: [LOCALIZER, DERIVED, P, PCA, PHASE MAP, VELOCITY MAP]}
          scanningSequence: {exclude: [SE, IR, EP]}     # black blood, late enhancement, echo planar
          sequenceVariant: {exclude: [MP]}              # perfusion, mapping
          slices: {min: 5, max: 24}
          sliceSpacing: {min: 4.5, max: 12}
          imagesPerSlice: {min: 2, max: 128}            # phases
          seriesDescription:
            exclude:
              - "(^|[^0-9])[234][ _-]?(ch|cv|kammer|chamber)|lax|long.?ax|hla|vla|lvot|rvot"
              - "flow|venc|perf|time.?course|tagg?|spamm|t1.?map|t2.?map|molli|shmolli"
              - "lge|mde|psir|late.?(gad|enh)|delayed|scout|survey|loc(aliz|$)"
        prefer:
          - {seriesDescription: "(^|[^a-z])(sax|sa|short|kurz|ksa|petit.?axe|eje.?corto)([^a-z]|$)", weight: 4}
          - {imagesPerSlice: {min: 12}, weight: 2}
          - {orientation: OBLIQUE}
        tieOrder: [mostSlices, highestSeriesNumber]     # the last of repeated stacks
    """#,
    "hippocampus": #"""
      - model: hippocampus
        # priority: 10              # its jobs run before those of lower priority; 0 by default
        require:
          modality: MR
          imageType: {exclude: [LOCALIZER, DERIVED]}
          imagesPerSlice: {max: 1}
    """#,
  ]
}
