//! The number format in which products read their operands.

/// Format in which the large products read their operands; sums are always f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Operands as they are.
    #[default]
    F32,
    /// Operands rounded to bfloat16 where the CPU multiplies such numbers faster.
    Bf16,
}
