//! How long ago something was, in words people read. Must not read a clock.

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// `40 s ago`, `5 min ago`, `2 h ago`, `3 d ago`; never more than it was.
pub fn ago(seconds: u64) -> String {
    let (number, unit) = match seconds {
        ..MINUTE_S => (seconds, "s"),
        MINUTE_S..HOUR_S => (seconds / MINUTE_S, "min"),
        HOUR_S..DAY_S => (seconds / HOUR_S, "h"),
        DAY_S.. => (seconds / DAY_S, "d"),
    };
    format!("{number} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_the_largest_unit_that_is_whole() {
        let said = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 864_000].map(ago);
        let wanted =
            ["0 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "23 h ago", "1 d ago", "10 d ago"];
        assert_eq!(said, wanted);
    }
}
