//! `strftime_now`: today's date for templates that tell it to the model.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Formats `now`, in UTC, by C's conversions and flags, as Python on Linux does for a time that
/// names no zone: `%Z` and `%z` are empty.
///
/// transformers uses the local zone; a library that reads no file does not know it. Errors if
/// there is no such conversion.
pub(super) fn strftime(format: &str, now: SystemTime) -> Result<String, Error> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    written(format, &Moment::of(since))
}

/// A time of a day.
struct Moment {
    since: Duration,
    year: u64,
    month: u64,
    day: u64,
    /// Days since Sunday.
    weekday: u64,
    /// Days since the first of January.
    day_of_year: u64,
    hour: u64,
}

impl Moment {
    fn of(since: Duration) -> Self {
        let seconds = since.as_secs();
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        Self {
            since,
            year,
            month,
            day,
            weekday: (days + 4) % 7,
            day_of_year: days - days_before(year),
            hour: seconds % 86_400 / 3600,
        }
    }

    /// The week that ISO 8601 counts the day in, and its year.
    fn iso_week(&self) -> (u64, u64) {
        let monday_first = (self.weekday + 6) % 7;
        // The Thursday of a week decides which year it belongs to.
        let thursday = days_before(self.year) + self.day_of_year + 3 - monday_first;
        let (year, ..) = civil(thursday);
        (year, (thursday - days_before(year)) / 7 + 1)
    }
}

/// A number as a conversion writes it: how wide, and what fills it up.
fn number(flag: Option<char>, fill: char, width: usize, number: u64) -> String {
    let fill = match flag {
        Some('-') => return number.to_string(),
        Some('_') => ' ',
        Some('0') => '0',
        _ => fill,
    };
    match fill {
        '0' => format!("{number:0width$}"),
        _ => format!("{number:width$}"),
    }
}

fn written(format: &str, at: &Moment) -> Result<String, Error> {
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let mut conversion = letters.next();
        let flag = conversion.filter(|flag| "-_0^#".contains(*flag));
        if flag.is_some() {
            conversion = letters.next();
        }
        // What other calendars and digits a language may have; C has none.
        if let Some('E' | 'O') = conversion {
            conversion = letters.next();
        }
        let found = conversion.and_then(|conversion| converted(conversion, flag, at).transpose());
        let Some(found) = found.transpose()? else {
            let other = conversion.map_or(String::new(), String::from);
            let reason = format!("strftime_now: unknown conversion %{other}");
            return Err(Error::new(ErrorKind::InvalidOperation, reason));
        };
        text.push_str(&match (flag, conversion) {
            (Some('#'), Some('p')) => found.to_lowercase(),
            (Some('^' | '#'), _) => found.to_uppercase(),
            _ => found,
        });
    }
    Ok(text)
}

/// What one conversion writes; nothing if there is no such conversion.
fn converted(conversion: char, flag: Option<char>, at: &Moment) -> Result<Option<String>, Error> {
    let seconds = at.since.as_secs();
    let month = MONTHS[at.month as usize - 1];
    let day = DAYS[at.weekday as usize];
    let two = |value| number(flag, '0', 2, value);
    let spaced = |value| number(flag, ' ', 2, value);
    let hour_of_twelve = (at.hour + 11) % 12 + 1;
    let half = if at.hour < 12 { "AM" } else { "PM" };
    let others = |format| written(format, at).map(Some);
    Ok(Some(match conversion {
        'Y' => at.year.to_string(),
        'C' => two(at.year / 100),
        'y' => two(at.year % 100),
        'm' => two(at.month),
        'd' => two(at.day),
        'e' => spaced(at.day),
        'b' | 'h' => month[..3].into(),
        'B' => month.into(),
        'a' => day[..3].into(),
        'A' => day.into(),
        'j' => number(flag, '0', 3, at.day_of_year + 1),
        'H' => two(at.hour),
        'I' => two(hour_of_twelve),
        'k' => spaced(at.hour),
        'l' => spaced(hour_of_twelve),
        'M' => two(seconds / 60 % 60),
        'S' => two(seconds % 60),
        'f' => format!("{:06}", at.since.subsec_micros()),
        's' => seconds.to_string(),
        'p' => half.into(),
        'P' => half.to_lowercase(),
        'u' => ((at.weekday + 6) % 7 + 1).to_string(),
        'w' => at.weekday.to_string(),
        'U' => two((at.day_of_year + 7 - at.weekday) / 7),
        'W' => two((at.day_of_year + 7 - (at.weekday + 6) % 7) / 7),
        'V' => two(at.iso_week().1),
        'G' => at.iso_week().0.to_string(),
        'g' => two(at.iso_week().0 % 100),
        'D' | 'x' => return others("%m/%d/%y"),
        'F' => return others("%Y-%m-%d"),
        'T' | 'X' => return others("%H:%M:%S"),
        'R' => return others("%H:%M"),
        'r' => return others("%I:%M:%S %p"),
        'c' => return others("%a %b %e %H:%M:%S %Y"),
        'z' | 'Z' => String::new(),
        'n' => "\n".into(),
        't' => "\t".into(),
        '%' => "%".into(),
        _ => return Ok(None),
    }))
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
        let more = |seconds: f64| {
            let format = "%F|%T|%D|%R|%r|%c|%x|%X|%h|%C|%u|%w|%U|%W|%V|%G|%g|%k|%l|%P|%s|%f|%-m|%_d|%^a|%#p|%Ey|%Od|%-I|%Z|%z|%n|%t";
            strftime(format, UNIX_EPOCH + Duration::from_secs_f64(seconds)).unwrap()
        };
        // As Python 3.11 tells them on Linux.
        assert_eq!(
            more(951_827_696.0),
            "2000-02-29|12:34:56|02/29/00|12:34|12:34:56 PM|Tue Feb 29 12:34:56 2000|02/29/00|12:34:56|Feb|20|2|2|09|09|09|2000|00|12|12|pm|951827696|000000|2|29|TUE|pm|00|29|12|||\n|\t"
        );
        assert_eq!(
            more(1_735_689_599.0),
            "2024-12-31|23:59:59|12/31/24|23:59|11:59:59 PM|Tue Dec 31 23:59:59 2024|12/31/24|23:59:59|Dec|20|2|2|52|53|01|2025|25|23|11|pm|1735689599|000000|12|31|TUE|pm|24|31|11|||\n|\t"
        );
        assert_eq!(
            more(1_104_537_600.25),
            "2005-01-01|00:00:00|01/01/05|00:00|12:00:00 AM|Sat Jan  1 00:00:00 2005|01/01/05|00:00:00|Jan|20|6|6|00|00|53|2004|04| 0|12|am|1104537600|250000|1| 1|SAT|am|05|01|12|||\n|\t"
        );
        assert!(strftime("%Q", UNIX_EPOCH).is_err());
        assert!(strftime("%", UNIX_EPOCH).is_err());
    }
}
