//! What the normal form makes equal, and what it leaves apart.

use super::normalise;

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
