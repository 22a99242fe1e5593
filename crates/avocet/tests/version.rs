//! The binary starts. (Being an integration test, it also makes cargo build the binary that the
//! workspace's own tests drive.)

use std::process::Command;

#[test]
fn the_binary_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_avocet"))
        .arg("--version")
        .output()
        .expect("the binary starts");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), format!("avocet {}", env!("CARGO_PKG_VERSION")));
}
