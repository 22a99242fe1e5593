//! Blocks of text joined into documents of a length that is read at once.

/// A shorter text teaches nothing.
pub(crate) const MIN_BYTES: usize = 40;

/// Joins `blocks` in their order to documents of at most `longest` bytes; a block longer than that
/// is cut between words.
pub(crate) fn join(blocks: &[String], longest: usize) -> Vec<String> {
    let mut documents = Vec::new();
    let mut document = String::new();
    for piece in blocks.iter().flat_map(|block| pieces(block, longest)) {
        if !document.is_empty() && document.len() + 1 + piece.len() > longest {
            documents.push(std::mem::take(&mut document));
        }
        if !document.is_empty() {
            document.push('\n');
        }
        document.push_str(piece);
    }
    documents.push(document);
    documents.retain(|document| document.len() >= MIN_BYTES);
    documents
}

/// `block` in pieces of at most `longest` bytes, 4 at least.
fn pieces(block: &str, longest: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = block;
    while rest.len() > longest {
        let most = rest.floor_char_boundary(longest);
        let at = rest[..most]
            .rfind(char::is_whitespace)
            .filter(|&at| at > 0)
            .unwrap_or(most);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_hold_all_words_in_order_and_no_more_than_fits() {
        let block = |index: usize| {
            format!("block{index} ")
                .repeat(index * 40 + 5)
                .trim()
                .to_owned()
        };
        let blocks: Vec<String> = (0..9).map(block).collect();
        let documents = join(&blocks, 1200);
        assert!(documents.iter().all(|document| document.len() <= 1200));
        assert!(join(&blocks, 100_000).len() == 1);
        let words = |texts: &[String]| -> Vec<String> {
            texts
                .iter()
                .flat_map(|text| text.split_whitespace().map(str::to_owned))
                .collect()
        };
        assert_eq!(words(&documents), words(&blocks));
    }

    #[test]
    fn a_block_without_spaces_is_cut_between_characters() {
        let documents = join(&["日".repeat(1000)], 1200);
        assert_eq!(documents.concat().replace('\n', ""), "日".repeat(1000));
        assert!(documents.iter().all(|document| document.len() <= 1200));
    }

    #[test]
    fn short_texts_are_left_out() {
        assert!(join(&["too short".into()], 1200).is_empty());
        assert!(join(&[], 1200).is_empty());
    }
}
