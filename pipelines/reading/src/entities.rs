//! The few entities that TeX in a page is written with.

/// `text` with these signs instead of their entities: `<`, `>`, both quotes and `&`.
///
/// ```
/// assert_eq!(reading::unescaped("a &lt; b &amp;lt;"), "a < b &lt;");
/// ```
pub fn unescaped(text: &str) -> String {
    // The ampersand last, so that what it escapes stays as it is.
    let signs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ];
    signs.iter().fold(text.to_owned(), |text, (entity, sign)| {
        text.replace(entity, sign)
    })
}
