//! Numbers as people write them.

/// Three or four significant digits with a prefix: 1.834 T, 61.4 k, 812.
pub fn short(value: f64) -> String {
    let units = [
        (1e15, " P"),
        (1e12, " T"),
        (1e9, " B"),
        (1e6, " M"),
        (1e3, " k"),
    ];
    let scaled = units.iter().find(|(size, _)| value.abs() >= 0.9995 * size);
    let (value, unit) = scaled.map_or((value, ""), |(size, unit)| (value / size, *unit));
    format!("{}{unit}", digits(value))
}

/// A number with about four significant digits.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    let text = if size != 0.0 && size < 1e-3 || size >= 1e7 {
        return format!("{value:.3e}");
    } else if size < 0.1 {
        format!("{value:.4}")
    } else if size < 10.0 {
        format!("{value:.3}")
    } else if size < 100.0 {
        format!("{value:.2}")
    } else if size < 1000.0 {
        format!("{value:.1}")
    } else {
        return thousands(value);
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// A whole number with its thousands apart: 24,960.
pub fn thousands(value: f64) -> String {
    let text = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 {
        out.insert(0, '-');
    }
    out
}

/// Dollars: $63.0 M, $0.0049.
pub fn dollars(value: f64) -> String {
    if value >= 1e6 {
        format!("${:.1} M", value / 1e6)
    } else if value >= 1000.0 {
        format!("${}", thousands(value))
    } else if value >= 1.0 {
        format!("${value:.2}")
    } else {
        format!("${}", digits(value))
    }
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(short(1_833_700_624_896.0), "1.834 T");
        assert_eq!(short(61_440.0), "61.44 k");
        assert_eq!(short(999.9e9), "1 T");
        assert_eq!(digits(2.184e25), "2.184e25");
        assert_eq!(digits(0.0049), "0.0049");
        assert_eq!(thousands(24960.0), "24,960");
        assert_eq!(dollars(63e6), "$63.0 M");
        assert_eq!(dollars(0.0049), "$0.0049");
        assert_eq!(percent(0.354), "35.4 %");
    }
}
