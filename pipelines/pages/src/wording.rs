//! How questions are put: several wordings of each. Tests ask with the same wordings.

/// Asks for the title that can be read on the page.
pub const TITLE: &[&str] = &[
    "What is the title?",
    "What is the title of the page?",
    "What does the main heading say?",
    "What is the page called?",
    "Read the title.",
    "What is the heading at the top?",
];

/// Asks what the only button says.
pub const BUTTON: &[&str] = &[
    "What does the button say?",
    "Read the button.",
    "What is written on the button?",
    "What is the label of the button?",
    "Which button is there?",
];

/// Asks for the only price.
pub const PRICE: &[&str] = &[
    "What is the price?",
    "How much does it cost?",
    "What does it cost?",
    "How much is it?",
    "Read the price.",
];

/// Asks for the price of `{}`.
pub const PRICE_OF: &[&str] = &[
    "How much is the {}?",
    "What does the {} cost?",
    "What is the price of {}?",
    "How much for the {}?",
];

/// Asks for all text.
pub const TEXT: &[&str] = &[
    "Read all the text.",
    "What does the page say?",
    "Transcribe the page.",
    "Write down everything that can be read here.",
    "What text is on the page?",
];

/// Asks for the part of the picture where `{}` is.
pub const WHERE: &[&str] = &[
    "Where is {}?",
    "In which part of the picture is {}?",
    "Where on the page can {} be found?",
];

/// Asks for the box of `{}`.
pub const BOX: &[&str] = &[
    "Give the box of {}.",
    "What are the coordinates of {}? Left, top, right, bottom.",
    "Where exactly is {}? Answer with left, top, right, bottom in pixels.",
];

/// Asks what the link `{}` leads to.
pub const TARGET: &[&str] = &[
    "Which link leads to {}?",
    "What does the link to {} say?",
    "What is to be clicked to get to {}?",
];

/// Asks for the heading after `{}`.
pub const NEXT_HEADING: &[&str] = &[
    "What heading comes after {}?",
    "Which heading follows {}?",
    "What is the next heading below {}?",
];

/// Asks for everything that can be clicked or names a part.
pub const ELEMENTS: &[&str] = &[
    "List the headings, links, buttons and fields with their boxes.",
    "Which elements does the page have, and where?",
];

/// Asks for the name of the document.
pub const TAB: &[&str] = &[
    "What would the browser's tab say for this page?",
    "Suggest the document's title.",
    "What is the name of this document?",
];
