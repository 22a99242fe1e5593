//! What countries are called as well, beside the names of the package of flags.

/// By code, as people say and write it.
#[rustfmt::skip]
const ALSO: &[(&str, &[&str])] = &[
    ("ae", &["Emirates", "the Emirates", "UAE", "the United Arab Emirates"]),
    ("ba", &["Bosnia", "Bosnia-Herzegovina"]),
    ("bn", &["Brunei"]), ("bo", &["Bolivia"]), ("bs", &["the Bahamas"]),
    ("cd", &["Congo-Kinshasa", "DR Congo", "the Democratic Republic of the Congo", "Democratic Republic of the Congo"]),
    ("cf", &["the Central African Republic", "Central Africa"]),
    ("cg", &["Congo-Brazzaville", "Congo", "the Republic of the Congo", "Republic of the Congo"]),
    ("ci", &["Ivory Coast", "Cote d'Ivoire", "Côte d'Ivoire"]),
    ("cn", &["the People's Republic of China", "PRC"]),
    ("cv", &["Cape Verde", "Cabo Verde"]), ("cz", &["Czechia", "Czech Republic", "the Czech Republic"]),
    ("de", &["Federal Republic of Germany"]), ("do", &["the Dominican Republic"]),
    ("fk", &["Falklands", "Falkland Islands", "the Falkland Islands"]),
    ("fm", &["Micronesia", "Federated States of Micronesia"]),
    ("gb", &["UK", "the UK", "Great Britain", "Britain", "the United Kingdom"]),
    ("gm", &["The Gambia", "the Gambia"]), ("gr", &["Hellas"]),
    ("ie", &["Republic of Ireland", "Eire"]), ("ir", &["Iran", "Islamic Republic of Iran"]),
    ("km", &["the Comoros"]),
    ("kn", &["St Kitts and Nevis", "Saint Kitts and Nevis"]),
    ("kp", &["North Korea", "DPRK"]), ("kr", &["South Korea", "Korea", "Republic of Korea"]),
    ("la", &["Laos"]), ("lc", &["St Lucia", "Saint Lucia"]), ("ly", &["Libya"]),
    ("md", &["Moldova"]), ("mh", &["the Marshall Islands"]),
    ("mk", &["North Macedonia", "Macedonia"]), ("mm", &["Myanmar", "Burma"]), ("mv", &["the Maldives"]),
    ("nl", &["the Netherlands", "Holland"]), ("nz", &["Aotearoa"]),
    ("ph", &["the Philippines"]), ("ps", &["Palestine", "State of Palestine"]),
    ("ru", &["Russia", "Russian Federation", "the Russian Federation"]),
    ("sb", &["the Solomon Islands"]), ("sc", &["the Seychelles"]),
    ("st", &["São Tomé and Príncipe", "Sao Tome and Principe"]),
    ("sy", &["Syria"]), ("sz", &["Eswatini", "Swaziland"]),
    ("tl", &["East Timor", "Timor-Leste"]), ("tr", &["Türkiye", "Turkiye", "Turkey"]),
    ("tt", &["Trinidad"]), ("tw", &["Taiwan", "Republic of China"]),
    ("tz", &["Tanzania"]),
    ("us", &["USA", "the USA", "US", "United States", "the United States", "the United States of America", "America"]),
    ("va", &["Vatican", "the Vatican", "Vatican City", "Holy See"]),
    ("vc", &["St Vincent and the Grenadines", "Saint Vincent and the Grenadines"]),
    ("ve", &["Venezuela"]), ("vn", &["Vietnam", "Viet Nam"]), ("ws", &["Western Samoa"]),
];

/// Other names of the country with that code.
pub fn also(code: &str) -> Vec<String> {
    let row = ALSO.iter().find(|(of, _)| *of == code);
    let names = row.into_iter().flat_map(|(_, names)| names.iter());
    names.map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_countries_have_one_name() {
        let names: Vec<&str> = ALSO
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let different: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len());
        assert!(also("nl").contains(&"Holland".to_owned()) && also("xx").is_empty());
    }
}
