//! How formulas and texts are asked for.

/// For a formula.
pub const FORMULA: [&str; 16] = [
    "Write this formula as LaTeX.",
    "What is this formula in LaTeX?",
    "Give the LaTeX of this formula.",
    "Convert the formula to LaTeX.",
    "Transcribe this equation as LaTeX.",
    "Which LaTeX makes this?",
    "Write the LaTeX source of this expression.",
    "Please write this in LaTeX.",
    "What LaTeX code is this?",
    "Read the formula and answer in LaTeX.",
    "LaTeX of this formula, please.",
    "How is this written in LaTeX?",
    "Translate this mathematics to LaTeX.",
    "Type this formula in LaTeX.",
    "Turn the formula in the picture into LaTeX.",
    "Formula to LaTeX.",
];

/// For text of more than a line.
pub const TEXT: [&str; 12] = [
    "Transcribe the text.",
    "Read the text.",
    "What does the text say?",
    "Write down everything that is written here.",
    "What is written here?",
    "Transcribe this.",
    "Read this out in full.",
    "Copy the text of this picture.",
    "What does it say?",
    "Write out the text in the image.",
    "Please transcribe the whole text.",
    "Give the text as it stands.",
];

/// For a page with parts.
pub const DOCUMENT: [&str; 8] = [
    "Transcribe this page.",
    "Write down everything on this page.",
    "Read the page in order.",
    "What is written on this page?",
    "Transcribe the document.",
    "Copy the text of this document.",
    "Give all the text of this page, part by part.",
    "Please read the whole page.",
];
