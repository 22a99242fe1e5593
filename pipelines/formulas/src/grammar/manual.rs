//! Formulas as manuals have them in running text: calls of special functions, ranges, lists,
//! limits, short terms and definitions; much shorter and plainer than whole laws.

use rand::Rng;

use super::state::Grammar;

const FUNCTIONS: [&str; 40] = [
    "f",
    "g",
    "h",
    "f",
    "g",
    "F",
    "G",
    "H",
    "J",
    "I",
    "K",
    "Y",
    "P",
    "Q",
    "T",
    "U",
    "L",
    "B",
    "E",
    "W",
    "C",
    "S",
    "N",
    "p",
    "u",
    "w",
    "y",
    "\\Gamma",
    "\\Gamma",
    "\\zeta",
    "\\psi",
    "\\phi",
    "\\Phi",
    "\\theta",
    "\\eta",
    "\\pi",
    "\\vartheta",
    "\\sigma",
    "\\Pi",
    "\\mu",
];
const NAMED: [&str; 18] = [
    "erf", "erfc", "erfi", "erfinv", "sinc", "sech", "csch", "sgn", "Li", "Si", "Ci", "Ai", "Bi",
    "Ei", "Cl", "sn", "sf", "arcosh",
];
const UPRIGHT: [&str; 16] = [
    "var", "cov", "tr", "diag", "rank", "max", "min", "mod", "maxiter", "tol", "n_obs", "eff",
    "ref", "total", "new", "old",
];
const VARIABLES: [&str; 20] = [
    "x", "z", "s", "t", "n", "a", "b", "y", "k", "m", "x", "z", "q", "p", "\\tau", "\\nu", "\\mu",
    "\\lambda", "\\alpha", "\\beta",
];

type Rule = fn(&mut Grammar) -> String;

const RULES: [Rule; 24] = [
    Grammar::call,
    Grammar::call,
    Grammar::called_equal,
    Grammar::called_equal,
    Grammar::short,
    Grammar::short,
    Grammar::short,
    Grammar::tends,
    Grammar::range,
    Grammar::range,
    Grammar::member,
    Grammar::list,
    Grammar::list,
    Grammar::value,
    Grammar::value,
    Grammar::power_product,
    Grammar::hypergeometric,
    Grammar::elementary,
    Grammar::elementary,
    Grammar::differential,
    Grammar::integral_of_manual,
    Grammar::sum_of_manual,
    Grammar::linear_algebra,
    Grammar::estimate,
];

impl Grammar {
    /// A formula as it stands in a manual.
    pub(super) fn manual(&mut self) -> String {
        let rule = RULES[self.rng.random_range(0..RULES.len())];
        rule(self)
    }

    pub(super) fn symbol(&mut self) -> String {
        match self.rng.random_range(0..12) {
            0..7 => self.one_of(&VARIABLES).to_owned(),
            7 => self.letter().to_owned(),
            8 => self.capital().to_owned(),
            9 => self.greek().to_owned(),
            10 => format!("{}_{}", self.one_of(&VARIABLES), self.small()),
            _ => format!("{}_{}", self.letter(), self.index()),
        }
    }

    pub(super) fn small(&mut self) -> String {
        self.rng.random_range(0..5u32).to_string()
    }

    /// What stands in the parentheses of a call.
    pub(super) fn argument(&mut self) -> String {
        let x = self.symbol();
        match self.rng.random_range(0..22) {
            0..12 => x,
            12 => format!("-{x}"),
            13 => format!("{x}{}{}", self.one_of(&["+", "-"]), self.number()),
            14 => format!("{}{x}", self.number()),
            15 => format!("{x}{}{}", self.one_of(&["+", "-"]), self.symbol()),
            16 => format!("{x}^{}", self.exponent()),
            17 => format!("i{x}"),
            18 => format!("\\frac{{{x}}}{{{}}}", self.number()),
            19 => format!("{x}/{}", self.number()),
            20 => format!("\\pi {x}"),
            _ => self
                .one_of(&["0", "1", "\\pi", "\\infty", "1/2", "\\frac{1}{2}"])
                .to_owned(),
        }
    }

    pub(super) fn arguments(&mut self) -> String {
        let count = [1, 1, 1, 1, 2, 2, 3, 4][self.rng.random_range(0..8)];
        let comma = self.one_of(&[",", ", ", ",", ";", "|", ", "]);
        let all: Vec<String> = (0..count).map(|_| self.argument()).collect();
        all.join(comma)
    }

    /// Small things below and above a name.
    fn scripts(&mut self) -> String {
        match self.rng.random_range(0..20) {
            0..8 => String::new(),
            8..10 => format!(
                "_{}",
                self.one_of(&["n", "k", "m", "i", "j", "l", "p", "s", "0", "1"])
            ),
            10 => format!("_{{{},{}}}", self.index(), self.index()),
            11 => format!(
                "_{{{}{}{}}}",
                self.index(),
                self.one_of(&["+", "-"]),
                self.small()
            ),
            12 => format!(
                "_{}",
                self.one_of(&["\\nu", "\\mu", "\\lambda", "\\alpha", "\\infty"])
            ),
            13 => self.one_of(&["'", "'", "''"]).to_owned(),
            14 => format!("_{}'", self.one_of(&["0", "1", "2", "n", "k"])),
            15 => format!("^{{({})}}", self.one_of(&["n", "k", "m", "1", "2", "s"])),
            16 => format!("^{}", self.one_of(&["2", "n", "m", "{-1}", "k", "3"])),
            17 => format!(
                "_{}^{}",
                self.index(),
                self.one_of(&["m", "2", "{(k)}", "*", "n", "{-1}"])
            ),
            18 => format!("_{{{},{}}}", self.number(), self.number()),
            _ => format!("_{{{}}}", self.number()),
        }
    }

