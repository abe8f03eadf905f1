import Testing

/// A person's name in a character set (PS3.5 annexes H to J).
struct CharacterSetSample: CustomTestStringConvertible, Sendable {
  /// Specific Character Set (0008,0005).
  var terms: String
  var name: String
  /// The name as it is stored, in hexadecimal digits.
  var stored: String

  var testDescription: String { terms }

  var bytes: [UInt8] {
    let digits = Array(stored)
    return stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(digits[$0...$0 + 1]), radix: 16)
    }
  }

  static let all = [
    CharacterSetSample(
      terms: "ISO_IR 100", name: "Müller^Jörg", stored: "4dfc6c6c65725e4af67267"),
    // More than 64 bytes where it is in UTF-8, and 42 characters.
    CharacterSetSample(
      terms: "ISO_IR 192", name: "Константинопольский^Александр^Владимирович=王^小東",
      stored: "d09ad0bed0bdd181d182d0b0d0bdd182d0b8d0bdd0bed0bfd0bed0bbd18cd181d0bad0b8d0b95ed0"
        + "90d0bbd0b5d0bad181d0b0d0bdd0b4d1805ed092d0bbd0b0d0b4d0b8d0bcd0b8d180d0bed0b2d0b8d1"
        + "873de78e8b5ee5b08fe69db1"),
    CharacterSetSample(
      terms: "ISO_IR 144", name: "Константинопольский^Александр^Владимирович",
      stored: "badedde1e2d0dde2d8dddedfdedbece1dad8d95eb0dbd5dae1d0ddd4e05eb2dbd0d4d8dcd8e0ded2"
        + "d8e7"),
    CharacterSetSample(
      terms: "ISO_IR 127", name: "قباني^لنزار", stored: "e2c8c7e6ea5ee4e6d2c7d1"),
    CharacterSetSample(terms: "ISO_IR 166", name: "สมชาย^ใจดี", stored: "cac1aad2c25ee3a8b4d5"),
    CharacterSetSample(terms: "ISO_IR 126", name: "Διονυσιος", stored: "c4e9efedf5f3e9eff2"),
    CharacterSetSample(terms: "ISO_IR 138", name: "שרון^דבורה", stored: "f9f8e5ef5ee3e1e5f8e4"),
    CharacterSetSample(
      terms: "GB18030", name: "Wang^XiaoDong=王^小东",
      stored: "57616e675e5869616f446f6e673dcdf55ed0a1b6ab"),
    // The second byte of the last character is that of a backslash.
    CharacterSetSample(terms: "GBK", name: "誠^乗", stored: "d55c5e815c"),
    CharacterSetSample(
      terms: "\\ISO 2022 IR 87", name: "Yamada^Tarou=山田^太郎=やまだ^たろう",
      stored: "59616d6164615e5461726f753d1b24423b3345441b28425e1b244242404f3a1b28423d1b24422464"
        + "245e24401b28425e1b2442243f246d24261b2842"),
    CharacterSetSample(
      terms: "ISO 2022 IR 13\\ISO 2022 IR 87", name: "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
      stored: "d4cfc0de5ec0dbb33d1b24423b3345441b284a5e1b244242404f3a1b284a3d1b24422464245e2440"
        + "1b284a5e1b2442243f246d24261b284a"),
    CharacterSetSample(
      terms: "\\ISO 2022 IR 149", name: "Hong^Gildong=洪^吉洞=홍^길동",
      stored: "486f6e675e47696c646f6e673d1b242943fbf35e1b242943d1ced4d73d1b242943c8ab5e1b242943"
        + "b1e6b5bf"),
    CharacterSetSample(
      terms: "ISO 2022 IR 6\\ISO 2022 IR 100\\ISO 2022 IR 144", name: "Müller^Иван",
      stored: "4dfc6c6c65725e1b2d4cb8d2d0dd"),
  ]
}
