//! What is found in files, and what is not.

use super::*;
use crate::clean::clean;
use crate::katex::KatexFaces;
use crate::lettering::Lettering;
use crate::macros::Macros;
use crate::normal::normalise;
use crate::typeset::{shown, typeset};

fn all(text: &str, markup: Markup) -> Vec<(String, bool)> {
    let formulas = find(text, markup);
    let piece = |f: &Found| (formulas.source(f).to_owned(), f.inline);
    formulas.found.iter().map(piece).collect()
}

fn inline(text: &str, markup: Markup) -> Vec<String> {
    all(text, markup)
        .into_iter()
        .map(|(source, _)| source)
        .collect()
}

#[test]
fn every_way_of_writing_a_formula_is_found() {
    let text = "a $x+1$ b $$y^2$$ c \\(z\\) d \\[w\\] \\begin{equation}E\\end{equation} \
                \\begin{align*}a&=b\\end{align*} \\$5 and \\$6 \\begin{itemize}\\item $i$\\end{itemize} \
                \\begin{eqnarray} a &=& b\\end{eqnarray} \\ensuremath{q} $a \\mbox{ if $b$}$";
    let wanted = [
        ("x+1", true),
        ("y^2", false),
        ("z", true),
        ("w", false),
        ("E", false),
        ("\\begin{align*}a&=b\\end{align*}", false),
        ("i", true),
        ("\\begin{eqnarray} a &=& b\\end{eqnarray}", false),
        ("q", true),
        ("a \\mbox{ if $b$}", true),
    ];
    let wanted = wanted.map(|(source, inline)| (source.to_owned(), inline));
    assert_eq!(all(text, Markup::Tex), wanted);
}

#[test]
fn prices_are_no_formulas() {
    for text in [
        "it costs $5 or $6 today",
        "US$5 and US$6, or 5$ and 6$",
        "from $10 to 20$ each, or $20/month",
        "$HOME and $PATH, $HOME/bin:$PATH",
        "between $3 million and $4 million",
        "a deposit of $50, plus 20$",
        "v1.2 \\[2016/09/19\\] and $2019-04-20$",
        "\\$x\\$",
        "$a\n\nb$",
    ] {
        for markup in [Markup::Markdown, Markup::Plain] {
            assert!(
                all(text, markup).is_empty(),
                "{text}: {:?}",
                all(text, markup)
            );
        }
    }
    let mixed = "costs $5, then $x+1$ and $y$-axis, $\\alpha $, 50% of $n$\n\nand \\(z\\)";
    for markup in [Markup::Markdown, Markup::Plain] {
        assert_eq!(inline(mixed, markup), ["x+1", "y", "\\alpha", "n", "z"]);
    }
}

#[test]
fn code_in_markdown_holds_no_formulas() {
    let text = "---\ntitle: $t$\n---\n`$a$` ``$b$ ` $c$``\n```\n$$d$$\n```\n~~~ sh\n$e$\n```\n$f$\n~~~\n\n    $g$\n\n\
                > ```\n> $h$\n> ```\n> quoted $i$\n\n<pre>$j$</pre> <!-- $k$ -->\n\n- item\n\n    still $l$\n\n\
                ```math\nm^2\n```\nand $`n`$, a lone ` and $o$\n";
    assert_eq!(
        inline(text, Markup::Markdown),
        ["i", "l", "m^2\n", "n", "o"].map(|s| s.replace('\n', " "))
    );
    let cut = "text $a$\n```\n$b$\n";
    assert_eq!(
        inline(cut, Markup::Markdown),
        ["a"],
        "a fence that is not closed"
    );
}

