// Clusters, and faults of programs and models.
extension HeldReason {
  static let cluster = rows(
    .cluster,
    [
      Row(
        "a node has too little memory for the job",
        meaning: "the job was submitted again with more memory, and that is not enough either",
        signs: ["a node has too little memory for the job"],
        advice:
          "raise `slurm.memoryGB`, or give the nodes more memory; then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "on node X: …",
        meaning:
          "two nodes, or the only one, refuse the job because their program or model differs from the head's: the reason names both builds, versions or hashes",
        signs: ["on node …: "],
        advice:
          "install the head's program and model there, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "Slurm ended the job for its memory",
        meaning: "the same, reported by Slurm",
        signs: ["Slurm ended the job for its memory"],
        advice: "raise `slurm.memoryGB`, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "Slurm ended the job after so many minutes",
        meaning: "the job was submitted again with more time, and that is not enough either",
        signs: ["Slurm ended the job after"],
        advice: "raise `slurm.wallTimeMinutes`, then `segmentd jobs retry --job NUMBER`"),
    ])

  static let faults = rows(
    .faults,
    [
      Row(
        "the model is not there, is excluded, or its checksum does not match",
        signs: [
          "there is no model \"", "is excluded by models.exclude", "model.yaml", ".safetensors: ",
        ],
        advice:
          "`segmentd models verify`; put the bundle back, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "the result failed its proof",
        signs: ["proof failed:"],
        advice:
          "report it (<doc:Security#Reporting>) with `segmentd explain --study UID --json`; nothing was sent"
      ),
      Row(
        "failed three times",
        signs: ["failed … times,", "failed 1 time,"],
        advice:
          "fix the cause, then `segmentd jobs retry --job NUMBER`; the reason is that of the last attempt, and `segmentd jobs list --job NUMBER` shows all attempts"
      ),
      Row(
        "ended the process six times",
        signs: ["the process ended … during this job"],
        advice:
          "a crash: report it (<doc:Security#Reporting>). The job is not tried again by itself; `segmentd jobs retry --job NUMBER` tries it once more"
      ),
    ])
}
