//! Which names stand for the same sign, which commands take arguments, and which show
//! nothing.

use ratex_font::get_math_symbol;
use ratex_parser::functions;

use super::lexeme::Lexeme;

/// Signs after a backslash that only move things.
pub(super) const INVISIBLE_SIGNS: [char; 6] = [',', ';', ':', '!', '>', '/'];

/// Commands that only move or size things.
pub(super) const INVISIBLE: [&str; 30] = [
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "scriptscriptstyle",
    "limits",
    "nolimits",
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
    "tiny",
    "scriptsize",
    "footnotesize",
    "small",
    "normalsize",
    "large",
    "Large",
    "noalign",
    "displaylimits",
    "nonscript",
];

/// Functions that have a command of their own.
pub(super) const FUNCTIONS: [&str; 32] = [
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim",
    "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min",
    "Pr", "sec", "sin", "sinh", "sup", "tan", "tanh",
];

/// Pairs of a name and the one that is used for it.
const SYNONYMS: [(&str, &str); 55] = [
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
    ("doublecup", "\\Cup"),
];

/// The token for a command's name.
pub(super) fn synonym(name: &str) -> Option<Lexeme> {
    let found = SYNONYMS.iter().find(|(other, _)| *other == name);
    Some(match found.map(|(_, used)| *used) {
        Some(used) if !used.starts_with('\\') => Lexeme::Char(used.chars().next()?),
        Some(used) => Lexeme::Command(used.to_owned()),
        None => Lexeme::Command(format!("\\{name}")),
    })
}

/// The name used for an environment.
pub(super) fn environment(name: &str) -> &str {
    match name {
        "dcases" => "cases",
        "drcases" => "rcases",
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
        "vspace" | "mspace" => Raw::Dropped,
        "text" => Raw::Kept("text"),
        "textbf" => Raw::Kept("textbf"),
        "textit" => Raw::Kept("textit"),
        "texttt" => Raw::Kept("texttt"),
        "textsf" => Raw::Kept("textsf"),
        "color" => Raw::Kept("color"),
        "textcolor" => Raw::Kept("textcolor"),
        "colorbox" => Raw::Kept("colorbox"),
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
        | "mathopen"
        | "mathclose"
        | "mathpunct"
        | "mathinner"
        | "mathclap"
        | "mathllap"
        | "mathrlap"
        | "vcenter"
        | "slashed"
        | "overbracket"
        | "underbracket"
        | "widecheck"
        | "ddddot"
        | "overrightharpoon"
        | "overleftharpoon"
        | "utilde"
        | "sout"
        | "fbox"
        | "not" => (1, false),
        "smash" => (1, true),
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

/// Commands that switch the font of all that follows, and the command for what it reaches.
pub(super) fn switch(command: &str) -> Option<&'static str> {
    Some(match command.strip_prefix('\\')? {
        "rm" | "rmfamily" | "mathrmfamily" => "\\mathrm",
        "bf" | "bfseries" => "\\mathbf",
        "it" | "itshape" | "sl" | "em" => "\\mathit",
        "sf" | "sffamily" => "\\mathsf",
        "tt" | "ttfamily" => "\\mathtt",
        "cal" => "\\mathcal",
        "mit" | "normalfont" | "boldmath" | "unboldmath" => "",
        _ => return None,
    })
}

/// Whether a command reaches what follows it, or what stands before, up to the next brace.
pub(super) fn reaches_on(text: &str) -> bool {
    let infix = [
        "atop",
        "above",
        "brace",
        "brack",
        "overwithdelims",
        "atopwithdelims",
    ];
    let name = text.strip_prefix('\\').unwrap_or_default();
    infix.contains(&name) || name.starts_with("color{")
}

/// Fonts whose letters are one word where they stand beside one another.
pub(super) const FONTS: [&str; 10] = [
    "mathrm",
    "mathbf",
    "mathsf",
    "mathtt",
    "mathit",
    "mathcal",
    "mathfrak",
    "mathscr",
    "mathbb",
    "boldsymbol",
];

/// Fonts for text, and those that draw its letters the same.
pub(super) const TEXT_FONTS: [(&str, &str); 4] = [
    ("\\textbf", "\\mathbf"),
    ("\\textit", "\\mathit"),
    ("\\texttt", "\\mathtt"),
    ("\\textsf", "\\mathsf"),
];

/// Commands whose argument only takes room.
pub(super) const PHANTOMS: [&str; 3] = ["phantom", "hphantom", "vphantom"];

/// Commands that only move their argument, or say what it is to those around it.
pub(super) const MOVED: [&str; 13] = [
    "mathrel",
    "mathbin",
    "mathord",
    "mathopen",
    "mathclose",
    "mathpunct",
    "mathinner",
    "mathnormal",
    "mathclap",
    "mathllap",
    "mathrlap",
    "smash",
    "vcenter",
];

/// Whether braces after this may be its argument: not after a letter or a known sign.
pub(super) fn may_take_arguments(text: &str) -> bool {
    let Some(name) = text.strip_prefix('\\').filter(|name| name.len() > 1) else {
        return false;
    };
    if FUNCTIONS.contains(&name) || name.contains('{') && !name.contains("color") {
        return false;
    }
    let is_sign = get_math_symbol(text).is_some();
    let function = functions::FUNCTIONS.get(text);
    !is_sign && function.is_none_or(|function| function.num_args > 0)
}
