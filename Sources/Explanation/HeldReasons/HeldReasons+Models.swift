// What models do not take, and results that are not sent.
extension HeldReason {
  static let model = rows(
    .model,
    [
      Row(
        "`modality`",
        meaning: "the model is not for this Modality (0008,0060)",
        signs: ["Modality (0008,0060) is …, the model takes"],
        advice: "correct the rule, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "`bodyPart`",
        meaning: "the model is not for this Body Part Examined (0018,0015)",
        signs: ["Body Part Examined (0018,0015) is …, the model takes"],
        advice:
          "correct the rule, or the protocol at the modality; then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`channelCount`",
        meaning: "the model takes a different number of images",
        signs: ["image channels, the model takes", "image channel, the model takes"],
        advice:
          "add `channels:` to the model (<doc:SeveralInputs>), then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`channelsOnDifferentGrids`",
        meaning: "the channels could not be resampled onto one grid",
        signs: ["is not on the voxels of channel"],
        advice:
          "add `channels:` to the model (<doc:SeveralInputs>), then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`voxelCount`",
        meaning: "the number of voxels does not match the image's grid",
        signs: ["channel … has … voxels, its grid"],
        advice: "the file is damaged: send it again"),
      Row(
        "`spacing`",
        meaning: "spacing outside the model's limits",
        signs: ["spacing along … mm, the model takes"],
        advice: "have the rule choose another series; the limits are in the model's card"),
      Row(
        "`extent`",
        meaning:
          "a field of view outside the model's limits, such as a whole head for a model of a cropped region",
        signs: ["extent along … mm, the model takes"],
        advice: "have the rule choose another series; the limits are in the model's card"),
      Row(
        "`orientation`",
        meaning: "an anatomical axis cannot be told from the directions of the image",
        signs: ["is not three different axes"],
        advice: "have the rule choose another series; the limits are in the model's card"),
      Row(
        "`notFinite`",
        meaning: "values that are not numbers",
        signs: ["holds values that are not numbers"],
        advice: "have the source corrected"),
      Row(
        "`constant`",
        meaning: "all voxels are equal",
        signs: ["all voxels of channel"],
        advice: "the image is blank: cancel the job"),
      Row(
        "`intensity`",
        meaning: "intensities unlike those of the images the model was trained on",
        signs: ["of channel … is …, the model takes … the images it was made for"],
        advice: "look at the image; if the rule chose the wrong series, correct the rule"),
      Row(
        "`result`",
        meaning: "volumes unlike those the model is known to produce",
        signs: ["the model found … ml of"],
        advice: "look at the image; the model is not suited to it"),
      Row(
        "this is not a series for the model",
        meaning: "a criterion under `channels` of `model.yaml` is not met",
        signs: ["this is not a series for the model"],
        advice: "correct the rule, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "suspect",
        meaning:
          "the result is outside the model's usual range, and `results.suspect` is `hold`",
        signs: ["suspect: "],
        advice:
          "look at its picture and its slices, on the study's page; if it may be sent: `segmentd jobs release --job NUMBER`, which computes it once more and sends it with the warning; otherwise `segmentd jobs cancel --job NUMBER`"
      ),
      Row(
        "the job never fits into memory",
        meaning: "the series is too large for `inference.memoryLimitGB` or the machine",
        signs: ["of memory at its peak on top of"],
        advice: "provide more memory, then `segmentd jobs retry --job NUMBER`; or cancel the job"),
    ])

  static let channels = rows(
    .channels,
    [
      Row(
        "`missing`",
        meaning: "no series of the study can serve as one of the channels",
        signs: ["no series of the study is channel"],
        advice:
          "send the missing series, then `segmentd jobs retry --job NUMBER`; the reason names the candidates and the criteria that they do not meet. If one of them is the right one all the same: `segmentd reprocess --study UID --channel NAME=UID`"
      ),
      Row(
        "`ambiguous`",
        meaning: "several series fit a channel equally well",
        signs: ["are channel … equally well"],
        advice: "`segmentd reprocess --study UID --channel NAME=UID`"),
      Row(
        "`sharedSeries`",
        meaning: "the same series would be used for two channels",
        signs: ["would be channels"],
        advice: "`segmentd reprocess --study UID --channel NAME=UID`, with both channels"),
      Row(
        "`noFrameOfReference`",
        meaning: "a channel without a frame of reference",
        signs: ["has no Frame of Reference UID (0020,0052), so that no other series"],
        advice: "send the original series"),
      Row(
        "`otherFrameOfReference`",
        meaning:
          "channels in different coordinate systems, for example because the patient was repositioned",
        signs: ["is in another frame of reference (0020,0052) than series"],
        advice: "nothing can be done here: segmentd does not register images"),
      Row(
        "`unknownChannel`",
        meaning: "`--channel` names a channel that the model does not have",
        signs: ["the model has no channel"],
        advice:
          "`segmentd reprocess --study UID --channel NAME=UID` with one of the model's channels, which the reason names"
      ),
      Row(
        "`unknownSeries`",
        meaning: "`--channel` names a series that the study does not have",
        signs: ["the study has no series"],
        advice: "send that series first"),
      Row(
        "`noChannels`",
        meaning: "the model bundle does not say which series its channels are",
        signs: ["its bundle has no channels:"],
        advice: "add `channels:` to `model.yaml`, then `segmentd jobs retry --job NUMBER`"),
    ])

  static let cine = rows(
    .cine,
    [
      Row(
        "`tooFewPhases`",
        meaning: "too few phases for a cardiac cycle",
        signs: ["cardiac phases by Trigger Time", "cardiac phase by Trigger Time"],
        advice: "send all phases"),
      Row(
        "`noContraction`",
        meaning: "the cavity is not larger at end-diastole",
        signs: ["the cavity does not contract"],
        advice: "look at the images: the phases may be in the wrong order"),
      Row(
        "`implausibleFraction`",
        meaning: "an ejection fraction outside the model's plausible range",
        signs: ["the ejection fraction of … is …, the model takes"],
        advice: "look at the image"),
      Row(
        "the volumes are not phases of one stack, or differ by more than time",
        meaning: "this is not a cine series, or several in one",
        signs: ["are not phases of one stack", "they are not the phases of one heartbeat"],
        advice: "send each acquisition as a series of its own"),
    ])
}
