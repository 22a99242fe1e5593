//! What commands read: models, pictures, pages, videos, what is said, and held-out questions.

pub mod blank;
pub mod clip;
pub mod embedded;
pub mod hub;
pub mod media;
pub mod model;
pub mod speech;
pub mod task;
pub mod whisper;
