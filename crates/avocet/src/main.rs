//! The `avocet` command line: parse, wire, print.
fn main() {}
