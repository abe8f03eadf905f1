// What destinations do not take.
extension HeldReason {
  static let deliveries = rows(
    .deliveries,
    [
      Row(
        "refused with 0xA9xx, 0xCxxx, 0x0110, 0x0122 …",
        signs: ["refused it with 0x", "refused with 0x"],
        advice:
          "the destination does not accept such an object: see its log; allow SEG, Comprehensive 3D SR and Multi-frame True Color Secondary Capture there, or leave one out with `takes`; `singleFrames: true` sends captures as objects of one frame"
      ),
      Row(
        "rejected",
        signs: ["rejected: "],
        advice:
          "it does not know our AE title, or the configuration has the wrong one for it: register ours there, or correct `aeTitle`"
      ),
      Row(
        "accepts none of the SOP classes",
        signs: ["accepts none of the SOP classes", "no presentation context is accepted"],
        advice: "allow Segmentation Storage for our AE title there"),
      Row(
        "no C-FIND, and no storage commitment where `verify: commitment` asks for it",
        signs: ["set verify: none for it and retry", "DICOMweb has no storage commitment"],
        advice: "the destination cannot prove that it keeps a result: set `verify: none`"),
      Row(
        "refused to be asked for storage commitment, 0x…",
        signs: ["refused to be asked for storage commitment"],
        advice: "it does not accept our requests: see its log"),
      Row(
        "does not commit itself to keep …, 0x0119, 0x0122",
        signs: ["does not commit itself to keep"],
        advice: "it has another object under this UID, or does not keep SEG objects"),
      Row(
        "answered 404, 405 or 501 to a query",
        signs: ["to a query: it took the result"],
        advice:
          "the server has STOW-RS without QIDO-RS, which `verify: query` needs: set `verify: none`, or correct `url`; it has accepted the result, and nothing is sent again"
      ),
      Row(
        "took an object 5 times and does not have it",
        signs: ["it took an object … and does not have it"],
        advice: "it answers with success but loses the object: see its log and its routing rules"),
      Row(
        "answered 401 or 403",
        signs: ["it does not admit us"],
        advice:
          "correct `user`, `passwordFile` or `tokenFile`, or have our access rights corrected there"
      ),
      Row(
        "answered 404, or redirects",
        signs: [
          "nothing takes instances there", "it redirects to",
          "does not say that it stored the object",
        ],
        advice:
          "correct `url`; redirects are not followed, as they would send our password elsewhere"
      ),
      Row(
        "answered 409, 413, 415 …",
        signs: ["answered 409", "answered 413", "answered 415"],
        advice: "the server does not accept the object, for the reason given"),
      Row(
        "others can read the file of a password",
        signs: ["others can read or change it"],
        advice: "`chmod 600`"),
      Row(
        "the configuration has no such destination any more",
        signs: ["the configuration has no destination"],
        advice: "add it again, or leave the delivery held"),
      Row(
        "the file was changed since it was proved",
        signs: ["since it was proved"],
        advice: "`segmentd ledger repair` creates a job that makes the result again"),
    ])
}
