import Cryptography
import FileSystem
import Foundation
import Testing

/// Known answers of the standards.
@Suite struct KnownAnswerTests {
  /// FIPS 180-4's examples, and a million of "a".
  @Test func sha256() {
    #expect(
      hexadecimal(SHA256.hash(data: Data("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hexadecimal(SHA256.hash(data: Data()))
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    var hash = SHA256()
    for _ in 0..<1000 { hash.update(data: [UInt8](repeating: 0x61, count: 1000)) }
    #expect(
      hexadecimal(hash.finalize())
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// What was not read has no hash, and nobody waits for a pipe.
  @Test func onlyFilesHaveAHash() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("file")
    try Data("abc".utf8).write(to: file)
    #expect(try SHA256.hash(ofFile: file) == SHA256.hash(data: Data("abc".utf8)))
    let pipe = folder.appendingPathComponent("pipe")
    #expect(mkfifo(pipe.path, 0o600) == 0)
    let missing = folder.appendingPathComponent("missing")
    for (place, number) in [(pipe, EINVAL), (folder, EISDIR), (missing, ENOENT)] {
      #expect(throws: UnreadableFile(place.path, SystemError(number))) {
        try SHA256.hash(ofFile: place)
      }
    }
  }

  @Test func sha1() {
    #expect(
      hexadecimal(Cryptography.sha1(Data("abc".utf8)))
        == "a9993e364706816aba3e25717850c26c9cd0d89d")
  }

  /// RFC 4231, case 2.
  @Test func hmac() {
    #expect(
      hexadecimal(hmacSHA256(Data("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  }

  /// RFC 7914, section 11.
  @Test func pbkdf2() throws {
    let key = try #require(
      pbkdf2SHA256("Password", salt: Data("NaCl".utf8), rounds: 80_000, length: 64))
    #expect(
      hexadecimal(key)
        == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        + "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d")
  }

  @Test func randomBytesDiffer() {
    #expect(randomBytes(32).count == 32 && randomBytes(32) != randomBytes(32))
  }
}
