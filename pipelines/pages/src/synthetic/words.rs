//! What synthetic pages say. One entry of five in every list is kept for the test.

use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::made_up;

/// Things that are sold.
pub const THINGS: &[&str] = &[
    "lamp",
    "kettle",
    "backpack",
    "notebook",
    "headphones",
    "mug",
    "chair",
    "bicycle",
    "blanket",
    "keyboard",
    "camera",
    "teapot",
    "umbrella",
    "desk",
    "speaker",
    "jacket",
    "wallet",
    "monitor",
    "pillow",
    "toaster",
    "scarf",
    "watch",
    "tent",
    "guitar",
    "printer",
    "skillet",
    "bottle",
    "sofa",
    "raincoat",
    "tripod",
    "blender",
    "sandals",
    "clock",
    "helmet",
    "rug",
    "microscope",
    "puzzle",
    "hammock",
    "violin",
    "candle",
    "router",
    "drill",
    "telescope",
    "basket",
    "mirror",
    "shelf",
    "stapler",
    "vase",
    "apron",
    "ladder",
    "tablet",
    "thermos",
    "easel",
    "compass",
    "gloves",
    "charger",
    "globe",
    "drum",
    "kite",
    "sweater",
];

/// How they are.
pub const QUALITIES: &[&str] = &[
    "Nordic", "Compact", "Classic", "Deluxe", "Vintage", "Mini", "Urban", "Cosy", "Wooden",
    "Smart", "Silent", "Folding", "Golden", "Alpine", "Electric", "Travel", "Soft", "Modern",
    "Steel", "Copper", "Linen", "Ceramic", "Portable", "Rustic", "Bright", "Slim", "Heavy",
    "Coastal", "Garden", "Midnight", "Velvet", "Simple", "Solar", "Arctic", "Quick", "Bamboo",
    "Royal", "Tiny", "Sturdy", "Crimson",
];

/// Who sells or writes.
pub const NAMES: &[&str] = &[
    "Anna Keller",
    "David Okafor",
    "Maria Rossi",
    "Tom Becker",
    "Lena Fischer",
    "Omar Haddad",
    "Julia Novak",
    "Peter Lindqvist",
    "Grace Mbeki",
    "Hiro Tanaka",
    "Elena Popova",
    "Samuel Brooks",
    "Ines Duarte",
    "Karl Jensen",
    "Priya Nair",
    "Lucas Martin",
    "Nora Walsh",
    "Victor Hugo Alves",
    "Amelie Laurent",
    "Ruth Goldberg",
    "Ivan Petrov",
    "Chloe Bennett",
    "Mateo Garcia",
    "Sofia Berg",
    "Daniel Kim",
    "Fatima Zahra",
    "Oscar Nilsson",
    "Helen Carter",
    "Yusuf Demir",
    "Emma Clarke",
    "Leo Schmidt",
    "Aisha Bello",
    "Noah Wright",
    "Marta Kowalska",
    "Felix Braun",
];

/// Places.
pub const PLACES: &[&str] = &[
    "Lisbon", "Oslo", "Kyoto", "Nairobi", "Toronto", "Vienna", "Lima", "Dublin", "Prague", "Hanoi",
    "Bergen", "Madrid", "Quito", "Athens", "Zagreb", "Seoul", "Turin", "Porto", "Bremen", "Cairo",
    "Riga", "Dakar", "Leeds", "Geneva", "Austin", "Mumbai", "Perth", "Ghent", "Krakow", "Tallinn",
];

/// What buttons say.
pub const BUTTONS: &[&str] = &[
    "Add to cart",
    "Buy now",
    "Sign up",
    "Log in",
    "Subscribe",
    "Learn more",
    "Continue",
    "Send",
    "Save",
    "Cancel",
    "Book now",
    "Get started",
    "Try it free",
    "Download",
    "Order",
    "Submit",
    "Checkout",
    "Reserve a seat",
    "Read more",
    "Join us",
    "Contact us",
    "View details",
    "Apply",
    "Search",
    "Next",
    "Back",
    "Confirm",
    "Donate",
    "Reply",
    "Share",
    "Follow",
    "Upgrade",
    "Start",
    "Pay",
    "Delete",
    "Accept",
    "Decline",
    "Not now",
    "Remind me later",
    "See all",
    "Install",
    "Create account",
    "Reset",
    "Print",
    "Edit",
    "Publish",
    "Add a note",
    "Invite friends",
    "Show on map",
    "Track parcel",
    "Write a review",
    "Renew",
    "Export",
    "Close",
    "Update",
    "Retry",
    "Choose a plan",
    "Pick a date",
    "Compare",
    "Preorder",
];

