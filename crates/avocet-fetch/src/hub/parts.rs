//! Names of the files that one GGUF model is split into.

/// Most files that one model is read from.
const MOST_PARTS: usize = 1024;

/// The names of all parts of the model of which a part is called `file`, in order; `None` if the
/// name does not end in `-00001-of-00003.gguf` or with other such numbers.
pub fn gguf_parts(file: &str) -> Option<Vec<String>> {
    let (front, count) = file.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (name, number) = front.rsplit_once('-')?;
    let parse = |digits: &str| {
        let plain = digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<usize>().ok()).flatten()
    };
    let (number, all) = (parse(number)?, parse(count)?);
    if number == 0 || number > all || all > MOST_PARTS {
        return None;
    }
    let part = |number: usize| format!("{name}-{number:05}-of-{count}.gguf");
    Some((1..=all).map(part).collect())
}
