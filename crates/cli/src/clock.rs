//! Times as people write and read them, and whether this machine's clock can be right. Must not decide anything by
//! time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// No Parlor existed before: a clock that says so has lost its battery.
const EARLIEST: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Now, in milliseconds since 1970; 0 before.
pub fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// The day it is here, for names of files.
pub fn today() -> String {
    Zoned::now().strftime("%Y-%m-%d").to_string()
}

/// What is wrong with this machine's clock, if that can be seen at all.
pub fn complaint() -> Option<String> {
    complaint_at(Timestamp::now())
}

fn complaint_at(now: Timestamp) -> Option<String> {
    (now < EARLIEST).then(|| {
        format!(
            "this machine's clock says {}: messages are kept and delivered, but carry that time until it is set",
            now.strftime("%Y-%m-%d")
        )
    })
}

/// Reads how far back to go: a duration (`2h`), a date, or an RFC 3339 time.
pub fn since_ms(text: &str) -> Result<u64, String> {
    since_at(text, &Zoned::now())
}

fn since_at(text: &str, now: &Zoned) -> Result<u64, String> {
    let millisecond = |time: Timestamp| u64::try_from(time.as_millisecond()).unwrap_or(0);
    if let Ok(duration) = humantime::parse_duration(text) {
        let back = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        return Ok(millisecond(now.timestamp()).saturating_sub(back));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(millisecond(time));
    }
    let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-21".len());
    let midnight = date.and_then(|date| date.to_zoned(now.time_zone().clone()).ok());
    midnight.map(|midnight| millisecond(midnight.timestamp())).ok_or_else(|| {
        "give a duration (2h, 3d), a date (2026-11-21) or a time (2026-11-21T14:05:00Z)".into()
    })
}

/// A time in the reader's own zone, the date only when it is not today's.
pub fn stamp(time_ms: u64) -> String {
    stamp_at(time_ms, &Zoned::now())
}

fn stamp_at(time_ms: u64, now: &Zoned) -> String {
    let Some(time) = i64::try_from(time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()) else {
        return "?".into();
    };
    let time = time.to_zoned(now.time_zone().clone());
    let format = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// The same for a time as the node writes it.
pub fn stamp_of(rfc3339: &str) -> String {
    let time = rfc3339.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_millisecond()).ok());
    time.map_or_else(|| rfc3339.to_owned(), stamp)
}

/// A moment with its zone, for promises that cross zones: until when a ticket is good.
pub fn until(rfc3339: &str) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-21T14:05:00[UTC]".parse().unwrap()
    }

    #[test]
    fn since_is_a_duration_a_date_or_a_time() {
        let at = |text: &str| since_at(text, &now()).unwrap();
        let hour = 3_600_000;
        assert_eq!(at("2h"), u64::try_from(now().timestamp().as_millisecond()).unwrap() - 2 * hour);
        assert_eq!(at("2026-11-21"), at("2026-11-21T00:00:00Z"));
        assert_eq!(at("2026-11-21T02:00:00+01:00"), at("2026-11-21T01:00:00Z"));
        assert_eq!(at("9000years"), 0);
        for wrong in ["", "yesterday", "2026-13-01", "14:05", "-2h"] {
            assert!(since_at(wrong, &now()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_date_is_shown_only_when_it_is_another_day() {
        let at = |text: &str| stamp_at(since_at(text, &now()).unwrap(), &now());
        assert_eq!(at("2026-11-21T09:03:59Z"), "09:03");
        assert_eq!(at("2026-11-20T23:59:00Z"), "2026-11-20 23:59");
        assert_eq!(stamp_at(u64::MAX, &now()), "?");
    }

    #[test]
    fn a_clock_before_parlor_is_noticed() {
        assert!(complaint_at(Timestamp::UNIX_EPOCH).unwrap().contains("1970-01-01"));
        assert_eq!(complaint_at(now().timestamp()), None);
    }
}