/// Short titles of articles and notices, `{}` for a place or a thing.
pub const HEADLINES: &[&str] = &[
    "A weekend in {}",
    "New trains for {}",
    "Why {} reads again",
    "The bakers of {}",
    "Rain expected in {}",
    "How {} saves water",
    "Night markets of {}",
    "A bridge for {}",
    "Cycling through {}",
    "Old maps of {}",
    "The library of {} reopens",
    "Music returns to {}",
    "Ten walks near {}",
    "Winter light in {}",
    "{} plants trees",
    "A small museum in {}",
    "The harbour of {}",
    "{} votes on parking",
    "Street food in {}",
    "Letters from {}",
    "Snow closes roads in {}",
    "A quiet corner of {}",
    "{} opens a new school",
    "Ferry to {} delayed",
    "What {} eats for breakfast",
    "Gardens on the roofs of {}",
    "{} by night",
    "A festival in {}",
    "The clockmaker of {}",
    "Swimming in {}",
];

/// Sentences of running text.
pub const SENTENCES: &[&str] = &[
    "The first guests arrived before noon.",
    "Nobody had expected so many people.",
    "Work on the roof will take two weeks.",
    "It fits in a small bag and weighs very little.",
    "Prices include delivery.",
    "The colour may differ slightly from the picture.",
    "You can return it within thirty days.",
    "Tickets are sold at the door.",
    "Children under six travel free.",
    "The old station is now a cafe.",
    "A second opening is planned for spring.",
    "Made by hand from oak and brass.",
    "Please bring warm clothes.",
    "The battery lasts for a whole day.",
    "We answer most letters within a week.",
    "Seats are limited, so book early.",
    "The river rose again during the night.",
    "Breakfast is served until ten.",
    "Its lid closes with a soft click.",
    "The path is steep but well marked.",
    "All rooms look out on the garden.",
    "Wash it by hand in cold water.",
    "The council will decide next month.",
    "Two years of warranty are included.",
    "From here the road follows the coast.",
    "Most of the houses are painted blue.",
    "The shop closes at six on Saturdays.",
    "Every piece is numbered and signed.",
    "A map hangs beside the entrance.",
    "Volunteers repaired the fence in May.",
    "It stays warm for up to eight hours.",
    "Bread is baked twice a day.",
    "The exhibition ends in October.",
    "No tools are needed to put it together.",
    "Trains leave every twenty minutes.",
];

/// Labels of fields, each with values that fit it.
pub const FIELDS: &[(&str, &[&str])] = &[
    ("Name", NAMES),
    ("City", PLACES),
    (
        "Country",
        &[
            "Norway", "Chile", "Japan", "Kenya", "Ireland", "Peru", "Austria", "Canada",
        ],
    ),
    (
        "Email",
        &[
            "mail@example.org",
            "info@example.com",
            "office@example.net",
            "hello@example.org",
        ],
    ),
    (
        "Company",
        &[
            "Northwind",
            "Blue Harbor",
            "Pine & Co",
            "Atlas Works",
            "Redwood",
            "Lumen",
        ],
    ),
    (
        "Street",
        &[
            "12 Mill Lane",
            "7 Station Road",
            "48 High Street",
            "3 Park Avenue",
            "91 Oak Drive",
        ],
    ),
    (
        "Phone",
        &["555 0134", "555 0177", "555 0102", "555 0199", "555 0161"],
    ),
    ("Full name", NAMES),
    ("Destination", PLACES),
    (
        "Job title",
        &["Nurse", "Editor", "Welder", "Teacher", "Architect", "Pilot"],
    ),
    ("Birthplace", PLACES),
    ("Guests", &["1", "2", "3", "4", "5", "6"]),
    (
        "Message",
        &[
            "Call me on Monday",
            "Please ring twice",
            "No nuts, please",
            "See you soon",
        ],
    ),
    ("Membership", &["Basic", "Family", "Student", "Senior"]),
    ("Delivery", &["Standard", "Express", "Pick up in store"]),
];

/// Boxes to tick.
pub const CHOICES: &[&str] = &[
    "Remember me",
    "I agree to the terms",
    "Send me news",
    "Gift wrapping",
    "Use my location",
    "Keep me signed in",
    "Notify me by text",
    "Make this public",
    "Same billing address",
    "Dark mode",
];