    pub(super) fn called(&mut self) -> String {
        let name = match self.rng.random_range(0..12) {
            0..7 => self.one_of(&FUNCTIONS).to_owned(),
            7 => format!("\\mathrm{{{}}}", self.one_of(&NAMED)),
            8 => format!("\\operatorname{{{}}}", self.one_of(&NAMED)),
            9 => format!("\\text{{{}}}", self.one_of(&NAMED)),
            10 => self
                .one_of(&["\\Re", "\\Im", "\\bar{f}", "\\hat{f}", "\\tilde{f}"])
                .to_owned(),
            _ => self.elementary_function().to_owned(),
        };
        let scripts = if name == "\\Re" || name == "\\Im" {
            String::new()
        } else {
            self.scripts()
        };
        let arguments = if self.chance(0.08) {
            self.simply_called()
        } else {
            self.arguments()
        };
        format!("{name}{scripts}({arguments})")
    }

    pub(super) fn simply_called(&mut self) -> String {
        format!("{}({})", self.one_of(&FUNCTIONS), self.argument())
    }

    fn call(&mut self) -> String {
        let call = self.called();
        match self.rng.random_range(0..10) {
            0..5 => call,
            5 => format!("1/{call}"),
            6 => format!(
                "{}{call}",
                self.one_of(&["-", "2", "\\pm ", "n", "\\log ", "z", "x"])
            ),
            7 => format!(
                "{call}{}{}",
                self.one_of(&["+", "-", "/", " ", "\\cdot "]),
                self.called()
            ),
            8 => format!("|{call}|"),
            _ => format!(
                "{call} {} {}",
                self.one_of(&["=", "<", ">", "\\leq", "\\geq", "\\ne"]),
                self.small()
            ),
        }
    }

    fn called_equal(&mut self) -> String {
        let left = self.called();
        let right = match self.rng.random_range(0..9) {
            0 => self.called(),
            1 => format!("{} {}", self.short_term(), self.called()),
            2 => format!("\\frac{{{}}}{{{}}}", self.called(), self.called()),
            3 => format!("\\frac{{{}}}{{{}}}", self.short_term(), self.called()),
            4 => format!(
                "{} {} {}",
                self.called(),
                self.one_of(&["+", "-"]),
                self.called()
            ),
            5 => self.short_term(),
            6 => format!("{} = {}", self.called(), self.short_term()),
            7 => format!(
                "{}{} - {}",
                self.simply_called(),
                self.simply_called(),
                self.short_term()
            ),
            _ => format!("({}-{})!", self.index(), self.small()),
        };
        format!("{left} = {right}")
    }

    pub(super) fn short_term(&mut self) -> String {
        let x = self.symbol();
        match self.rng.random_range(0..26) {
            0..3 => x,
            3 => format!("e^{{-{x}}}"),
            4 => format!("e^{x}"),
            5 => format!(
                "e^{{{}{x}}}",
                self.one_of(&["i", "-i", "2\\pi i", "-", "\\pi "])
            ),
            6 => format!("{x}^{{1/{}}}", self.one_of(&["n", "2", "3", "m", "k"])),
            7 => format!("{}^{{-{x}}}", self.number()),
            8 => format!(
                "10^{{{}}}",
                self.one_of(&["n", "-3", "-8", "-16", "23", "100", "6"])
            ),
            9 => format!("\\sqrt{{{x}}}"),
            10 => format!("{x}^{}", self.exponent()),
            11 => format!("{x}!"),
            12 => format!("{x}/{}", self.symbol()),
            13 => format!(
                "({x}{}{})^{}",
                self.one_of(&["+", "-"]),
                self.number(),
                self.exponent()
            ),
            14 => format!("\\frac{{{}}}{{{}}}", self.number(), self.number()),
            15 => format!("\\frac{{{x}}}{{{}}}", self.symbol()),
            16 => format!("\\pi^{}/{}", self.number(), self.number()),
            17 => format!(
                "{}\\pi {}",
                self.number(),
                self.one_of(&["", "i", "x", "n"])
            ),
            18 => format!("{}^{x}", self.symbol()),
            19 => format!(
                "({}{x})^{{{}/2}}",
                self.one_of(&["1-", "x^2-", "2\\pi ", "-"]),
                self.one_of(&["m", "1", "n", "3"])
            ),
            20 => format!(
                "\\frac{{{}}}{{\\sqrt{{{}}}}}",
                self.number(),
                self.one_of(&["\\pi", "2\\pi", "2", "n"])
            ),
            21 => format!("{x}{}{} i", self.one_of(&["+", "-"]), self.symbol()),
            22 => format!(
                "\\{}{{{}}}",
                self.one_of(&["bar", "hat", "tilde", "dot"]),
                self.letter()
            ),
            23 => format!("\\mathbf{{{}}}", self.letter()),
            24 => format!(
                "{x}{}{}",
                self.one_of(&["+", "-", "=", " \\times ", " \\pm "]),
                self.number()
            ),
            _ => format!("{}{x}", self.number()),
        }
    }

    fn short(&mut self) -> String {
        let term = self.short_term();
        match self.rng.random_range(0..9) {
            0..4 => term,
            4 => format!("{term}{}{}", self.one_of(&["-", "+"]), self.number()),
            5 => format!(
                "{term} {} {}",
                self.one_of(&["+", "-", "/", "\\cdot", "="]),
                self.short_term()
            ),
            6 => format!("{term} {}", self.short_term()),
            7 => format!("|{term}|"),
            _ => format!(
                "{}_{{\\{}{{{}}}}}",
                self.letter(),
                self.one_of(&["text", "mathrm"]),
                self.one_of(&UPRIGHT).replace('_', "")
            ),
        }
    }
}
