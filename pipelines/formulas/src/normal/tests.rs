//! What the normal form makes equal, and what it leaves apart.

use super::normalise;
use crate::katex::KatexFaces;
use crate::lettering::Lettering;
use crate::typeset::typeset;

#[test]
fn sources_that_look_alike_have_one_form() {
    let same = [
        (r"x ^ {2} + y^2", "x^2+y^2"),
        (r"\frac 1 2", r"\frac{1}{2}"),
        (r"\frac12", r"\frac{1}{2}"),
        (r"\dfrac{a}{b}", r"\frac{a}{b}"),
        (r"a \le b \rightarrow c", r"a\leq b\to c"),
        (r"x^2_i", "x_i^2"),
        (r"f'_1", "f_1'"),
        (r"f^{\prime\prime}(x)", "f''(x)"),
        (r"\left( x + 1 \right)", "(x+1)"),
        (r"\left(\frac{1}{2}\right)", r"\left(\frac{1}{2}\right)"),
        (r"\left. x \right|_0", r"\left.x\right|_0"),
        (r"\bigl( x \bigr)", "(x)"),
        (r"{n \choose k} = {a \over b}", r"\binom{n}{k}=\frac{a}{b}"),
        (r"\int f \, dx", r"\int fdx"),
        (r"\alpha x", r"\alpha x"),
        (r"\mathbb R", r"\mathbb{R}"),
        (r"\operatorname{sin} x", r"\sin x"),
        (r"\operatorname{ rank } A", r"\operatorname{rank}A"),
        (r"\text{ if  x }", r"\text{ if x }"),
        (r"\mbox{or}", r"\text{or}"),
        (
            r"\begin{align*} a &= b \\[2pt] c &= d \\ \end{align*}",
            r"\begin{aligned}a&=b\\c&=d\end{aligned}",
        ),
        (
            r"\left(\begin{matrix} a & b \end{matrix}\right)",
            r"\begin{pmatrix}a&b\end{pmatrix}",
        ),
        (r"\begin{equation} x \label{eq:1} \end{equation}", "x"),
        (r"\not= \not \in", r"\neq\notin"),
        (r"{{x}}^{{2}}", "x^2"),
        (r"{}^{14}_{6}C", "{}_6^{14}C"),
        (r"\sqrt[3] x", r"\sqrt[3]{x}"),
        (r"a \quad \quad b", r"a\quad b"),
        (r"1{,}000", "1,000"),
        ("a % a comment\n b", "ab"),
        (r"90^{\circ}", r"90^\circ"),
        (r"\lvert x \rvert \Vert", r"|x|\|"),
        (r"{\rm Re}\, z", r"\text{Re}z"),
        (r"{\cal L}_0 + {\bf v}", r"\mathcal{L}_0+\mathbf{v}"),
        (r"x_{\rm eff}", r"x_{\text{eff}}"),
        (r"x_{\max}", r"x_{\text{max}}"),
        (r"\sin{x}\,\alpha{}", r"\sin x\alpha"),
        (r"\mathrm{sin} x", r"\sin x"),
        (r"\mathop{\rm argmax}_x f", r"\operatorname*{argmax}_xf"),
        (r"\begin{align} E &= mc^2 \end{align}", "E=mc^2"),
        (r"a\hspace{1em}b", r"a\quad b"),
        (r"a\hskip 2pt plus 1fil b", "ab"),
        (r"x\mbox{ if $y$}", r"x\text{ if }y"),
        (r"\phantom{x}y", "y"),
        (r"\mathds{1}", r"\mathbb{1}"),
        (
            r"\begin{gather*}[t] a \\* b \end{gather*}",
            r"\begin{gathered}a\\b\end{gathered}",
        ),
        (
            r"\pmatrix{a & b \cr c & d}",
            r"\begin{pmatrix}a&b\\c&d\end{pmatrix}",
        ),
        (r"\root 3 \of x", r"\sqrt[3]{x}"),
        (r"a,\dots,b", r"a,\ldots,b"),
        (r"a+\dots+b", r"a+\cdots+b"),
        (r"\text{if }\text{so}", r"\text{if so}"),
        (r"\mathbf{a}\mathbf{b}", r"\mathbf{ab}"),
        (r"\bigl.x\bigr|", r"\left.x\right|"),
        (r"\bigl.x|", "x|"),
        (
            r"\begin{cases}a&\\b& \end{cases}",
            r"\begin{cases}a\\b\end{cases}",
        ),
        (r"\biggl(\frac{a}{b}\biggr)", r"\left(\frac{a}{b}\right)"),
        (r"\Big[\sum_i\Big]", r"\left[\sum_i\right]"),
        (r"\big(a, b\big]", "(a,b]"),
        (
            r"\begin{gathered}\bigl(\int a\\ +b\bigr)\end{gathered}",
            r"\begin{gathered}(\int a\\+b)\end{gathered}",
        ),
        (r"{a\atop b}c", r"{a\atop b}c"),
    ];
    for (source, form) in same {
        assert_eq!(normalise(source), form, "{source}");
    }
}

#[test]
fn what_looks_different_stays_different() {
    let different = [
        ("ab^2", "a^{b2}"),
        (r"\{x\}", "{x}"),
        (r"\epsilon", r"\varepsilon"),
        (r"\text{a b}", r"\text{ab}"),
        ("x_i^2", "x_{i^2}"),
        (r"\mathbb{R}", "R"),
        (r"\left(\frac{1}{2}\right)", r"(\frac{1}{2})"),
        (r"\sin x", "sin x"),
    ];
    for (one, other) in different {
        assert_ne!(normalise(one), normalise(other), "{one} {other}");
    }
}

