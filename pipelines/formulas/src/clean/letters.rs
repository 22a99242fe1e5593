//! Letters and signs beyond the keyboard's as the commands that draw them.

use ratex_font::Mode;
use ratex_font::symbols::{get_symbol, get_symbol_by_codepoint};
use ratex_parser::unicode_sup_sub::unicode_sub_sup;

use crate::tokens::{Source, Token, print, read};

/// Alphabets of mathematical letters: the first of them and the command for the others' font.
const ALPHABETS: [(u32, &str); 13] = [
    (0x1D400, "\\mathbf"),
    (0x1D434, ""),
    (0x1D468, "\\boldsymbol"),
    (0x1D49C, "\\mathscr"),
    (0x1D4D0, "\\mathscr"),
    (0x1D504, "\\mathfrak"),
    (0x1D538, "\\mathbb"),
    (0x1D56C, "\\mathfrak"),
    (0x1D5A0, "\\mathsf"),
    (0x1D5D4, "\\mathsf"),
    (0x1D608, "\\mathsf"),
    (0x1D63C, "\\mathsf"),
    (0x1D670, "\\mathtt"),
];
/// The same for digits.
const DIGITS: [(u32, &str); 5] = [
    (0x1D7CE, "\\mathbf"),
    (0x1D7D8, "\\mathbb"),
    (0x1D7E2, "\\mathsf"),
    (0x1D7EC, "\\mathsf"),
    (0x1D7F6, "\\mathtt"),
];
/// What the renderer's own table does not name as LaTeX does.
const NAMED: [(char, &str); 108] = [
    ('–', "-"),
    ('—', "-"),
    ('‼', "!!"),
    ('∕', "/"),
    ('○', "\\bigcirc"),
    ('≚', "\\overset{\\vee}{=}"),
    ('≛', "\\overset{\\star}{=}"),
    ('\u{200b}', ""),
    ('\u{200c}', ""),
    ('\u{200d}', ""),
    ('⟧', "\\rrbracket"),
    ('⦃', "\\lBrace"),
    ('⦄', "\\rBrace"),
    ('⦵', "\\minuso"),
    ('⌜', "\\ulcorner"),
    ('⌝', "\\urcorner"),
    ('⌞', "\\llcorner"),
    ('⌟', "\\lrcorner"),
    ('┌', "\\ulcorner"),
    ('┐', "\\urcorner"),
    ('└', "\\llcorner"),
    ('┘', "\\lrcorner"),
    ('∷', "\\dblcolon"),
    ('∹', "\\eqcolon"),
    ('⩴', "\\Coloneqq"),
    ('≟', "\\overset{?}{=}"),
    ('≝', "\\overset{\\mathrm{def}}{=}"),
    ('≙', "\\overset{\\wedge}{=}"),
    ('©', "\\copyright"),
    ('≠', "\\neq"),
    ('∉', "\\notin"),
    ('∌', "\\notni"),
    ('⟦', "\\llbracket"),
    ('−', "-"),
    ('∶', ":"),
    ('’', "'"),
    ('′', "'"),
    ('″', "''"),
    ('‴', "'''"),
    ('°', "^{\\circ}"),
    ('·', "\\cdot"),
    ('∙', "\\cdot"),
    ('•', "\\bullet"),
    ('…', "\\ldots"),
    ('⋯', "\\cdots"),
    ('⋮', "\\vdots"),
    ('⋱', "\\ddots"),
    ('½', "\\frac{1}{2}"),
    ('⅓', "\\frac{1}{3}"),
    ('⅔', "\\frac{2}{3}"),
    ('¼', "\\frac{1}{4}"),
    ('¾', "\\frac{3}{4}"),
    ('⅛', "\\frac{1}{8}"),
    ('ℂ', "\\mathbb{C}"),
    ('ℍ', "\\mathbb{H}"),
    ('ℕ', "\\mathbb{N}"),
    ('ℙ', "\\mathbb{P}"),
    ('ℚ', "\\mathbb{Q}"),
    ('ℝ', "\\mathbb{R}"),
    ('ℤ', "\\mathbb{Z}"),
    ('ℬ', "\\mathscr{B}"),
    ('ℰ', "\\mathscr{E}"),
    ('ℱ', "\\mathscr{F}"),
    ('ℋ', "\\mathscr{H}"),
    ('ℐ', "\\mathscr{I}"),
    ('ℒ', "\\mathscr{L}"),
    ('ℳ', "\\mathscr{M}"),
    ('ℛ', "\\mathscr{R}"),
    ('ℭ', "\\mathfrak{C}"),
    ('ℌ', "\\mathfrak{H}"),
    ('ℨ', "\\mathfrak{Z}"),
    ('ℎ', "h"),
    ('µ', "\\mu"),
    ('Ω', "\\Omega"),
    ('Å', "\\mathring{\\mathrm{A}}"),
    ('‖', "\\|"),
    ('∥', "\\parallel"),
    ('∣', "\\mid"),
    ('⟂', "\\perp"),
    ('⊥', "\\perp"),
    ('≔', "\\coloneqq"),
    ('≕', "\\eqqcolon"),
    ('→', "\\to"),
    ('←', "\\leftarrow"),
    ('⟨', "\\langle"),
    ('⟩', "\\rangle"),
    ('〈', "\\langle"),
    ('〉', "\\rangle"),
    ('∗', "*"),
    ('⋆', "\\star"),
    ('∖', "\\setminus"),
    ('∆', "\\Delta"),
    ('∑', "\\sum"),
    ('∏', "\\prod"),
    ('ı', "\\imath"),
    ('ȷ', "\\jmath"),
    ('∅', "\\emptyset"),
    ('□', "\\square"),
    ('△', "\\triangle"),
    ('▽', "\\triangledown"),
    ('⊨', "\\models"),
    ('≈', "\\approx"),
    ('∼', "\\sim"),
    ('†', "\\dagger"),
    ('‡', "\\ddagger"),
    ('¬', "\\neg"),
    ('‘', "`"),
    ('\u{2061}', ""),
];
/// Greek capitals that look as Latin ones do.
const GREEK_CAPITALS: &str = "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΧX";
/// Letters with a form of their own, which the renderer draws as the command says.
const GREEK: [(char, &str); 8] = [
    ('ϵ', "\\epsilon"),
    ('ε', "\\varepsilon"),
    ('ϕ', "\\phi"),
    ('φ', "\\varphi"),
    ('ϑ', "\\vartheta"),
    ('ϖ', "\\varpi"),
    ('ϱ', "\\varrho"),
    ('ς', "\\varsigma"),
];

