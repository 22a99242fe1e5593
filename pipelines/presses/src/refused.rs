//! Formulas that would have what sets them do other things than set type.

/// How commands begin that no formula needs: they open files, start programs, reach what draws the
/// page, or change what the signs after them mean. Large letters count as small ones.
const REFUSED: &[&str] = &[
    "special",
    "input",
    "include",
    "open",
    "close",
    "read",
    "write",
    "immediate",
    "shipout",
    "def",
    "edef",
    "gdef",
    "xdef",
    "let",
    "futurelet",
    "global",
    "newcommand",
    "renewcommand",
    "providecommand",
    "expandafter",
    "csname",
    "catcode",
    "lccode",
    "uccode",
    "loop",
    "every",
    "usepackage",
    "require",
    "href",
    "url",
    "pdf",
    "load",
    "declare",
    "iffileexists",
    "typein",
    "typeout",
];
/// Whether a formula is rather a program for what sets it.
pub fn is_program(formula: &str) -> bool {
    let small = formula.to_ascii_lowercase();
    let mut commands = small.split('\\').skip(1);
    // After two circumflexes TeX takes the number of a character, a backslash's for one.
    formula.contains("^^")
        || commands.any(|command| REFUSED.iter().any(|begin| command.starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_reach_beyond_the_formula_make_it_a_program() {
        for program in [
            "x^2 \\Special{a}",
            "\\write18{a}",
            "x ^^5cinput a",
            "\\csname a",
        ] {
            assert!(is_program(program), "{program}");
        }
        for fine in ["\\left(x\\leq 1\\right)", "\\operatorname{Re} z"] {
            assert!(!is_program(fine), "{fine}");
        }
    }
}
