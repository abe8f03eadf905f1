// What series lack, and what rules say of them.
extension HeldReason {
  static let instances = rows(
    .instances,
    [
      Row(
        "an instance was refused, with status and peer",
        signs: [
          " refused with 0x", " refused: ", "more instances were refused",
          "more instance was refused",
        ],
        advice:
          "send it again; the status says why it was refused (<doc:Operation#Status-of-a-C-STORE>). If the instances that are here suffice: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "a listener is away, and instances wait there or an association to it is open",
        signs: [
          "wait at listener …, which is away", "comes once the listener is back",
          "the association of … is open after",
        ],
        advice: "start that listener: it then hands over by itself what it has received"),
      Row(
        "the association of a peer was aborted, lost, silent or interrupted",
        signs: ["more may be missing, send the series again", "came is not known, send it again"],
        advice:
          "send the series again; nothing needs to be done here. If the series was complete: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "the query source lists more than has come, or does not answer",
        signs: [
          " of the series, of which … not here", "the query source lists",
          "no answer:", "no association with", "the server answered",
        ],
        advice:
          "check that the archive can be reached (`segmentd doctor`); `segmentd fetch --study UID` tries at once. If the instances that are here suffice: `segmentd jobs release --job NUMBER`"
      ),
      Row(
        "files are lost or damaged here, or are not as they were received",
        signs: [
          "lost or damaged here", "in the spool … not as received",
          "files in the spool are not as they were received",
        ],
        advice:
          "send the series again; `segmentd ledger check` lists what else is damaged. Check the disk"
      ),
      Row(
        "originals were purged here",
        signs: ["purged here"],
        advice: "send the series again, or run `segmentd fetch --study UID`"),
      Row(
        "a series that the rules compare with this one, or that is of the same stack, was purged or lost",
        signs: ["whose originals were purged or lost"],
        advice:
          "send that series, which the reason names, once more, or run `segmentd fetch --study UID`; then `segmentd jobs retry --job NUMBER`"
      ),
    ])

  static let rules = rows(
    .rules,
    [
      Row(
        "no rule of the configuration matches, with the modality and the criteria that were not met",
        signs: ["no rule of the configuration matches"],
        advice:
          "nothing, if the series is not meant to be segmented; of the settings in `retention.originals`, `heldDays` applies to it and not `unusedDays`. Otherwise change `rules:` (<doc:Rules>), try the change with `segmentd rules test` or `segmentd replay`, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "several series have the same score",
        signs: ["nothing decides between them: add a preference"],
        advice:
          "add `tieOrder:` to the rule, or a preference that tells them apart, then `segmentd jobs retry --job NUMBER`; or have the right one segmented: `segmentd reprocess --series UID`"
      ),
      Row(
        "nothing says which of its volumes is meant",
        signs: [
          "nothing says which of its volumes is meant",
          "of the series fit equally well and nothing decides between them",
          "no volume of the series is the one that is wanted",
        ],
        advice: "`segmentd jobs release --job NUMBER --volume N`, or set `volume:` in the rule"),
      Row(
        "the series has no volume of the name that was chosen",
        signs: [
          "which a person chose, is not among those of the series",
          "the series has no volume …, which was chosen",
          "several volumes of the series are …, which was chosen",
        ],
        advice:
          "the series has changed since the volume was chosen; choose again: `segmentd jobs release --job NUMBER --volume N`"
      ),
      Row(
        "rules for one model choose different volumes",
        signs: ["choose different volumes"],
        advice:
          "make the rules mutually exclusive, then `segmentd jobs retry --job NUMBER`; or choose one of them: `segmentd jobs release --job NUMBER --volume N`"
      ),
      Row(
        "held by an administrator",
        signs: ["held by an administrator"],
        advice: "`segmentd jobs release --job NUMBER`"),
    ])
}