/// Writes a letter, and the raised or lowered ones that follow it, as LaTeX.
pub(super) fn spell(letter: char, source: &mut Source<'_>, out: &mut Vec<Token>) {
    let Some((first, lowered)) = unicode_sub_sup(letter) else {
        match named(letter) {
            Some(latex) => out.extend(read(&latex)),
            None => out.push(Token::Char(letter)),
        }
        return;
    };
    let mut script: String = plain(first);
    while let Some(Token::Char(next)) = source.peek() {
        let Some((next, _)) = unicode_sub_sup(*next).filter(|(_, low)| *low == lowered) else {
            break;
        };
        script.push_str(&plain(next));
        source.token();
    }
    out.push(Token::Char(if lowered { '_' } else { '^' }));
    out.push(Token::Open);
    out.extend(read(&script));
    out.push(Token::Close);
}

/// A letter of a script as LaTeX.
fn plain(letter: &str) -> String {
    let named = letter.chars().next().and_then(named);
    named.map_or(letter.to_owned(), |latex| {
        print(&read(&format!("{latex} ")))
    })
}

/// The LaTeX for a letter or sign; none for those that have no other.
fn named(letter: char) -> Option<String> {
    if letter.is_ascii() {
        return None;
    }
    let of = |table: &[(char, &str)]| {
        let found = table.iter().find(|(own, _)| *own == letter);
        found.map(|(_, latex)| (*latex).to_owned())
    };
    of(&NAMED)
        .or_else(|| of(&GREEK))
        .or_else(|| in_alphabet(letter))
        .or_else(|| greek_capital(letter))
        .or_else(|| in_the_renderers_table(letter))
}

fn in_alphabet(letter: char) -> Option<String> {
    let code = u32::from(letter);
    let of = |table: &[(u32, &str)], count: u32, name: &dyn Fn(u32) -> u32| {
        let (first, font) = table
            .iter()
            .find(|(first, _)| (*first..*first + count).contains(&code))?;
        let plain = char::from_u32(name(code - first))?;
        Some(match *font {
            "" => plain.to_string(),
            font => format!("{font}{{{plain}}}"),
        })
    };
    let letter = |i: u32| if i < 26 { 0x41 + i } else { 0x61 + i - 26 };
    of(&ALPHABETS, 52, &letter).or_else(|| of(&DIGITS, 10, &|i| 0x30 + i))
}

fn greek_capital(letter: char) -> Option<String> {
    let mut pairs = GREEK_CAPITALS.chars();
    while let (Some(greek), Some(latin)) = (pairs.next(), pairs.next()) {
        if greek == letter {
            return Some(format!("\\mathrm{{{latin}}}"));
        }
    }
    None
}

fn in_the_renderers_table(letter: char) -> Option<String> {
    let own = get_symbol(letter.encode_utf8(&mut [0; 4]), Mode::Math);
    let names = [own, get_symbol_by_codepoint(letter, Mode::Math)];
    let command = |name: &&str| name.starts_with('\\') && !name.contains('@');
    let name = names.iter().flatten().map(|info| info.name).find(command);
    name.map(str::to_owned)
}
