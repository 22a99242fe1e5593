//! The table of processor levels: which functions each has.
//!
//! A new level is a file of functions with its [`Kernels`], a row here, and its name and detection
//! in level.rs.

#[cfg(target_arch = "x86_64")]
use crate::amx;
#[cfg(target_arch = "x86_64")]
use crate::avx512;
use crate::kernels::Kernels;
use crate::level::Level;
use crate::portable;

impl Level {
    /// The functions of this level. They panic where the processor lacks it.
    pub(crate) fn kernels(self) -> &'static Kernels {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => &amx::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => &avx512::WITH_BF16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => &avx512::KERNELS,
            // At AVX2 it is the compiler that vectorises.
            _ => &portable::KERNELS,
        }
    }
}
