//! `avocet licences`: under which licences the parts of the program are, and whose they are.

use anyhow::Result;

use crate::ui::output;

/// The notices, each with what it is of.
const NOTICES: [(&str, &str); 4] = [
    ("avocet, MIT", include_str!("../../../../LICENSE-MIT")),
    (
        "avocet, Apache-2.0",
        include_str!("../../../../LICENSE-APACHE"),
    ),
    (
        "the data that the built-in model learned from",
        include_str!("../../../../assets/mini/NOTICE-data"),
    ),
    (
        "EfficientNet-Lite0, for models that are made with it",
        include_str!("../../../../assets/mini/NOTICE-EfficientNet-Lite0"),
    ),
];

/// Prints every notice under its name.
pub fn run() -> Result<()> {
    output::print(&text())
}

fn text() -> String {
    let one = |(name, notice): (&str, &str)| {
        let line = "=".repeat(name.chars().count());
        format!("{name}\n{line}\n\n{}\n", notice.trim_end())
    };
    NOTICES.map(one).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_is_printed_whole() {
        let text = text();
        for (name, notice) in NOTICES {
            assert!(
                text.contains(name) && text.contains(notice.trim_end()),
                "{name}"
            );
        }
        assert!(text.contains("Copyright (c) 2020, ML Illustrated"));
        assert!(text.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"));
        assert!(text.contains("WordNet"));
    }
}
