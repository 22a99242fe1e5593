//! What is to be seen on the photographs, by the names of their files: the word that most people
//! would say, and others that are as right.

/// What a thing is, as far as yes or no is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Animal,
    Tool,
    Building,
    /// Something else, which may be taken for a tool or a building.
    Other,
}

/// A name and its synonyms, and the sort of thing.
pub(crate) type Name = (&'static [&'static str], Sort);

/// By the file's name without its number and ending.
#[rustfmt::skip]
const NAMES: &[(&str, &[&str], Sort)] = &[
    ("baseball", &["baseball", "ball"], Sort::Other),
    ("bison", &["bison", "buffalo", "american bison"], Sort::Animal),
    ("blackslate", &["blackboard", "chalkboard", "board"], Sort::Other),
    ("bucket", &["bucket", "pail"], Sort::Other),
    ("buffetset", &["cup", "cup and saucer", "teacup", "tea cup", "cup and plate"], Sort::Other),
    ("bulb", &["light bulb", "bulb", "lightbulb", "lamp", "led bulb"], Sort::Other),
    ("cat", &["cat", "kitten", "cats"], Sort::Animal),
    ("chair", &["chair"], Sort::Other),
    ("chameleon", &["chameleon", "lizard"], Sort::Animal),
    ("chicken", &["chicken", "chickens", "hen", "hens", "rooster", "cock"], Sort::Animal),
    ("cow", &["cow", "cows", "cattle"], Sort::Animal),
    ("crab", &["crab"], Sort::Animal),
    ("crocodile", &["crocodile", "alligator"], Sort::Animal),
    ("cup", &["cup", "mug", "teacup"], Sort::Other),
    ("dam", &["dam"], Sort::Other),
    ("dog", &["dog", "german shepherd"], Sort::Animal),
    ("duck", &["duck", "ducks", "bird"], Sort::Animal),
    ("earth", &["earth", "the earth", "planet", "planet earth", "globe"], Sort::Other),
    ("erasers", &["eraser", "erasers", "rubber"], Sort::Other),
    ("fish", &["fish"], Sort::Animal),
    ("giraffe", &["giraffe", "giraffes"], Sort::Animal),
    ("hammer", &["hammer", "hammers", "sledgehammer", "claw hammer", "mallet"], Sort::Tool),
    ("hedgehog", &["hedgehog"], Sort::Animal),
    ("horse", &["horse", "horses"], Sort::Animal),
    ("igloo", &["igloo"], Sort::Building),
    ("jaguar", &["jaguar", "leopard", "big cat"], Sort::Animal),
    ("jupiter", &["jupiter", "planet"], Sort::Other),
    ("kangaroo", &["kangaroo", "kangaroos", "wallaby"], Sort::Animal),
    ("kingfisher", &["kingfisher", "bird"], Sort::Animal),
    ("knife", &["knife", "table knife"], Sort::Tool),
    ("koala", &["koala", "koala bear"], Sort::Animal),
    ("lemur", &["lemur", "ring-tailed lemur"], Sort::Animal),
    ("mars", &["mars", "planet"], Sort::Other),
    ("measuringTape", &["tape measure", "measuring tape", "tape"], Sort::Tool),
    ("mercury", &["mercury", "planet", "moon"], Sort::Other),
    ("moose", &["moose", "elk"], Sort::Animal),
    ("multimeter", &["multimeter"], Sort::Tool),
    ("nailCutter", &["nail clipper", "nail clippers", "nail cutter"], Sort::Tool),
    ("narwhal", &["narwhal", "narwhals", "whale", "whales"], Sort::Animal),
    ("neptune", &["neptune", "planet"], Sort::Other),
    ("owl", &["owl", "bird"], Sort::Animal),
    ("pan", &["pan", "frying pan", "skillet"], Sort::Other),
    ("panda", &["panda", "giant panda", "panda bear"], Sort::Animal),
    ("pencil", &["pencil", "pencils"], Sort::Other),
    ("pig", &["pig", "pigs", "piglet"], Sort::Animal),
    ("pillow", &["pillow", "cushion"], Sort::Other),
    ("plate", &["plate", "dish"], Sort::Other),
    ("plier", &["pliers", "plier", "pair of pliers"], Sort::Tool),
    ("polar_bear", &["polar bear", "bear", "polar bears"], Sort::Animal),
    ("red_panda", &["red panda", "panda"], Sort::Animal),
    ("saturn", &["saturn", "planet"], Sort::Other),
    ("scarlet_macaw", &["macaw", "scarlet macaw", "parrot", "bird"], Sort::Animal),
    ("scissors", &["scissors", "pair of scissors"], Sort::Tool),
    ("screwDriver", &["screwdriver", "screwdrivers"], Sort::Tool),
    ("sheep", &["sheep", "lamb"], Sort::Animal),
    ("sickle", &["sickle"], Sort::Tool),
    ("sideCutter", &["wire cutter", "wire cutters", "side cutter", "pliers"], Sort::Tool),
    ("solar", &["solar panel", "solar panels"], Sort::Other),
    ("spoons", &["spoon", "spoons"], Sort::Other),
    ("spray", &["spray bottle", "spray", "sprayer"], Sort::Other),
    ("sun", &["sun", "the sun", "star"], Sort::Other),
    ("tweezer", &["tweezers", "tweezer", "pair of tweezers"], Sort::Tool),
    ("uranus", &["uranus", "planet"], Sort::Other),
    ("venus", &["venus", "planet"], Sort::Other),
    ("volleyball", &["volleyball", "ball"], Sort::Other),
    ("weighingMachine", &["scale", "scales", "weighing machine", "kitchen scale"], Sort::Other),
    ("windmill", &["windmill", "wind turbine", "windmills", "wind turbines"], Sort::Other),
    ("wrench", &["wrench", "spanner", "adjustable wrench"], Sort::Tool),
];

/// Folders of buildings, whose names are asked of nobody.
const BUILDINGS: [&str; 2] = ["/monuments/", "/explore_monuments/"];
/// What is in them and not clearly a building: by parts of the files' names.
#[rustfmt::skip]
const NO_BUILDINGS: [&str; 16] = [
    "statue", "rushmore", "Rushmore", "redeemer", "Redeemer", "Wall", "Cave", "Canyon", "canyon",
    "cabrillo", "navajo", "rocamadour", "pontdu", "machu", "petra", "monument",
];

/// What the photograph at `path` shows, if that is known.
pub(crate) fn name(path: &str) -> Option<Name> {
    let file = path.rsplit('/').next()?;
    let stem = file.split('.').next()?;
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    if BUILDINGS.iter().any(|folder| path.contains(folder)) {
        let is_building = !NO_BUILDINGS.iter().any(|part| file.contains(part));
        return is_building.then_some((&[], Sort::Building));
    }
    let found = NAMES.iter().find(|(name, ..)| *name == stem);
    found.map(|&(_, names, sort)| (names, sort))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_endings_are_no_part_of_a_name() {
        let (names, sort) = name("a/tools/hammer12.webp").unwrap();
        assert_eq!((names[0], sort), ("hammer", Sort::Tool));
        assert_eq!(name("a/others/unheardOf.webp"), None);
        assert_eq!(name("x/monuments/statueOfLiberty.webp"), None);
        assert_eq!(
            name("x/monuments/burj.webp"),
            Some((&[][..], Sort::Building))
        );
    }

    #[test]
    fn every_name_is_listed_once() {
        let mut files: Vec<&str> = NAMES.iter().map(|(file, ..)| *file).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), NAMES.len());
        assert!(NAMES.iter().all(|(_, names, _)| !names.is_empty()));
    }
}
