import Tensors

/// The activations of one grid of the encoder and the decoder, which share them: the decoder adds
/// to the encoder's output in place.
struct Level {
  let x: Activation
  let halo, hidden: HaloActivation
  /// What is between two residual blocks, where there are two.
  let between: HaloActivation
}
