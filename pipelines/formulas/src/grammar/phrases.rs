//! What manuals write around a call of a function: where something lies and tends to, lists, values,
//! laws of special functions, of data and of matrices.

use rand::Rng;

use super::state::Grammar;

const SETS: [&str; 8] = [
    "\\mathbb{R}",
    "\\mathbb{C}",
    "\\mathbb{Z}",
    "\\mathbb{N}",
    "\\mathbb{Q}",
    "[0, 1]",
    "(0, \\infty)",
    "[a, b]",
];

impl Grammar {
    pub(super) fn tends(&mut self) -> String {
        let to = self.one_of(&[
            "0",
            "1",
            "\\infty",
            "-\\infty",
            "\\pm\\infty",
            "a",
            "0^+",
            "+\\infty",
            "i\\infty",
        ]);
        format!(
            "{} {} {to}",
            self.symbol(),
            self.one_of(&["\\to", "\\to", "\\rightarrow"])
        )
    }

    pub(super) fn range(&mut self) -> String {
        let (x, less) = (self.symbol(), self.one_of(&["<", "\\leq", "\\le", "<"]));
        let end = self.one_of(&[
            "1", "\\infty", "\\pi", "n", "N", "b", "x_1", "2\\pi", "n-1", "2M+1",
        ]);
        match self.rng.random_range(0..12) {
            0..2 => format!(
                "{} {less} {x} {less} {end}",
                self.one_of(&["0", "1", "-1", "a", "-\\pi", "x_0", "-\\infty"])
            ),
            2..4 => format!(
                "|{x}| {less} {}",
                self.one_of(&["1", "\\infty", "\\pi", "2", "\\varepsilon", "2^m"])
            ),
            4..7 => format!(
                "{x} {} {}",
                self.one_of(&["<", ">", "\\geq", "\\leq", "\\ge", "\\ne", "\\gg"]),
                self.one_of(&["0", "1", "2", "n", "-1", "x_1", "\\pi"])
            ),
            7 => format!(
                "{} {} 0",
                self.one_of(&[
                    "\\Re(z)",
                    "\\Re(s)",
                    "\\Im(z)",
                    "\\mathrm{Re}(s)",
                    "\\Re[z]"
                ]),
                self.one_of(&["<", ">", "\\leq", "\\geq"])
            ),
            8 => format!(
                "|\\arg {x}| < {}",
                self.one_of(&["\\pi", "\\pi/2", "\\frac{\\pi}{2}"])
            ),
            9 => format!(
                "{x} {} {} + {}",
                self.one_of(&["<", ">", "\\geq"]),
                self.symbol(),
                self.number()
            ),
            10 => format!(
                "{x} < {}, {} = {}",
                self.number(),
                self.symbol(),
                self.number()
            ),
            _ => format!(
                "{x} = {}, \\ldots, {}",
                self.small(),
                self.one_of(&["n", "N", "m-1", "k", "\\infty"])
            ),
        }
    }

    pub(super) fn member(&mut self) -> String {
        let x = self.symbol();
        match self.rng.random_range(0..6) {
            0..3 => format!("{x} \\in {}", self.one_of(&SETS)),
            3 => format!(
                "{x} \\in \\mathbb{{R}}^{}",
                self.one_of(&[
                    "n",
                    "d",
                    "{n \\times m}",
                    "{n \\times n}",
                    "3",
                    "{m\\times k}"
                ])
            ),
            4 => format!("{x} \\in \\{{{}, {}\\}}", self.small(), self.number()),
            _ => format!(
                "[{}, {}{}",
                self.one_of(&["0", "1", "a", "-1", "-\\infty"]),
                self.one_of(&["\\infty", "b", "1", "n", "2\\pi"]),
                self.one_of(&[")", "]"])
            ),
        }
    }

