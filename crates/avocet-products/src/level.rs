//! What this processor can do, asked in this one place.

use std::sync::OnceLock;

/// The environment variable that lowers the level, for tests and measurements.
const VARIABLE: &str = "AVOCET_CPU";

/// Sets of instructions that functions of this crate are written for; each holds those before it.
///
/// The functions of [`simd`](crate::simd) and widened rows have the same bits at every level. Sums
/// of products are taken in another order at some levels, so products differ by rounding.
///
/// Products in f32 without packing are those of the crate `gemm`, which asks the processor itself
/// and is not lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the target guarantees.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of bfloat16 numbers.
    Avx512Bf16,
    /// AMX: tile registers for bfloat16 numbers.
    Amx,
}

/// What `AVOCET_CPU` is, where it names no level.
#[derive(Debug, thiserror::Error)]
#[error("AVOCET_CPU is {0:?}, which is none of {names}", names = Level::ALL.map(Level::name).join(", "))]
pub struct UnknownLevel(String);

impl Level {
    const ALL: [Self; 5] = [
        Self::Portable,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
        Self::Amx,
    ];

    /// The level that everything is computed at: the highest of this processor, or a lower one
    /// that the environment variable `AVOCET_CPU` names.
    ///
    /// Panics if the variable names no level; a program asks [`asked`](Self::asked) first.
    #[inline]
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| match Self::asked() {
            Ok(level) => level,
            Err(error) => panic!("{error}"),
        })
    }

    /// What [`current`](Self::current) is, or is going to be.
    ///
    /// Errors if `AVOCET_CPU` names no level.
    #[cold]
    pub fn asked() -> Result<Self, UnknownLevel> {
        let Some(name) = std::env::var_os(VARIABLE) else {
            return Ok(Self::detected());
        };
        let lowered = name
            .to_str()
            .and_then(|name| Self::detected().lowered(name));
        lowered.ok_or_else(|| UnknownLevel(name.to_string_lossy().into_owned()))
    }

    /// The highest level of this processor.
    pub fn detected() -> Self {
        static DETECTED: OnceLock<Level> = OnceLock::new();
        *DETECTED.get_or_init(detect)
    }

    /// Every level of this processor, from the lowest on.
    pub fn available() -> impl Iterator<Item = Self> {
        let detected = Self::detected();
        Self::ALL
            .into_iter()
            .filter(move |level| *level <= detected)
    }

    /// The word for it in `AVOCET_CPU`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Amx => "amx",
        }
    }

    /// The level of this name, but no higher than this one; `None` if there is no such level.
    fn lowered(self, name: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|level| level.name() == name);
        named.map(|level| level.min(self))
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Portable
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        Level::Portable
    } else if !(is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl"))
    {
        Level::Avx2
    } else if !is_x86_feature_detected!("avx512bf16") {
        Level::Avx512
    } else if !(has_amx() && may_use_tiles()) {
        Level::Avx512Bf16
    } else {
        Level::Amx
    }
}

/// Whether the processor has AMX; the standard library does not tell.
#[cfg(target_arch = "x86_64")]
fn has_amx() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    let needed = AMX_BF16 | AMX_TILE;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & needed == needed
}

/// Asks Linux for the tile registers; it grants them to the whole process.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn may_use_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: this system call changes nothing but the permission.
    unsafe {
        std::arch::asm!(
            "syscall",
            inout("rax") result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn may_use_tiles() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_level_can_be_asked_for_and_none_that_is_not_there() {
        assert_eq!(Level::Amx.lowered("avx2"), Some(Level::Avx2));
        assert_eq!(Level::Avx2.lowered("amx"), Some(Level::Avx2));
        assert_eq!(Level::Avx2.lowered("AVX2"), None);
        assert!(Level::current() <= Level::detected());
    }
}
