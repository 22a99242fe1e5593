//! Which names stand for the same sign, which commands take arguments, and which show
//! nothing.

use super::lexer::Token;

/// Signs after a backslash that only move things.
pub(super) const INVISIBLE_SIGNS: [char; 6] = [',', ';', ':', '!', '>', '/'];

/// Commands that only move or size things.
pub(super) const INVISIBLE: [&str; 36] = [
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "scriptscriptstyle",
    "limits",
    "nolimits",
    "nonumber",
    "notag",
    "thinspace",
    "medspace",
    "thickspace",
    "enspace",
    "negthinspace",
    "negmedspace",
    "negthickspace",
    "strut",
    "mathstrut",
    "relax",
    "allowbreak",
    "nobreak",
    "nobreakspace",
    "space",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "bigm",
    "Bigl",
    "Bigr",
    "Bigm",
    "biggl",
    "biggr",
    "Biggl",
    "Biggr",
];

/// Functions that have a command of their own.
pub(super) const FUNCTIONS: [&str; 32] = [
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim",
    "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min",
    "Pr", "sec", "sin", "sinh", "sup", "tan", "tanh",
];

/// Pairs of a name and the one that is used for it.
const SYNONYMS: [(&str, &str); 56] = [
    ("le", "\\leq"),
    ("ge", "\\geq"),
    ("ne", "\\neq"),
    ("rightarrow", "\\to"),
    ("gets", "\\leftarrow"),
    ("land", "\\wedge"),
    ("lor", "\\vee"),
    ("lnot", "\\neg"),
    ("dots", "\\ldots"),
    ("dotsc", "\\ldots"),
    ("dotso", "\\ldots"),
    ("hdots", "\\ldots"),
    ("dotsb", "\\cdots"),
    ("dotsm", "\\cdots"),
    ("dotsi", "\\cdots"),
    ("implies", "\\Longrightarrow"),
    ("impliedby", "\\Longleftarrow"),
    ("iff", "\\Longleftrightarrow"),
    ("owns", "\\ni"),
    ("colon", ":"),
    ("lt", "<"),
    ("gt", ">"),
    ("ast", "*"),
    ("lbrace", "\\{"),
    ("rbrace", "\\}"),
    ("lbrack", "["),
    ("rbrack", "]"),
    ("vert", "|"),
    ("lvert", "|"),
    ("rvert", "|"),
    ("Vert", "\\|"),
    ("lVert", "\\|"),
    ("rVert", "\\|"),
    ("dag", "\\dagger"),
    ("ddag", "\\ddagger"),
    ("dfrac", "\\frac"),
    ("tfrac", "\\frac"),
    ("dbinom", "\\binom"),
    ("tbinom", "\\binom"),
    ("stackrel", "\\overset"),
    ("bm", "\\boldsymbol"),
    ("pmb", "\\boldsymbol"),
    ("Bbb", "\\mathbb"),
    ("frak", "\\mathfrak"),
    ("qquad", "\\quad"),
    ("restriction", "\\upharpoonright"),
    ("exist", "\\exists"),
    ("empty", "\\emptyset"),
    ("infin", "\\infty"),
    ("mathbfup", "\\mathbf"),
    ("newline", "\\\\"),
    ("cr", "\\\\"),
    ("square", "\\square"),
    ("Box", "\\square"),
    ("hslash", "\\hbar"),
    ("doublecup", "\\Cup"),
];

/// The token for a command's name.
pub(super) fn synonym(name: &str) -> Option<Token> {
    let found = SYNONYMS.iter().find(|(other, _)| *other == name);
    Some(match found.map(|(_, used)| *used) {
        Some(used) if !used.starts_with('\\') => Token::Char(used.chars().next()?),
        Some(used) => Token::Command(used.to_owned()),
        None => Token::Command(format!("\\{name}")),
    })
}