#[test]
fn code_in_latex_holds_no_formulas() {
    let text = r"\begin{verbatim} $a$ \end{verbatim} \verb|$b$| \verb*+$c$+ \lstinline!$d$! % $e$
        \begin{lstlisting}[language=TeX] $f$ \end{lstlisting} \mintinline{tex}|$g$|
        \begin{minted}{python} $h$ \end{minted} \begin{comment} $i$ \end{comment}
        \MakeShortVerb{\|} |$j$ %| \DeleteShortVerb{\|} \lstnewenvironment{code}{}{}
        \begin{code} $k$ \end{code} \url{http://a/$l$} \iffalse $m$ \fi \char`\$ \string$
        \begin{tabular}{>{$}c<{$}} x \end{tabular} \DefineVerbatimEnvironment{Code}{Verbatim}{}
        \begin{Code}$n$\end{Code} \newenvironment{show}{\verbatim}{\endverbatim}
        \begin{show}$o$\end{show} $Id: file.tex,v 1.2 2001/02/03 name Exp $ $Revision: 1.2 $ $kept$ \end{document} $p$";
    assert_eq!(inline(text, Markup::Tex), ["kept"]);
}

#[test]
fn definitions_hold_no_formulas_but_what_uses_them_does() {
    let text = r"\newcommand{\be}{\begin{equation}} \newcommand{\ee}{\end{equation}}
        \newcommand{\half}{$\frac12$} \def\eq#1{\[#1\]} \newenvironment{sys}{\begin{align}}{\end{align}}
        \be a=b \label{x} \ee then \half, \eq{c} \begin{sys}d&=e\end{sys}";
    let wanted = [
        r"a=b \label{x} ",
        r"\frac12",
        "c",
        r"\begin{align}d&=e\end{align}",
    ];
    assert_eq!(inline(text, Markup::Tex), wanted);
    let text = "$$\\newcommand{\\R}{\\mathbb{R}}$$ and $x\\in\\R$";
    let formulas = find(text, Markup::Markdown);
    let spelled = formulas.spelled_out(&formulas.found[0]).map(|t| print(&t));
    assert_eq!(spelled.as_deref(), Ok("x\\in\\mathbb{R}"));
}

#[test]
fn a_text_cut_anywhere_is_read_without_fault() {
    let text = "é $x$ $$y$$ \\(z\\) \\begin{align}a\\end{align} ``` ` % \\newcommand{\\R}[1]{é#1} \
                \\verb|é| \\begin{verbatim}é\\end{verbatim} \\iffalse é\\fi \\MakeShortVerb{\\|} |é| <é> <pré</pre> <!--é--> ~~~é $`é`$ \\begin{tabular}{é$é}";
    for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        for markup in [Markup::Tex, Markup::Markdown, Markup::Plain] {
            find(&text[..end], markup);
            find(&text[end..], markup);
        }
    }
}

#[test]
fn openings_without_end_cost_no_more_than_their_length() {
    for part in [
        "$",
        "$$x",
        "\\[",
        "\\(",
        "\\begin{equation}",
        "{$",
        "` ",
        "<pre",
        "\\def\\a{",
        "$x{",
    ] {
        let text = part.repeat(100_000 / part.len());
        for markup in [Markup::Tex, Markup::Markdown] {
            let found = find(&text, markup).found.len();
            assert!(found <= text.len() / 2, "{part}: {found}");
        }
    }
}

#[test]
fn macros_of_running_text_that_never_end_are_told_once() {
    let formulas = find(r"\def\a{$x$\a} \a and $y$", Markup::Tex);
    let last: Vec<&str> = formulas
        .found
        .iter()
        .rev()
        .take(2)
        .map(|f| formulas.source(f))
        .collect();
    assert_eq!(last, ["y", r"\a"]);
    let told = &formulas.found[formulas.found.len() - 2];
    assert!(formulas.spelled_out(told).is_err());
}

