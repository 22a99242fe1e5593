//! What a step is set by.

/// The numbers of one step for one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// What weight decay leaves of the parameter: `1 - rate * decay`.
    pub kept: f32,
    /// What the gradient is multiplied by, when it is clipped.
    pub scale: f32,
    /// How much of the first moment stays.
    pub beta1: f32,
    /// How much of the second moment stays.
    pub beta2: f32,
    /// The learning rate over the bias correction of the first moment.
    pub step_size: f32,
    /// Root of the bias correction of the second moment.
    pub correction2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
}