    pub(super) fn list(&mut self) -> String {
        let (x, n) = (self.letter(), self.one_of(&["n", "k", "m", "N", "p", "s"]));
        let dots = self.one_of(&["\\ldots", "\\dots", "\\ldots", "\\cdots"]);
        let (first, second) = (self.one_of(&["1", "0", "1"]), self.chance(0.5));
        let second = if second {
            format!("{x}_2, ")
        } else {
            String::new()
        };
        let inner = format!("{x}_{first}, {second}{dots}, {x}_{n}");
        match self.rng.random_range(0..10) {
            0..2 => inner,
            2..4 => format!("({inner})"),
            4 => format!(
                "[1, {x}, {x}^2{}]",
                self.one_of(&["", ", \\ldots, x^n", ", .., x^n", ", \\ldots"])
            ),
            5 => format!("\\{{{inner}\\}}"),
            6 => format!("{x}({n}), {x}'({n}), {x}''({n}), {dots}"),
            7 => format!(
                "{} = {}, {}, {}, {dots}",
                self.symbol(),
                self.small(),
                self.number(),
                self.number()
            ),
            8 => format!("({x}) = ({inner})"),
            _ => format!("{x}_1 + {x}_2 + {dots} + {x}_{n}"),
        }
    }

    pub(super) fn value(&mut self) -> String {
        let x = self.symbol();
        let value = match self.rng.random_range(0..10) {
            0 => format!("\\pm {}", self.number()),
            1 => format!("{}/{}", self.number(), self.number()),
            2 => format!("-{}/{}", self.number(), self.number()),
            3 => self
                .one_of(&[
                    "\\infty",
                    "-\\infty",
                    "\\sqrt{-1}",
                    "\\pi/2",
                    "0",
                    "\\emptyset",
                ])
                .to_owned(),
            4 => format!(
                "{}{}{}i",
                self.number(),
                self.one_of(&["+", "-"]),
                self.number()
            ),
            5 => format!(
                "{}.{}\\ldots",
                self.small(),
                self.rng.random_range(1000..99_999u32)
            ),
            6 => format!("{} \\times 10^{{-{}}}", self.decimal(), self.number()),
            7 => self.short_term(),
            _ => self.number(),
        };
        format!(
            "{x} {} {value}",
            self.one_of(&["=", "=", "=", "=", "\\approx", "\\equiv"])
        )
    }

    pub(super) fn power_product(&mut self) -> String {
        let (x, a, b) = (self.letter(), self.letter(), self.letter());
        let (n, m) = (self.number(), self.number());
        match self.rng.random_range(0..6) {
            0 => format!("{x}^{a} e^{{-{x}}}"),
            1 => format!("({n}-{x})^{a} ({n}+{x})^{b}"),
            2 => format!("{x}^{{{a}-1}} (1-{x})^{{{b}-1}}"),
            3 => format!(
                "{x}^{n} - {m}{x}^{} + {x} {} {n}",
                self.number(),
                self.one_of(&["+", "-"])
            ),
            4 => format!("{a} {x}^{n} + {b} {x} + {}", self.letter()),
            _ => format!(
                "({x}{}{a})^{n} ({x}{}{b})",
                self.one_of(&["+", "-"]),
                self.one_of(&["+", "-"])
            ),
        }
    }

    pub(super) fn hypergeometric(&mut self) -> String {
        let (p, q) = (
            self.one_of(&["0", "1", "2", "p", "3"]),
            self.one_of(&["0", "1", "2", "q"]),
        );
        let braces = if self.chance(0.7) { "{}" } else { "\\," };
        let name = format!("{braces}_{p}F_{q}");
        match self.rng.random_range(0..5) {
            0 => name,
            1 => format!("{name}(a; b; z) = {}", self.short_term()),
            2 => format!(
                "({})_{}",
                self.symbol(),
                self.one_of(&["n", "k", "m", "{n+1}"])
            ),
            _ => format!("{name}({})", self.arguments()),
        }
    }

