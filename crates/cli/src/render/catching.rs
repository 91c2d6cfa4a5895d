//! How far a room's catch-up is, in words. Pure, like all of `render`.

use parlor_api::Room;

/// `41,200 of about 100,000 messages`; none of a room that is level. About, because not every entry is a message.
pub fn shown(room: &Room) -> Option<String> {
    let about = room.messages.saturating_add(room.missing);
    (room.missing > 0).then(|| format!("{} of about {} messages", grouped(room.messages), grouped(about)))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::render;

    #[test]
    fn a_catch_up_says_how_far_it_is_and_a_level_room_nothing() {
        let room = |messages, missing| Room { messages, missing, ..render::tests::room() };
        assert_eq!(shown(&room(41_200, 58_800)).unwrap(), "41,200 of about 100,000 messages");
        assert_eq!(shown(&room(0, 999)).unwrap(), "0 of about 999 messages");
        assert_eq!(shown(&room(7, 0)), None);
        assert!(shown(&room(1, u64::MAX)).is_some(), "a liar's number breaks nothing");
        let lines = render::room(&room(41_200, 58_800)).join("\n");
        assert!(lines.contains("41,200 of about 100,000"), "{lines}");
        assert!(!render::room(&room(7, 0)).join("\n").contains("catching up"));
    }
}