/// A paper as people write them: numbers, labels, own macros, text in formulas, old commands.
const PAPER: &str = r"\documentclass{article} \newcommand{\be}{\begin{equation}} \def\ee{\end{equation}}
\newcommand{\R}{\ensuremath{\mathbb{R}}} \newcommand{\pd}[2][]{\frac{\partial #1}{\partial #2}}
\DeclarePairedDelimiter{\abs}{\lvert}{\rvert} \let\eps\varepsilon \begin{document}
Let $f\colon\R^n\to\R$ with $\abs*{\frac{a}{b}}\le\eps$ and $\pd[f]{x}=\pd{y}$, see \eqref{eq:a}.
\be \label{eq:a} E = mc^2 \ee \begin{equation*} x = y \tag{$\ast$} \end{equation*}
\begin{eqnarray} a &=& b\,, \nonumber \\ &\geq& {\rm Re}\,z \label{eq:b} \end{eqnarray}
\begin{align} a&=b \label{c}\\ \intertext{and so} c&=\mbox{if $x_1>0$, then } d \notag \end{align}
\begin{multline} a+b+\dots \\ +c \end{multline} \[ 1,\dots,n \qquad {\cal L}_{\rm eff} \hskip 2em plus 1fil \bigl. x\Bigr|_0 \]
\begin{gather} f'' = f^{\prime\prime} \\[2pt] \sin{x}\,{\bf v}, {n \choose k} \end{gather} $x\sb{i}^{\mathrm{max}}$ \R
\begin{equation} \begin{split} a &= α + β² \\ &≤ ∑_{i∈ℕ} xᵢ \end{split} \end{equation} $\pmatrix{1&2\cr3&4}$";

#[test]
fn every_formula_of_a_paper_is_drawn_as_its_answer_says() {
    let faces = KatexFaces::load().unwrap();
    let formulas = find(PAPER, Markup::Tex);
    let mut answers = Vec::new();
    for found in &formulas.found {
        let tokens = formulas.spelled_out(found).unwrap();
        let latex = print(&clean(tokens));
        let form = normalise(&latex);
        assert_eq!(normalise(&form), form, "{latex}");
        assert_eq!(shown(&latex, false), shown(&form, false), "{latex}");
        let set = typeset(&latex, found.inline, &faces, &Lettering::Katex);
        assert!(set.is_ok(), "{latex}: {:?}", set.err());
        answers.push(form);
    }
    let wanted = [
        r"f:\mathbb{R}^n\to\mathbb{R}",
        r"\left|\frac{a}{b}\right|\leq\varepsilon",
        r"\frac{\partial f}{\partial x}=\frac{\partial}{\partial y}",
        "E=mc^2",
        "x=y",
        r"\begin{aligned}a&=b,\\&\geq\text{Re}z\end{aligned}",
        r"\begin{aligned}a&=b\\\text{and so}\\c&=\text{if }x_1>0\text{, then }d\end{aligned}",
        r"\begin{gathered}a+b+\ldots\\+c\end{gathered}",
        r"1,\ldots,n\quad\mathcal{L}_{\text{eff}}\quad\left.x\right|_0",
        r"\begin{gathered}f''=f''\\\sin x\mathbf{v},\binom{n}{k}\end{gathered}",
        r"x_i^{\text{max}}",
        r"\mathbb{R}",
        r"\begin{aligned}a&=\alpha+\beta^2\\&\leq\sum_{i\in\mathbb{N}}x_i\end{aligned}",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
    ];
    assert_eq!(answers, wanted);
}

#[test]
fn what_is_drawn_the_same_is_answered_the_same() {
    for (one, other) in [
        (r"α\le β", r"\alpha\leq\beta"),
        (r"\ne\not=", r"\neq\neq"),
        (r"f^{\prime}", "f'"),
        (r"1+\dots+n", r"1+\cdots+n"),
        (r"1,\dots,n", r"1,\ldots,n"),
        (r"{\rm d}x", r"\mathrm{d}x"),
        (r"\text{Re}\,z", r"\mathrm{Re} z"),
        (r"\textbf{v}", r"\mathbf{v}"),
        (r"\sin{x}", r"\sin x"),
        (r"\mathrm{sin}x", r"\sin x"),
        (r"x_{\max}", r"x_{\mathrm{max}}"),
        (r"\Vert x\Vert", r"\lVert x\rVert"),
        (r"\left\{x\right\}", r"\lbrace x\rbrace"),
        (r"\begin{align}a&=b\end{align}", "a=b"),
        (
            r"\begin{eqnarray}a&=&b\\c&=&d\end{eqnarray}",
            r"\begin{align*}a&=b\\c&=d\end{align*}",
        ),
        (r"\text{if $x$}", r"\text{if }x"),
        (r"\mathbbm{1}", r"\mathbb{1}"),
        (r"\not\in \not = \not\leq", r"\notin\neq\nleq"),
        (r"a=b\eqno(3)", "a=b"),
        (
            r"\begin{array}{@{}l|*{2}{c}@{\,}}a&b&c\end{array}",
            r"\begin{array}{l|cc}a&b&c\end{array}",
        ),
        (r"\leadsto\lhd", r"\rightsquigarrow\vartriangleleft"),
        (r"x\ensuremath{y}", "xy"),
        (r"\mathrel{\sim}x\mathop{+}", r"\sim x\mathop{+}"),
    ] {
        let drawn = |source: &str| {
            let tokens = Macros::of_packages()
                .expand(crate::tokens::read(source), 0)
                .unwrap();
            shown(&print(&clean(tokens)), false)
        };
        assert_eq!(drawn(one), drawn(other), "{one} {other}");
        assert!(drawn(one).is_ok(), "{one}");
        assert_eq!(normalise(one), normalise(other));
    }
}