    pub(super) fn elementary(&mut self) -> String {
        let (f, g, x) = (
            self.elementary_function(),
            self.elementary_function(),
            self.symbol(),
        );
        match self.rng.random_range(0..11) {
            0 => format!("{f}({x})"),
            1 => format!("{f} {x}"),
            2 => format!("{f}^{{-1}}({x})"),
            3 => format!("{f}({f}^{{-1}}({x})) = {x}"),
            4 => format!("{f}^{}({x}) + {g}^{}({x})", self.number(), self.number()),
            5 => format!("\\frac{{{f}({})}}{{{g}({x})}}", self.argument()),
            6 => format!("{f}({x}) = \\frac{{1}}{{{g}({x})}}"),
            7 => format!(
                "{f}({x}) + {}{f}({}{x}) + \\ldots",
                self.number(),
                self.number()
            ),
            8 => format!(
                "\\log_{} |{x} - {}|",
                self.one_of(&["b", "2", "{10}"]),
                self.symbol()
            ),
            9 => format!(
                "{f}({}) {} {g}({})",
                self.argument(),
                self.one_of(&["=", "+", "-", ""]),
                self.argument()
            ),
            _ => format!("T_n({f} {x}) = {g}(n{x})"),
        }
    }

    pub(super) fn differential(&mut self) -> String {
        let (y, x, n) = (
            self.one_of(&["y", "u", "f", "w"]),
            self.one_of(&["x", "t", "z"]),
            self.one_of(&["n", "m", "\\nu"]),
        );
        match self.rng.random_range(0..7) {
            0 => format!("{x}^2 {y}'' + {x} {y}' + ({x}^2 - {n}^2) {y} = 0"),
            1 => format!(
                "(1-{x}^2) {y}''({x}) - {}{x} {y}'({x}) + {n}({n}+1) {y}({x}) = 0",
                self.number()
            ),
            2 => format!("{y}'({x}) = f({x}, {y}({x}))"),
            3 => format!("\\frac{{d^{n}}}{{d{x}^{n}}} {y}({x})"),
            4 => format!("{y}'' {} {x} {y} = 0", self.one_of(&["+", "-"])),
            5 => format!(
                "\\frac{{\\partial {y}}}{{\\partial {x}}} = {}",
                self.called()
            ),
            _ => format!(
                "{y}_1'{}{y}_0' = {}",
                self.one_of(&["+", "-"]),
                self.small()
            ),
        }
    }

    pub(super) fn integral_of_manual(&mut self) -> String {
        let t = self.one_of(&["t", "x", "u", "s", "z"]);
        let limits = self.one_of(&[
            "_0^\\infty",
            "_0^1",
            "_a^b",
            "_{-\\infty}^{\\infty}",
            "_0^x",
            "_0^{2\\pi}",
            "_{x_0}^x",
            "_{x_1}^{x_2}",
            "",
            "_z^\\infty",
            "_C",
        ]);
        let thin = self.one_of(&["\\,", " ", " "]);
        let body = match self.rng.random_range(0..7) {
            0 => format!("{t}^{{{}-1}} e^{{-{t}}}", self.symbol()),
            1 => format!("f({t})"),
            2 => format!("{t}^{{a-1}} (1-{t})^{{b-1}}"),
            3 => format!("\\frac{{{}}}{{{}}}", self.called(), self.short_term()),
            4 => format!("\\exp(-{t}^2)"),
            5 => format!("f({t}) g({})", self.argument()),
            _ => self.called(),
        };
        let integral = format!("\\int{limits} {body} {thin} d{t}");
        if self.chance(0.6) {
            format!("{} = {integral}", self.called())
        } else {
            integral
        }
    }

