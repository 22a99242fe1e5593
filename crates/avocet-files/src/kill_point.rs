//! Places where a test may have the process die, as if it were killed there.

/// Ends the process here, without any clean-up, if `AVOCET_KILL_POINT` names this place and the
/// number of this passing, as in `shard written 2`.
///
/// A release build has none of it.
#[inline]
pub fn kill_point(place: &str) {
    #[cfg(debug_assertions)]
    armed::pass(place);
    #[cfg(not(debug_assertions))]
    let _ = place;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Place and passing at which to die.
    static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let chosen = std::env::var("AVOCET_KILL_POINT").ok()?;
        let (place, passing) = chosen.rsplit_once(' ')?;
        Some((place.to_owned(), passing.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn pass(place: &str) {
        if let Some((chosen, passing)) = &*CHOSEN
            && chosen == place
            && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *passing
        {
            std::process::abort();
        }
    }
}
