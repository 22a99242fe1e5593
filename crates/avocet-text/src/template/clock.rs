//! `strftime_now`: today's date for templates that tell it to the model.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

/// The months of the year.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Formats `now`, in UTC, by C's conversions.
///
/// transformers uses the local zone; a library that reads no file does not know it. Errors if a
/// conversion is not one of `%Y %y %m %d %e %b %B %a %A %j %H %I %M %S %p %%` (or without zeros,
/// as in `%-d`).
pub(super) fn strftime(format: &str, now: SystemTime) -> Result<String, Error> {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let weekday = DAYS[((days + 3) % 7) as usize];
    let name = MONTHS[month as usize - 1];
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let mut conversion = letters.next();
        let padded = conversion != Some('-');
        if !padded {
            conversion = letters.next();
        }
        let two = |number: u64| match padded {
            true => format!("{number:02}"),
            false => number.to_string(),
        };
        text.push_str(&match conversion {
            Some('Y') => year.to_string(),
            Some('y') => two(year % 100),
            Some('m') => two(month),
            Some('d') => two(day),
            Some('e') => format!("{day:2}"),
            Some('b') => name[..3].into(),
            Some('B') => name.into(),
            Some('a') => weekday[..3].into(),
            Some('A') => weekday.into(),
            Some('j') => format!("{:03}", days - days_before(year) + 1),
            Some('H') => two(hour),
            Some('I') => two((hour + 11) % 12 + 1),
            Some('M') => two(minute),
            Some('S') => two(second % 60),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.into(),
            Some('%') => "%".into(),
            other => {
                let other = other.map_or(String::new(), String::from);
                let reason = format!("strftime_now: unknown conversion %{other}");
                return Err(Error::new(ErrorKind::InvalidOperation, reason));
            }
        });
    }
    Ok(text)
}

/// Days from 1970 to the first of `year`.
fn days_before(year: u64) -> u64 {
    let past = year - 1;
    (past * 365 + past / 4 - past / 100 + past / 400) - 719_162
}

/// Year, month and day of the Gregorian calendar, from days since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    // The average year never counts too few days, so this guess is this year or the next.
    let mut year = 1970 + days * 400 / 146_097;
    while days_before(year) > days {
        year -= 1;
    }
    while days_before(year + 1) <= days {
        year += 1;
    }
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [
        31,
        28 + u64::from(leap),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut day = days - days_before(year);
    for (length, month) in lengths.into_iter().zip(1..) {
        if day < length {
            return (year, month, day + 1);
        }
        day -= length;
    }
    (year, 12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_the_calendars() {
        let at = |seconds: u64| {
            let format = "%Y-%m-%d %a %A %j %H:%M:%S %d %b %Y %-d %B %I%p %y%%";
            strftime(format, UNIX_EPOCH + Duration::from_secs(seconds)).unwrap()
        };
        assert_eq!(
            at(0),
            "1970-01-01 Thu Thursday 001 00:00:00 01 Jan 1970 1 January 12AM 70%"
        );
        assert_eq!(
            at(951_827_696),
            "2000-02-29 Tue Tuesday 060 12:34:56 29 Feb 2000 29 February 12PM 00%"
        );
        assert_eq!(
            at(1_735_689_599),
            "2024-12-31 Tue Tuesday 366 23:59:59 31 Dec 2024 31 December 11PM 24%"
        );
        assert!(strftime("%Q", UNIX_EPOCH).is_err());
        assert!(strftime("%", UNIX_EPOCH).is_err());
    }
}
