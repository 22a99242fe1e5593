//! Prices, written in the usual ways.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A currency, for one page: sign, whether it goes before, and what parts the cents.
#[derive(Debug, Clone, Copy)]
pub struct Currency(&'static str, bool, char);

/// One of the usual ones.
pub fn currency(rng: &mut ChaCha8Rng) -> Currency {
    const ALL: &[Currency] = &[
        Currency("$", true, '.'),
        Currency("$", true, '.'),
        Currency("€", true, '.'),
        Currency(" €", false, ','),
        Currency("£", true, '.'),
        Currency(" kr", false, ','),
        Currency("CHF ", true, '.'),
    ];
    *ALL.choose(rng).expect("there are some")
}

impl Currency {
    /// An amount of cents as it is written.
    pub fn write(self, cents: u32) -> String {
        let Self(sign, before, part) = self;
        let amount = match cents % 100 {
            0 if cents.is_multiple_of(500) => format!("{}", cents / 100),
            rest => format!("{}{part}{rest:02}", cents / 100),
        };
        if before {
            format!("{sign}{amount}")
        } else {
            format!("{amount}{sign}")
        }
    }
}

/// A price in cents, the way prices are.
pub fn price(rng: &mut ChaCha8Rng) -> u32 {
    let whole = match rng.random_range(0..4) {
        0 => rng.random_range(1..20),
        1 => rng.random_range(20..100),
        2 => rng.random_range(100..1000),
        _ => rng.random_range(5..300),
    };
    let cents = *[0, 0, 50, 90, 95, 99, 99, rng.random_range(1..100)]
        .choose(rng)
        .expect("there are some");
    whole * 100 + cents
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn amounts_are_written_as_people_do() {
        assert_eq!(Currency("$", true, '.').write(1999), "$19.99");
        assert_eq!(Currency(" €", false, ',').write(2005), "20,05 €");
        assert_eq!(Currency("£", true, '.').write(2500), "£25");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!((0..1000).all(|_| (100..100_100).contains(&price(&mut rng))));
    }
}