/// The name used for an environment.
pub(super) fn environment(name: &str) -> &str {
    match name {
        "align" | "align*" | "split" | "eqnarray" | "eqnarray*" | "flalign" | "flalign*" => {
            "aligned"
        }
        "gather" | "gather*" | "multline" | "multline*" => "gathered",
        "dcases" => "cases",
        "drcases" => "rcases",
        "equation" | "equation*" | "displaymath" | "math" => "equation",
        "alignat" | "alignat*" => "alignedat",
        name => name,
    }
}

/// What becomes of a command whose first argument is not math.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw {
    /// It shows nothing.
    Dropped,
    /// It stays under this name.
    Kept(&'static str),
}

/// Commands whose first argument is not math.
pub(super) fn raw(name: &str) -> Option<Raw> {
    Some(match name {
        "label" | "hspace" | "vspace" | "mspace" | "hskip" => Raw::Dropped,
        "text" | "mbox" | "textrm" | "textnormal" | "textup" | "hbox" => Raw::Kept("text"),
        "textbf" => Raw::Kept("textbf"),
        "textit" | "emph" => Raw::Kept("textit"),
        "texttt" => Raw::Kept("texttt"),
        "textsf" => Raw::Kept("textsf"),
        "color" => Raw::Kept("color"),
        "textcolor" => Raw::Kept("textcolor"),
        "colorbox" => Raw::Kept("colorbox"),
        "tag" => Raw::Kept("tag"),
        "ce" => Raw::Kept("ce"),
        _ => return None,
    })
}

/// How many arguments in math a command takes, and whether an optional one may stand
/// before them.
pub(super) fn arguments(command: &str) -> Option<(usize, bool)> {
    Some(match command.strip_prefix('\\')? {
        "frac" | "binom" | "cfrac" | "overset" | "underset" => (2, false),
        "sqrt" | "xrightarrow" | "xleftarrow" | "xleftrightarrow" | "xRightarrow"
        | "xLeftarrow" | "xLeftrightarrow" | "xmapsto" | "xhookrightarrow" | "xhookleftarrow" => {
            (1, true)
        }
        "hat"
        | "tilde"
        | "bar"
        | "vec"
        | "dot"
        | "ddot"
        | "dddot"
        | "acute"
        | "grave"
        | "check"
        | "breve"
        | "mathring"
        | "widehat"
        | "widetilde"
        | "overline"
        | "underline"
        | "overbrace"
        | "underbrace"
        | "overrightarrow"
        | "overleftarrow"
        | "overleftrightarrow"
        | "underrightarrow"
        | "underleftarrow"
        | "underleftrightarrow"
        | "mathbb"
        | "mathcal"
        | "mathfrak"
        | "mathscr"
        | "mathrm"
        | "mathbf"
        | "mathsf"
        | "mathtt"
        | "mathit"
        | "mathnormal"
        | "boldsymbol"
        | "boxed"
        | "phantom"
        | "hphantom"
        | "vphantom"
        | "cancel"
        | "bcancel"
        | "xcancel"
        | "substack"
        | "pmod"
        | "mathop"
        | "mathrel"
        | "mathbin"
        | "mathord"
        | "smash"
        | "fbox"
        | "ensuremath"
        | "not" => (1, false),
        _ => return None,
    })
}

/// Commands after which delimiters grow.
pub(super) fn is_tall(command: &str) -> bool {
    let tall = [
        "sum",
        "prod",
        "coprod",
        "int",
        "iint",
        "iiint",
        "oint",
        "bigcup",
        "bigcap",
        "bigoplus",
        "bigotimes",
        "bigvee",
        "bigwedge",
        "bigsqcup",
        "frac",
        "binom",
        "cfrac",
        "sqrt",
        "overset",
        "underset",
        "overbrace",
        "underbrace",
        "substack",
        "widehat",
        "widetilde",
        "overrightarrow",
        "overleftarrow",
        "xrightarrow",
        "xleftarrow",
        "boxed",
        "middle",
    ];
    command
        .strip_prefix('\\')
        .is_some_and(|name| tall.contains(&name))
}

/// What a negated relation is called.
pub(super) fn negated(relation: &str) -> Option<&'static str> {
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
