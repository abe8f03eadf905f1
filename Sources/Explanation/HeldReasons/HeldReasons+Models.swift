// What models do not take, and results that are not sent.
extension HeldReason {
  static let model = rows(
    .model,
    [
      Row(
        "`modality`",
        meaning: "Modality (0008,0060) is not one that the model is for",
        signs: ["Modality (0008,0060) is …, the model takes"],
        advice: "correct the rule, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "`bodyPart`",
        meaning: "Body Part Examined (0018,0015) is another one",
        signs: ["Body Part Examined (0018,0015) is …, the model takes"],
        advice:
          "correct the rule, or the protocol at the modality; then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`channelCount`",
        meaning: "another number of images than the model takes",
        signs: ["image channels, the model takes"],
        advice:
          "give the model's `channels:`, see <doc:SeveralInputs>, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`channelsOnDifferentGrids`",
        meaning: "channels that could not be brought onto one grid",
        signs: ["is not on the voxels of channel"],
        advice:
          "give the model's `channels:`, see <doc:SeveralInputs>, then `segmentd jobs retry --job NUMBER`"
      ),
      Row(
        "`voxelCount`",
        meaning: "an image whose voxels are not as many as its grid has",
        signs: ["channel … has … voxels, its grid"],
        advice: "a damaged file: send it again"),
      Row(
        "`spacing`",
        meaning: "spacing outside of what the model was made for",
        signs: ["spacing along … mm, the model takes"],
        advice: "choose another series by the rule; the limits are in the model's card"),
      Row(
        "`extent`",
        meaning:
          "a field of view outside of what the model was made for, as a whole head for a model of a cropped region",
        signs: ["extent along … mm, the model takes"],
        advice: "choose another series by the rule; the limits are in the model's card"),
      Row(
        "`orientation`",
        meaning: "an axis cannot be told from the image's directions",
        signs: ["is not three different axes"],
        advice: "choose another series by the rule; the limits are in the model's card"),
      Row(
        "`notFinite`",
        meaning: "values that are not numbers",
        signs: ["holds values that are not numbers"],
        advice: "have the source corrected"),
      Row(
        "`constant`",
        meaning: "all voxels are equal",
        signs: ["all voxels of channel"],
        advice: "a blank image: nothing to do but to cancel"),
      Row(
        "`intensity`",
        meaning: "intensities unlike those of the images that the model was made for",
        signs: ["of channel … is …, the model takes … the images it was made for"],
        advice: "look at the image; where the rule chose a wrong series, correct it"),
      Row(
        "`result`",
        meaning: "volumes of the result unlike those that the model is known to give",
        signs: ["the model found … ml of"],
        advice: "look at the image; the model is not for it"),
      Row(
        "this is not a series for the model",
        meaning: "a criterion under `channels` of `model.yaml` is not met",
        signs: ["this is not a series for the model"],
        advice: "correct the rule, then `segmentd jobs retry --job NUMBER`"),
      Row(
        "suspect",
        meaning:
          "the result is outside of what the model calls usual, and `results.suspect` is `hold`",
        signs: ["suspect: "],
        advice:
          "look at its picture and its slices, on its page; where it may be sent: `segmentd jobs release --job NUMBER`, which makes the same once more and sends it with the warning; else `segmentd jobs cancel --job NUMBER`"
      ),
      Row(
        "the job never fits into memory",
        meaning: "the series is too large for `inference.memoryLimitGB` or the machine",
        signs: ["of memory at its peak on top of"],
        advice: "give more memory, then `segmentd jobs retry --job NUMBER`; or cancel it"),
    ])

  static let channels = rows(
    .channels,
    [
      Row(
        "`missing`",
        meaning: "no series of the study is a channel",
        signs: ["no series of the study is channel"],
        advice:
          "send the series that is missing, then `segmentd jobs retry --job NUMBER`; the candidates are named with the criteria that they miss. Where one of them is it all the same: `segmentd reprocess --study UID --channel NAME=UID`"
      ),
      Row(
        "`ambiguous`",
        meaning: "several series are a channel equally well",
        signs: ["are channel … equally well"],
        advice: "`segmentd reprocess --study UID --channel NAME=UID`"),
      Row(
        "`sharedSeries`",
        meaning: "one series would be two channels",
        signs: ["would be channels"],
        advice: "`segmentd reprocess --study UID --channel NAME=UID`, with both channels"),
      Row(
        "`noFrameOfReference`",
        meaning: "a channel without a frame of reference",
        signs: ["has no Frame of Reference UID (0020,0052), so that no other series"],
        advice: "send the original series"),
      Row(
        "`otherFrameOfReference`",
        meaning: "channels in different coordinate systems, as after the patient moved",
        signs: ["is in another frame of reference (0020,0052) than series"],
        advice: "nothing here: they are not registered"),
      Row(
        "`unknownChannel`",
        meaning: "`--channel` names none of the model's",
        signs: ["the model has no channel"],
        advice:
          "`segmentd reprocess --study UID --channel NAME=UID` with one of the model's channels, which are named"
      ),
      Row(
        "`unknownSeries`",
        meaning: "`--channel` names a series that the study does not have",
        signs: ["the study has no series"],
        advice: "send that series first"),
      Row(
        "`noChannels`",
        meaning: "the bundle does not say which series are its channels",
        signs: ["its bundle has no channels:"],
        advice: "add `channels:` to `model.yaml`, then `segmentd jobs retry --job NUMBER`"),
    ])

  static let cine = rows(
    .cine,
    [
      Row(
        "`tooFewPhases`",
        meaning: "too few phases for a heart cycle",
        signs: ["cardiac phases by Trigger Time"],
        advice: "send all phases"),
      Row(
        "`noContraction`",
        meaning: "the cavity is not larger at end-diastole",
        signs: ["the cavity does not contract"],
        advice: "look at the image: phases may be in a wrong order"),
      Row(
        "`implausibleFraction`",
        meaning: "an ejection fraction that the model calls impossible",
        signs: ["the ejection fraction of … is …, the model takes"],
        advice: "look at the image"),
      Row(
        "the volumes are not phases of one stack, or differ by more than time",
        meaning: "no cine series, or several in one",
        signs: ["are not phases of one stack", "they are not the phases of one heartbeat"],
        advice: "send one series for each acquisition"),
    ])
}
