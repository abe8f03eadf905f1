/// What is usual of the 13 abdominal organs, by their values in the presets `synapse` and `btcv`.
enum AbdominalRules {
  static let source = """
    volumes are from a fifth of a woman's to three times a man's reference mass (ICRP \
    Publication 89, 2002, at 1 g/ml: liver 1400 and 1800 g, spleen 130 and 150, a kidney 137 and \
    155, pancreas 120 and 140, stomach 140 and with its contents 400, an adrenal gland 6.5 and \
    7, gallbladder with its contents 56 and 68, esophagus 35 and 40), a fifth as images may end \
    within an organ; gallbladder and esophagus may be absent. Aorta and inferior vena cava are \
    by ours, as cylinders: from 15 x 60 to 60 x 400 mm, and from 10 x 60 to 35 x 300 mm. Kidneys \
    differ by a factor of two at most, as kidneys whose lengths differ by more than 1.5 cm are \
    taken for diseased, adrenal glands by three. Compactness is at least half of what reference \
    labels at 1 to 3 mm have (0.44 to 0.58). Directions are anatomy, but in situs inversus
    """

  static let output: [OutputLimit] = [
    OutputLimit(label: 1, millilitres: [26, 450], largestPart: 0.8, compactness: 0.22),
    OutputLimit(label: 2, millilitres: [27, 465], largestPart: 0.8, compactness: 0.22),
    OutputLimit(label: 3, millilitres: [27, 465], largestPart: 0.8, compactness: 0.22),
    OutputLimit(label: 4, millilitres: [0, 204], largestPart: 0.5),
    OutputLimit(label: 5, millilitres: [0, 120], largestPart: 0.3),
    OutputLimit(label: 6, millilitres: [280, 5400], largestPart: 0.8, compactness: 0.22),
    OutputLimit(label: 7, millilitres: [28, 1200], largestPart: 0.5),
    OutputLimit(label: 8, millilitres: [10, 1130], largestPart: 0.5),
    OutputLimit(label: 9, millilitres: [4, 290], largestPart: 0.5),
    OutputLimit(label: 11, millilitres: [24, 420], largestPart: 0.3),
    OutputLimit(label: 12, millilitres: [1.3, 21], largestPart: 0.3),
    OutputLimit(label: 13, millilitres: [1.3, 21], largestPart: 0.3),
  ]

  static let relations: [LabelRelation] = [
    // Sides.
    LabelRelation(label: 6, other: 1, kind: .direction(.rightOf)),
    LabelRelation(label: 2, other: 3, kind: .direction(.rightOf)),
    LabelRelation(label: 12, other: 13, kind: .direction(.rightOf)),
    LabelRelation(label: 9, other: 8, kind: .direction(.rightOf)),
    LabelRelation(label: 4, other: 1, kind: .direction(.rightOf)),
    LabelRelation(label: 7, other: 4, kind: .direction(.leftOf)),
    // Along the body's axis.
    LabelRelation(label: 12, other: 2, kind: .direction(.above)),
    LabelRelation(label: 13, other: 3, kind: .direction(.above)),
    LabelRelation(label: 6, other: 2, kind: .direction(.above)),
    LabelRelation(label: 1, other: 3, kind: .direction(.above)),
    LabelRelation(label: 5, other: 11, kind: .direction(.above)),
    // From front to back.
    LabelRelation(label: 10, other: 9, kind: .direction(.inFrontOf)),
    LabelRelation(label: 7, other: 3, kind: .direction(.inFrontOf)),
    LabelRelation(label: 4, other: 2, kind: .direction(.inFrontOf)),
    LabelRelation(label: 6, other: 2, kind: .direction(.inFrontOf)),
    // Pairs.
    LabelRelation(label: 2, other: 3, kind: .similar(ratio: 2)),
    LabelRelation(label: 12, other: 13, kind: .similar(ratio: 3)),
  ]
}
