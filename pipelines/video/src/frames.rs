//! Few frames that stand for a video: what changes is seen, what stays is not seen twice.

mod budget;
mod choice;
mod look;
mod scenes;

pub use budget::Budget;
pub use choice::{Choice, Chosen, choose};
pub use look::{Look, LookAt};
pub use scenes::{LOOK_EVERY_S, SceneChange, scene_changes};