/// What forms and lists are for.
pub const PURPOSES: &[&str] = &[
    "Create your account",
    "Contact us",
    "Book a table",
    "Newsletter",
    "Delivery address",
    "Sign in",
    "Your profile",
    "Report a problem",
    "Plan your trip",
    "Join the club",
    "Payment details",
    "Request a quote",
    "Settings",
    "Feedback",
    "Register",
];

/// Names of columns with numbers in them.
pub const MEASURES: &[&str] = &[
    "Visitors", "Sales", "Trains", "Hours", "Members", "Rainfall", "Score", "Orders", "Points",
    "Books", "Miles", "Users", "Trees", "Repairs", "Votes",
];

/// Links of menus.
pub const MENU: &[&str] = &[
    "Home", "Shop", "About", "Blog", "Help", "News", "Events", "Team", "Pricing", "Docs",
    "Gallery", "Careers", "Stores", "Support", "Recipes",
];

/// Names of firms.
pub const BRANDS: &[&str] = &[
    "Fernwood",
    "Halcyon",
    "Brightside",
    "Kestrel",
    "Tidewater",
    "Marlow",
    "Juniper",
    "Oakline",
    "Solstice",
    "Pepperfield",
    "Lantern",
    "Quarry",
    "Willowby",
    "Northgate",
    "Cinder",
];

/// The entries of a list that belong to a split; very short lists are shared.
pub fn of<T>(list: &[T], split: Split) -> impl Iterator<Item = &T> {
    let shared = list.len() < 5;
    let place = move |index: usize| shared || (index % 5 == 4) == (split == Split::Test);
    list.iter()
        .enumerate()
        .filter(move |(index, _)| place(*index))
        .map(|(_, entry)| entry)
}

/// One entry of a list, of those that belong to the split.
pub fn pick<'a, T>(list: &'a [T], split: Split, rng: &mut ChaCha8Rng) -> &'a T {
    let all: Vec<&T> = of(list, split).collect();
    all.choose(rng)
        .expect("every list has entries for both splits")
}

/// Several different entries, or all there are.
pub fn several<'a, T>(
    list: &'a [T],
    count: usize,
    split: Split,
    rng: &mut ChaCha8Rng,
) -> Vec<&'a T> {
    let all: Vec<&T> = of(list, split).collect();
    all.choose_multiple(rng, count).copied().collect()
}

/// A thing for sale, such as "Nordic lamp" or "Compact kettle K420".
pub fn product(split: Split, rng: &mut ChaCha8Rng) -> String {
    let mut one = |list: &[&str]| {
        let known: &&str = pick(list, split, rng);
        made_up::phrase(known, split, rng)
    };
    let (quality, thing, brand) = (one(QUALITIES), one(THINGS), one(BRANDS));
    match rng.random_range(0..10) {
        0 => format!(
            "{quality} {thing} {}{}",
            rng.random_range('A'..='Z'),
            rng.random_range(10..990)
        ),
        1..4 => upper(&format!("{quality} {thing}")),
        4 => upper(&format!("{} {thing}", brand)),
        _ => format!("{quality} {thing}"),
    }
}

/// A headline about a place.
pub fn headline(split: Split, rng: &mut ChaCha8Rng) -> String {
    let mut one = |list: &[&str]| {
        let known: &&str = pick(list, split, rng);
        made_up::phrase(known, split, rng)
    };
    let (headline, place) = (one(HEADLINES), one(PLACES));
    headline.replace("{}", &place)
}

/// Some sentences of running text.
pub fn sentences(count: usize, split: Split, rng: &mut ChaCha8Rng) -> String {
    let chosen = several(SENTENCES, count, split, rng);
    chosen.into_iter().copied().collect::<Vec<_>>().join(" ")
}

fn upper(text: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    };
    text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_entry_is_in_both_splits_and_each_has_some() {
        for list in [
            THINGS, QUALITIES, NAMES, PLACES, BUTTONS, HEADLINES, SENTENCES, CHOICES, PURPOSES,
            MEASURES, MENU, BRANDS,
        ] {
            let (train, test): (BTreeSet<_>, BTreeSet<_>) = (
                of(list, Split::Train).collect(),
                of(list, Split::Test).collect(),
            );
            assert!(train.is_disjoint(&test) && !test.is_empty());
            assert_eq!(
                train.len() + test.len(),
                list.len(),
                "an entry stands twice"
            );
        }
        for (label, values) in FIELDS {
            assert!(of(values, Split::Train).count() > 0, "{label}");
        }
    }
}
