//! What crosses crates: one binary, one module a subject.

mod tidy;
