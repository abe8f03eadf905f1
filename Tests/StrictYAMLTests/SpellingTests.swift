import StrictYAML
import Testing

/// What was probably meant.
@Suite struct SpellingTests {
  private enum Colour: String, YAMLChoice { case red, green, blue }

  private struct Paint: Decodable {
    var colour: Colour?
    var layers: Int?
    var isGlossy: Bool?
    var names: [String]?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case colour, layers, isGlossy, names
    }

    init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      colour = try values.decodeIfPresent(Colour.self, forKey: .colour)
      layers = try values.decodeIfPresent(Int.self, forKey: .layers)
      isGlossy = try values.decodeIfPresent(Bool.self, forKey: .isGlossy)
      names = try values.decodeIfPresent([String].self, forKey: .names)
    }
  }

  private func fault(_ text: String) -> String? {
    do {
      _ = try StrictYAMLDecoder().decode(Paint.self, text: text, of: "paint.yaml")
      return nil
    } catch { return error.description }
  }

  @Test(arguments: [
    ("layer: 1", "layers"), ("color: red", "colour"), ("Layers: 1", "layers"),
    ("isgolssy: true", "isGlossy"),
  ])
  func anUnknownKeyNamesTheNearest(text: String, key: String) {
    #expect(
      fault(text)?.hasSuffix(
        "(known here: colour, layers, isGlossy, names); did you mean \"\(key)\"?") == true)
  }

  @Test func whatIsNearNothingNamesNone() {
    #expect(fault("thickness: 1")?.contains("did you mean") == false)
  }

  @Test(arguments: [
    (
      "colour: gren",
      "paint.yaml:1: colour: \"gren\" is none of red, green, blue; did you mean \"green\"?"
    ),
    ("colour: 7", "paint.yaml:1: colour: \"7\" is none of red, green, blue"),
    ("layers: many", "paint.yaml:1: layers: this is not a whole number"),
    ("isGlossy: very", "paint.yaml:1: isGlossy: this is not true or false"),
    ("names: {}", "paint.yaml:1: names: this is not a list"),
  ])
  func aWrongValueSaysWhatIsWanted(text: String, message: String) {
    #expect(fault(text) == message)
  }

  @Test(arguments: [
    ("listener.port: port 0", 2), ("listener.aeTitle: missing", 1), ("lists[1].a: wrong", 5),
    ("places.two.port: wrong", 9), ("nothing is known", nil), ("places.three: wrong", 6),
  ])
  func theLineOfAKeyInAMessage(message: String, line: Int?) {
    let text = """
      listener:
        port: 0
      lists:
        - a: 1
        - a: 2
      places:
        - name: one
        - name: two
          port: 0
      """
    #expect(StrictYAMLDecoder.line(ofKeyIn: message, text: text) == line)
  }
}
