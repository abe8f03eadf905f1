import Testing

@testable import UNETRPP

@Suite struct NetworkShapesTests {
  private func read(_ description: NetworkDescription) -> NetworkShapes? {
    var all: [String: [Int]] = [:]
    for entry in description.stateDictionary() { all[entry.name] = entry.shape }
    return NetworkShapes { all[$0] }
  }

  @Test(arguments: [
    NetworkDescription.synapse, .acdc, .lung, .tumor,
    NetworkDescription(
      blocks: .tumor, patch: [32, 64, 96], inputChannels: 2, classes: 7, stem: [1, 2, 4],
      featureSize: 8, dims: [8, 16, 64, 128], heads: 2, depths: [1, 2, 3, 4],
      decoderDepths: [3, 1, 2], projections: [16, 8, 4, 2], decoderProjections: [5, 6, 7]),
  ])
  func everySizeFollowsFromTheShapes(_ description: NetworkDescription) throws {
    let shapes = try #require(read(description))
    #expect(shapes.description(patch: description.patch, kind: description.blocks) == description)
    #expect(shapes.patches.contains(description.patch))
    for patch in shapes.patches {
      let other = shapes.description(patch: patch, kind: nil)
      try other.validate()
      #expect(other.stateDictionary().map(\.shape) == description.stateDictionary().map(\.shape))
    }
  }

  @Test func theKindIsKeptWhereItsBlocksAreTheSame() throws {
    let lung = try #require(read(.lung))
    #expect(lung.blocks == .acdc)
    #expect(lung.description(patch: [], kind: .lung).blocks == .lung)
    #expect(lung.description(patch: [], kind: .synapse).blocks == .acdc)
    #expect(lung.description(patch: [], kind: nil).blocks == .acdc)
  }

  @Test func aPatchOfOneTokenInTheDeepestStageIsTheOnlyOne() throws {
    let description = NetworkDescription(
      blocks: .synapse, patch: [16, 32, 32], inputChannels: 1, classes: 3, stem: [2, 4, 4])
    #expect(try #require(read(description)).patches == [[16, 32, 32]])
  }

  @Test(arguments: [
    "out1.conv.conv.weight", "encoder1.conv1.conv.weight",
    "unetr_pp_encoder.stages.0.0.pos_embed", "decoder4.decoder_block.0.0.epa_block.E.weight",
  ])
  func withoutATensorNothingIsSaid(_ name: String) {
    var all: [String: [Int]] = [:]
    for entry in NetworkDescription.synapse.stateDictionary() { all[entry.name] = entry.shape }
    for shape in [nil, [], [0], [-1, 0, 0, 0, 0], [Int.max]] as [[Int]?] {
      all[name] = shape
      #expect(NetworkShapes { all[$0] } == nil)
    }
  }
}
