// What series lack, and what rules say of them.
extension HeldReason {
  static let instances = rows(
    .instances,
    [
      Row(
        "an instance was refused, with status and peer",
        signs: [" refused with 0x", " refused: ", "more instances were refused"],
        advice:
          "send it again; the status says why it was refused (<doc:Operation#Status-of-a-C-STORE>). Where what is here is enough: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "a listener is away at which instances wait, or an association is open",
        signs: [
          "wait at listener …, which is away", "comes once the listener is back",
          "the association of … is open after",
        ],
        advice: "start that listener: what it has taken comes by itself"),
      Row(
        "the association of a peer was aborted, lost, silent or interrupted",
        signs: ["more may be missing, send the series again", "came is not known, send it again"],
        advice:
          "send the series again; nothing has to be done here. Where it was complete: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "the query source lists more than has come, or does not answer",
        signs: [
          "instances of the series, of which … are not here", "the query source lists",
          "no answer:", "no association with", "the server answered",
        ],
        advice:
          "see that the archive can be reached (`segmentd doctor`); `segmentd fetch --study UID` tries at once. Where what is here is enough: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "files are lost or damaged here, or are not as they were received",
        signs: ["lost or damaged here", "files in the spool are not as they were received"],
        advice:
          "send the series again; `segmentd ledger check` says what else is damaged. Look at the disk"
      ),
      Row(
        "originals were purged here",
        signs: ["purged here"],
        advice: "send the series again, or `segmentd fetch --study UID`"),
      Row(
        "a series that the rules compare with this one, or that is of the same stack, was purged or lost",
        signs: ["whose originals were purged or lost"],
        advice:
          "send that series, which the reason names, again, or `segmentd fetch --study UID`; then `segmentd jobs retry --job NUMBER`"
      ),
    ])

  static let rules = rows(
    .rules,
    [
      Row(
        "no rule of the configuration matches, with the modality and the criteria that were not met",
        signs: ["no rule of the configuration matches"],
        advice:
          "nothing, where the series is not to be segmented; `retention.originals.unusedDays` does not count it, `heldDays` does. Else change `rules:` (<doc:Rules>), try it by `segmentd rules test` or `segmentd replay`, and `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "several series have the same score",
        signs: ["nothing decides between them: add a preference"],
        advice:
          "add `tieOrder:` or a preference that tells them apart to the rule, then `segmentd jobs retry --job NUMBER`; or segment the right one: `segmentd reprocess --series UID`"
      ),
      Row(
        "nothing says which of its volumes is meant",
        signs: [
          "nothing says which of its volumes is meant",
          "of the series fit equally well and nothing decides between them",
          "no volume of the series is the one that is wanted",
        ],
        advice: "`segmentd jobs release --job NUMBER --volume N`, or `volume:` in the rule"),
      Row(
        "the series has no volume of the name that was chosen",
        signs: [
          "which a person chose, is not among those of the series",
          "the series has no volume …, which was chosen",
          "several volumes of the series are …, which was chosen",
        ],
        advice:
          "the series changed since somebody chose it, choose again: `segmentd jobs release --job NUMBER --volume N`"
      ),
      Row(
        "rules for one model choose different volumes",
        signs: ["choose different volumes"],
        advice:
          "make the rules exclude each other, then `segmentd jobs retry --job NUMBER`; or choose one of them: `segmentd jobs release --job NUMBER --volume N`"
      ),
      Row(
        "held by an administrator",
        signs: ["held by an administrator"],
        advice: "`segmentd jobs release --job NUMBER`"),
    ])
}
