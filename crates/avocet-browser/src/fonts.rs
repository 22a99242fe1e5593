//! Typefaces that a page of our own making may load.

/// A family with the files of two of its faces.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// The regular face.
    pub regular: Vec<u8>,
    /// The bold face.
    pub bold: Vec<u8>,
}

/// Families, by their index.
#[derive(Debug, Default)]
pub struct Fonts(pub Vec<Family>);

impl Fonts {
    /// The families' names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|family| family.name.clone()).collect()
    }

    /// The face under a path such as `/fonts/3-700`: index of the family and weight.
    pub fn at(&self, path: &str) -> Option<&[u8]> {
        let (index, weight) = path.strip_prefix("/fonts/")?.split_once('-')?;
        let family = self.0.get(index.parse::<usize>().ok()?)?;
        match weight {
            "400" => Some(&family.regular),
            "700" => Some(&family.bold),
            _ => None,
        }
    }
}