#[test]
fn any_text_has_a_form_and_the_form_is_its_own() {
    let formulas = include_str!("../../formulas-300.txt");
    for formula in formulas.lines() {
        let form = normalise(formula);
        assert_eq!(normalise(&form), form, "{formula}");
        for end in (0..formula.len()).filter(|&end| formula.is_char_boundary(end)) {
            let form = normalise(&formula[..end]);
            assert_eq!(normalise(&form), form, "{}", &formula[..end]);
        }
    }
    let deep = "{".repeat(50_000);
    assert_eq!(normalise(&deep), deep);
    let nested = format!("{}x{}", "\\sqrt{".repeat(500), "}".repeat(500));
    assert_eq!(normalise(&nested), nested);
    for text in [
        "\\", "\\left", "^", "_", "x^", "\\begin{", "}", "\\frac", "'", "",
    ] {
        normalise(text);
    }
}

#[test]
fn labels_tags_and_numbers_stand_in_no_form() {
    for source in [
        r"E=mc^2 \label{eq:a}",
        r"\label{eq:a}E=mc^2\tag{7}",
        r"E=mc^2\tag*{$*$}\notag",
        r"\begin{equation}E=mc^2\nonumber\end{equation}",
        r"\begin{equation}\begin{split}E&=mc^2\end{split}\label{a}\end{equation}",
        r"E=mc^2\eqref{a}\ref{b}\cite[p.~3]{c}\footnote{a $b$}",
        r"E\overset{\eqref{a}}{=}mc^2",
        r"\begin{eqnarray}E&=&mc^2\label{x}\end{eqnarray}",
    ] {
        assert_eq!(normalise(source), "E=mc^2", "{source}");
    }
    let rows = [
        (
            r"\begin{align} a &= b \label{1}\\ c &= d \label{2} \end{align}",
            r"\begin{aligned}a&=b\\c&=d\end{aligned}",
        ),
        (
            r"\begin{eqnarray} x &=& y \label{q}\\ z &=& w \nonumber\end{eqnarray}",
            r"\begin{aligned}x&=y\\z&=w\end{aligned}",
        ),
        (
            r"\begin{IEEEeqnarray}{rCl} x &=& y \IEEEyesnumber\\ z &=& w\end{IEEEeqnarray}",
            r"\begin{aligned}x&=y\\z&=w\end{aligned}",
        ),
        (
            r"\begin{align} a&=b,\\ \intertext{and} c&=d \end{align}",
            r"\begin{aligned}a&=b,\\\text{and}\\c&=d\end{aligned}",
        ),
        (
            r"\begin{multline} a+b\\+c \end{multline}",
            r"\begin{gathered}a+b\\+c\end{gathered}",
        ),
        (
            r"\begin{numcases}{f=} 1 & a \\ 2 & b \end{numcases}",
            r"f=\begin{cases}1&a\\2&b\end{cases}",
        ),
    ];
    for (source, form) in rows {
        assert_eq!(normalise(source), form, "{source}");
        assert_eq!(normalise(form), form);
    }
}

#[test]
fn letters_are_written_as_the_commands_that_draw_them() {
    for (source, form) in [
        ("α ≤ β", r"\alpha\leq\beta"),
        ("x² + y₁₂⁻¹", "x^2+y_{12}^{-1}"),
        ("∑ᵢ xᵢ", r"\sum_ix_i"),
        ("a − b × c · d ÷ e ± f", r"a-b\times c\cdot d\div e\pm f"),
        ("f′ → ∞", r"f'\to\infty"),
        ("ℝ ⊆ ℂ ∋ 𝐱", r"\mathbb{R}\subseteq\mathbb{C}\ni\mathbf{x}"),
        ("ε ϵ φ ϕ", r"\varepsilon\epsilon\varphi\phi"),
        ("𝑥 ≠ 𝒜", r"x\neq\mathscr{A}"),
        ("90° ½", r"90^\circ\frac{1}{2}"),
        ("‖v‖ ⟨x⟩ …", r"\|v\|\langle x\rangle\ldots"),
        (r"\text{für α}", r"\text{für α}"),
    ] {
        assert_eq!(normalise(source), form, "{source}");
    }
}

#[test]
fn every_letter_that_can_be_drawn_has_a_form_that_the_keyboard_writes() {
    let faces = KatexFaces::load().unwrap();
    let drawn = |latex: &str| typeset(latex, false, &faces, &Lettering::Katex).is_ok();
    let (mut seen, mut other) = (0, Vec::new());
    for code in (0xa1..0x2c00).chain(0x1d400..0x1d800) {
        let Some(letter) = char::from_u32(code) else {
            continue;
        };
        let form = normalise(&letter.to_string());
        if !form.is_ascii() {
            other.extend((!letter.is_alphabetic() && drawn(&form)).then_some(letter));
        } else if !form.is_empty() {
            seen += 1;
            assert_eq!(normalise(&form), form, "{letter} U+{code:04X}");
        }
    }
    // Accents that stand alone, quotation marks, and two signs without a command.
    other.retain(|letter| !"¨¸˘˙˚˜˝\u{20d7}“”≘≞".contains(*letter));
    assert!(other.is_empty(), "{other:?}");
    assert!(seen > 1000, "{seen}");
}

#[test]
fn hostile_texts_have_a_form_in_bounded_time() {
    for part in [
        r"\text{$",
        r"\pmatrix{",
        r"\root",
        r"\hskip1em plus",
        "α",
        "x²",
        r"\begin{eqnarray}",
        r"\intertext{",
        r"\rm",
        r"{\rm",
        r"\dots",
        r"\tag{",
        r"\braket{",
        r"\dv",
        r"\begin{numcases}{",
    ] {
        let text = part.repeat(20_000 / part.len());
        let form = normalise(&text);
        assert!(form.len() <= 20 * text.len(), "{part}");
    }
}
