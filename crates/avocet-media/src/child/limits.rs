//! What a child may use.

use std::time::Duration;

use crate::system_limits::SystemLimit;

/// What a child may use before it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChildLimits {
    /// Address space, which covers code, stacks and everything allocated.
    pub address_space_bytes: u64,
    /// Processor time over the child's whole life; none for streams, whose length is the file's.
    pub cpu_s: Option<u64>,
    /// The longest wait for any answer, or for the child to take what is sent.
    pub stall: Duration,
}

impl Default for ChildLimits {
    /// Enough for 8K video on many threads, and far below what would disturb the machine.
    fn default() -> Self {
        Self {
            address_space_bytes: 4 << 30,
            cpu_s: None,
            stall: Duration::from_secs(30),
        }
    }
}

impl ChildLimits {
    /// What is left of these limits where the system grants less.
    pub(super) fn granted(self) -> Self {
        let least =
            |wanted: Option<u64>, limit: SystemLimit| wanted.into_iter().chain(limit.most()).min();
        let space = Some(self.address_space_bytes);
        Self {
            address_space_bytes: least(space, SystemLimit::AddressSpace).unwrap_or(0),
            cpu_s: least(self.cpu_s, SystemLimit::CpuTime),
            ..self
        }
    }
}
