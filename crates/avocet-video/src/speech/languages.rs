//! The languages that Whisper knows.

/// Two-letter codes (some have three), English names, and the codes of ISO 639-3, which containers
/// have; the most heard in training first.
const LANGUAGES: [(&str, &str, &str); 100] = [
    ("en", "english", "eng"),
    ("zh", "chinese", "zho"),
    ("de", "german", "deu"),
    ("es", "spanish", "spa"),
    ("ru", "russian", "rus"),
    ("ko", "korean", "kor"),
    ("fr", "french", "fra"),
    ("ja", "japanese", "jpn"),
    ("pt", "portuguese", "por"),
    ("tr", "turkish", "tur"),
    ("pl", "polish", "pol"),
    ("ca", "catalan", "cat"),
    ("nl", "dutch", "nld"),
    ("ar", "arabic", "ara"),
    ("sv", "swedish", "swe"),
    ("it", "italian", "ita"),
    ("id", "indonesian", "ind"),
    ("hi", "hindi", "hin"),
    ("fi", "finnish", "fin"),
    ("vi", "vietnamese", "vie"),
    ("he", "hebrew", "heb"),
    ("uk", "ukrainian", "ukr"),
    ("el", "greek", "ell"),
    ("ms", "malay", "msa"),
    ("cs", "czech", "ces"),
    ("ro", "romanian", "ron"),
    ("da", "danish", "dan"),
    ("hu", "hungarian", "hun"),
    ("ta", "tamil", "tam"),
    ("no", "norwegian", "nor"),
    ("th", "thai", "tha"),
    ("ur", "urdu", "urd"),
    ("hr", "croatian", "hrv"),
    ("bg", "bulgarian", "bul"),
    ("lt", "lithuanian", "lit"),
    ("la", "latin", "lat"),
    ("mi", "maori", "mri"),
    ("ml", "malayalam", "mal"),
    ("cy", "welsh", "cym"),
    ("sk", "slovak", "slk"),
    ("te", "telugu", "tel"),
    ("fa", "persian", "fas"),
    ("lv", "latvian", "lav"),
    ("bn", "bengali", "ben"),
    ("sr", "serbian", "srp"),
    ("az", "azerbaijani", "aze"),
    ("sl", "slovenian", "slv"),
    ("kn", "kannada", "kan"),
    ("et", "estonian", "est"),
    ("mk", "macedonian", "mkd"),
    ("br", "breton", "bre"),
    ("eu", "basque", "eus"),
    ("is", "icelandic", "isl"),
    ("hy", "armenian", "hye"),
    ("ne", "nepali", "nep"),
    ("mn", "mongolian", "mon"),
    ("bs", "bosnian", "bos"),
    ("kk", "kazakh", "kaz"),
    ("sq", "albanian", "sqi"),
    ("sw", "swahili", "swa"),
    ("gl", "galician", "glg"),
    ("mr", "marathi", "mar"),
    ("pa", "punjabi", "pan"),
    ("si", "sinhala", "sin"),
    ("km", "khmer", "khm"),
    ("sn", "shona", "sna"),
    ("yo", "yoruba", "yor"),
    ("so", "somali", "som"),
    ("af", "afrikaans", "afr"),
    ("oc", "occitan", "oci"),
    ("ka", "georgian", "kat"),
    ("be", "belarusian", "bel"),
    ("tg", "tajik", "tgk"),
    ("sd", "sindhi", "snd"),
    ("gu", "gujarati", "guj"),
    ("am", "amharic", "amh"),
    ("yi", "yiddish", "yid"),
    ("lo", "lao", "lao"),
    ("uz", "uzbek", "uzb"),
    ("fo", "faroese", "fao"),
    ("ht", "haitian creole", "hat"),
    ("ps", "pashto", "pus"),
    ("tk", "turkmen", "tuk"),
    ("nn", "nynorsk", "nno"),
    ("mt", "maltese", "mlt"),
    ("sa", "sanskrit", "san"),
    ("lb", "luxembourgish", "ltz"),
    ("my", "myanmar", "mya"),
    ("bo", "tibetan", "bod"),
    ("tl", "tagalog", "tgl"),
    ("mg", "malagasy", "mlg"),
    ("as", "assamese", "asm"),
    ("tt", "tatar", "tat"),
    ("haw", "hawaiian", "haw"),
    ("ln", "lingala", "lin"),
    ("ha", "hausa", "hau"),
    ("ba", "bashkir", "bak"),
    ("jw", "javanese", "jav"),
    ("su", "sundanese", "sun"),
    ("yue", "cantonese", "yue"),
];

/// Codes that libraries and containers have beside those, for the same languages.
const OTHER_CODES: [(&str, &str); 27] = [
    ("alb", "sq"),
    ("arm", "hy"),
    ("baq", "eu"),
    ("bur", "my"),
    ("chi", "zh"),
    ("cmn", "zh"),
    ("cze", "cs"),
    ("dut", "nl"),
    ("fil", "tl"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gre", "el"),
    ("gsw", "de"),
    ("ice", "is"),
    ("iw", "he"),
    ("jv", "jw"),
    ("mac", "mk"),
    ("mao", "mi"),
    ("may", "ms"),
    ("nb", "no"),
    ("nob", "no"),
    ("per", "fa"),
    ("rum", "ro"),
    ("slo", "sk"),
    ("tib", "bo"),
    ("wel", "cy"),
];

/// The code of the language that `text` names by code or English name, in either case of letters.
pub fn language_code(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    LANGUAGES
        .iter()
        .find(|(code, name, _)| *code == text || *name == text)
        .map(|(code, ..)| *code)
}

/// The code of the language that a container's tag names, such as `ger`, `deu` or `de-AT`.
pub fn tagged_language(tag: &str) -> Option<&'static str> {
    let tag = tag.to_ascii_lowercase();
    let tag = tag.split(['-', '_']).next().unwrap_or_default();
    let other = OTHER_CODES.iter().find(|(other, _)| *other == tag);
    let code = other.map_or(tag, |(_, code)| code);
    let known = |row: &&(&str, &str, &str)| row.0 == code || row.2 == code;
    LANGUAGES.iter().find(known).map(|row| row.0)
}

/// The English name of the language with that code.
pub(crate) fn language_name(code: &str) -> Option<&'static str> {
    LANGUAGES.iter().find(|row| row.0 == code).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_code_and_by_name() {
        assert_eq!(language_code("de"), Some("de"));
        assert_eq!(language_code("German"), Some("de"));
        assert_eq!(language_code("xx"), None);
        assert_eq!(language_code(""), None);
        assert_eq!(language_name("yue"), Some("cantonese"));
    }

    #[test]
    fn a_tag_is_known_in_every_form_that_containers_write() {
        for (tag, code) in [
            ("ger", "de"),
            ("deu", "de"),
            ("DE", "de"),
            ("de-AT", "de"),
            ("fre", "fr"),
            ("zh_Hans", "zh"),
            ("jv", "jw"),
            ("haw", "haw"),
        ] {
            assert_eq!(tagged_language(tag), Some(code), "{tag}");
        }
        for tag in ["und", "zxx", "mul", "", "-", "qaa"] {
            assert_eq!(tagged_language(tag), None, "{tag}");
        }
        let codes = |row: &(&'static str, &str, &str)| (tagged_language(row.2), Some(row.0));
        assert!(
            LANGUAGES
                .iter()
                .map(codes)
                .all(|(found, code)| found == code)
        );
        for (_, code) in OTHER_CODES {
            assert_eq!(language_code(code), Some(code));
        }
    }
}
