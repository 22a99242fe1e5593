//! What commands read: models, pictures, pages, videos, and what is said.

pub mod blank;
pub mod clip;
pub mod embedded;
pub mod hub;
pub mod media;
pub mod model;
mod page;
pub mod speech;
pub mod whisper;
