//! Time stamps as people and programs read them, always in UTC.
//!
//! A stamp is whatever its author's clock said, so every value is possible: nothing here may panic,
//! and nothing here may decide anything by a stamp.

use jiff::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// A stamp in the range that can be shown: from 1970 to the last day of the year 9999.
fn shown(time_ms: impl Into<i128>) -> Timestamp {
    let last_ms = Timestamp::MAX.as_millisecond();
    let time_ms = i64::try_from(time_ms.into().clamp(0, i128::from(last_ms))).unwrap_or(last_ms);
    Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::MAX)
}

/// `14:05Z` when the stamp lies in the same UTC day as `now_ms`, `2026-11-20 14:05Z` otherwise.
#[must_use]
pub fn for_people(time_ms: impl Into<i128>, now_ms: impl Into<i128>) -> String {
    let (time, now) = (shown(time_ms), shown(now_ms));
    let same_day = time.as_millisecond() / DAY_MS == now.as_millisecond() / DAY_MS;
    let format = if same_day { "%H:%MZ" } else { "%Y-%m-%d %H:%MZ" };
    time.strftime(format).to_string()
}

/// RFC 3339 with milliseconds, for JSON: `2026-11-20T14:05:09.123Z`.
#[must_use]
pub fn rfc3339(time_ms: impl Into<i128>) -> String {
    format!("{:.3}", shown(time_ms))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON_MS: u64 = 1_795_176_309_123; // 2026-11-20T12:05:09.123Z

    #[test]
    fn today_has_no_date_and_other_days_have_one() {
        assert_eq!(for_people(NOON_MS, NOON_MS), "12:05Z");
        assert_eq!(for_people(NOON_MS, NOON_MS + 11 * 3_600_000), "12:05Z");
        assert_eq!(for_people(NOON_MS, NOON_MS + 12 * 3_600_000), "2026-11-20 12:05Z");
        assert_eq!(for_people(NOON_MS, NOON_MS - 13 * 3_600_000), "2026-11-20 12:05Z");
    }

    #[test]
    fn json_gets_milliseconds_always() {
        assert_eq!(rfc3339(NOON_MS), "2026-11-20T12:05:09.123Z");
        assert_eq!(rfc3339(NOON_MS - 123), "2026-11-20T12:05:09.000Z");
    }

    #[test]
    fn impossible_stamps_are_clamped() {
        for early in [i64::MIN, -1, 0] {
            assert_eq!(for_people(early, NOON_MS), "1970-01-01 00:00Z");
            assert_eq!(rfc3339(early), "1970-01-01T00:00:00.000Z");
        }
        for late in [u64::MAX, (-1_i64).cast_unsigned(), 253_402_300_800_000] {
            assert_eq!(for_people(late, NOON_MS), "9999-12-30 22:00Z");
            assert!(rfc3339(late).starts_with("9999-12-30T"));
        }
    }

    proptest! {
        #[test]
        fn every_stamp_has_one_of_two_shapes(time_ms: u64, now_ms: u64) {
            let text = for_people(time_ms, now_ms);
            prop_assert!(text.len() == "14:05Z".len() || text.len() == "2026-11-20 14:05Z".len());
            prop_assert_eq!(rfc3339(time_ms).len(), "2026-11-20T14:05:09.123Z".len());
        }
    }
}
