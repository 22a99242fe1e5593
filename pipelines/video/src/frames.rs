//! Few frames that stand for a video: what changes is seen, what stays is not seen twice.

mod budget;
mod choice;
mod even;
mod look;
mod scenes;

pub use budget::Budget;
pub use choice::{Choice, Chosen, choose, choose_at};
pub use even::EvenLooks;
pub use look::{Look, LookAt};
pub use scenes::SceneChange;
