//! Relations struck out.

/// What a negated relation is called.
pub(crate) fn negated(relation: &str) -> Option<&'static str> {
    Some(match relation {
        "=" => "\\neq",
        "\\in" => "\\notin",
        "\\ni" => "\\notni",
        "<" => "\\nless",
        ">" => "\\ngtr",
        "\\leq" => "\\nleq",
        "\\geq" => "\\ngeq",
        "\\mid" => "\\nmid",
        "\\parallel" => "\\nparallel",
        "\\sim" => "\\nsim",
        "\\exists" => "\\nexists",
        "\\subseteq" => "\\nsubseteq",
        "\\supseteq" => "\\nsupseteq",
        _ => return None,
    })
}