    pub(super) fn sum_of_manual(&mut self) -> String {
        let k = self.one_of(&["k", "n", "i", "j"]);
        let sign = self.one_of(&["\\sum", "\\sum", "\\sum", "\\prod"]);
        let limits = match self.rng.random_range(0..6) {
            0..3 => format!(
                "_{{{k}={}}}^{}",
                self.one_of(&["0", "1", "1", "a"]),
                self.one_of(&["\\infty", "n", "N", "{n-1}", "m", "b"])
            ),
            3 => format!("_{k}"),
            4 => format!("_{{{k}={}}}", self.small()),
            _ => String::new(),
        };
        let body = match self.rng.random_range(0..8) {
            0 => format!("\\frac{{1}}{{{k}^s}}"),
            1 => format!("a_{k} x^{k}"),
            2 => format!("\\frac{{z^{k}}}{{{k}!}}"),
            3 => format!("w_{k} f(x_{k})"),
            4 => format!(
                "(-1)^{k} \\frac{{{}}}{{{}}}",
                self.short_term(),
                self.short_term()
            ),
            5 => format!("(1 - a q^{k})"),
            6 => format!("(y_{k} - \\hat{{y}}_{k})^2"),
            _ => format!("f({k})"),
        };
        let sum = format!("{sign}{limits} {body}");
        if self.chance(0.5) {
            format!("{} = {sum}", self.called())
        } else {
            sum
        }
    }

    pub(super) fn linear_algebra(&mut self) -> String {
        let bold = self.chance(0.3);
        let of = |letter: &str| {
            if bold {
                format!("\\mathbf{{{letter}}}")
            } else {
                letter.to_owned()
            }
        };
        let (a, b, x) = (of(self.capital()), of(self.capital()), of(self.letter()));
        let up = self.one_of(&["^T", "^{-1}", "^H", "^\\top", "^*", "^{1/2}"]);
        match self.rng.random_range(0..9) {
            0 => format!("{a} {x} = {}", of("b")),
            1 => format!("{a}{up} {b}"),
            2 => format!("{x}^T {a} {x}"),
            3 => format!("{a} = U \\Sigma V{up}"),
            4 => format!(
                "\\|{a} {x} - {}\\|_{}",
                of("b"),
                self.one_of(&["2", "2^2", "1", "F"])
            ),
            5 => format!(
                "({}, {})",
                self.one_of(&["M", "m", "n"]),
                self.one_of(&["N", "n", "K"])
            ),
            6 => format!(
                "{} \\times {}",
                self.one_of(&["n", "m", "M", "N"]),
                self.one_of(&["n", "p", "K", "N"])
            ),
            7 => format!("{a} {x} = \\lambda {}{x}", self.one_of(&["", "B"])),
            _ => format!("{a}_{{{}{}}}", self.index(), self.index()),
        }
    }

    pub(super) fn estimate(&mut self) -> String {
        let x = self.symbol();
        match self.rng.random_range(0..8) {
            0 => format!(
                "O({})",
                self.one_of(&["n", "n^2", "n \\log n", "1", "h^4", "n^3", "N^2", "2^n"])
            ),
            1 => format!("{x} \\sim {}", self.short_term()),
            2 => format!(
                "{x} \\sim N({}, {}^2)",
                self.one_of(&["0", "\\mu"]),
                self.one_of(&["\\sigma", "1"])
            ),
            3 => format!("\\chi^2_{{{}-1}}", self.one_of(&["n", "k", "p"])),
            4 => format!(
                "P({} {} {x})",
                self.capital(),
                self.one_of(&["=", "\\leq", ">", "|", "<"])
            ),
            5 => format!(
                "\\hat{{{}}} = {}",
                self.one_of(&["\\beta", "\\mu", "y", "\\theta", "p"]),
                self.short_term()
            ),
            6 => format!(
                "{} = {}\\sigma^2",
                self.called(),
                self.one_of(&["", "2", "n"])
            ),
            _ => format!(
                "\\mathcal{{{}}}\\{{{}\\}} = {}",
                self.one_of(&["L", "F", "Z"]),
                self.short_term(),
                self.called()
            ),
        }
    }
}
