//! Few frames that stand for a video: what changes is seen, what stays is not seen twice.

mod budget;
mod choice;
mod even;
mod scenes;
mod stats;

pub use budget::Budget;
pub use choice::{Choice, Chosen, choose, choose_at};
pub use even::EvenLooks;
pub use scenes::SceneChange;
pub use stats::{FrameStats, LookAt};
