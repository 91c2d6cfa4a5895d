//! Any bytes as a control entry: decoding never panics, and what is taken is the one form of itself.

use parlor_wire::Control;
use parlor_wire::control::{ControlBody, ControlError};
use parlor_wire::roster::{Dag, Freeze, Insert, Roster, freezes};

/// One input.
pub fn run(bytes: &[u8]) {
    let strict = Control::decode(bytes);
    let trusted = Control::decode_trusted(bytes);
    match (&strict, &trusted) {
        (Ok(strict), Ok(trusted)) => assert_eq!(strict, trusted),
        (Ok(_), Err(error)) => panic!("taken when checked, refused when trusted: {error}"),
        _ => {}
    }
    if let Ok(control) = trusted {
        assert_eq!(control.encode(), bytes, "one value, one form");
        assert_eq!(control.id, control.header.id());
        if let ControlBody::Admit(admit) = &control.body {
            assert!(
                admit.asked().is_some() && admit.request.room() == control.room(),
                "one request of its room"
            );
            assert_eq!(Control::decode_trusted(&admit.request.encode()).as_ref(), Ok(&*admit.request));
        }
        let mut dag = Dag::new(control.room());
        let known = matches!(dag.insert(control.clone()), Insert::In(_));
        assert_eq!(known, control.header.after.is_empty(), "a room begins with what opens it");
        Roster::fold(&dag);
    }
    if let Err(error) = strict
        && error.freezes()
    {
        let empty = Dag::new(parlor_wire::RoomId([0; 32]));
        assert_ne!(freezes(&empty, &Roster::default(), bytes), Freeze::Room, "nobody is a member of nothing");
        assert!(!matches!(error, ControlError::Signature));
    }
}
