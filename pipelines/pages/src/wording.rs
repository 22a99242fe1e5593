//! How questions are put: several wordings of each. Tests ask with the same wordings.

pub use drawing::wording::{BUTTON, PRICE, PRICE_OF, PRICED, TITLE, TOTAL};

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

/// Asks whether there is a link that says `{}`.
pub const WHETHER: &[&str] = &[
    "Is there a link that says {}?",
    "Does the page have a link {}?",
    "Is there a link {} on the page?",
    "Can {} be clicked here?",
];

/// Links that pages have, and manuals mostly not.
pub const ELSEWHERE: [&str; 28] = [
    "Log in",
    "Sign up",
    "Shopping cart",
    "Help",
    "About us",
    "Imprint",
    "Newsletter",
    "Blog",
    "Gallery",
    "Tickets",
    "Forum",
    "Terms of use",
    "Cookies",
    "Shipping",
    "My account",
    "News",
    "Press",
    "Jobs",
    "Team",
    "Events",
    "Recipes",
    "Downloads",
    "Weather",
    "Sports",
    "Archive",
    "Feedback",
    "Site map",
    "Donate",
];
