//! Thirty people paste one line at the same moment: real nodes, on a machine with nothing but loopback. All are in, all have
//! every word once, and who started the room carries no more of it than others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{SOON, Side};
use parlor_testkit::netns::Namespace;

const PEOPLE: usize = 30;

#[test]
fn thirty_who_join_at_once_are_all_in_and_all_have_everything_once() {
    let host = Namespace::new("storm").unwrap();
    let side = |name: String| {
        let mut side = Side::new(&name);
        side.parlor.set_host(&host);
        side
    };
    let starter = side("alice".into());
    let ticket = starter.start("payments");
    let others: Vec<Side> = (1..PEOPLE).map(|n| side(format!("guest{n}"))).collect();
    std::thread::scope(|scope| {
        for other in &others {
            scope.spawn(|| other.join(&ticket));
        }
    });
    for (n, other) in others.iter().enumerate() {
        other.send(&format!("guest {n} is in"));
    }
    let everything = |out: &str| out.lines().count() >= PEOPLE - 1;
    let followers: Vec<_> = others.iter().chain([&starter]).map(Side::follow).collect();
    for follower in followers {
        follower.wait_for_stdout(everything, SOON * 3).unwrap();
    }
    let ids = |side: &Side| -> Vec<String> {
        side.log().iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
    };
    let order = ids(&starter);
    assert_eq!(order.len(), PEOPLE - 1, "once");
    for other in &others {
        assert_eq!(ids(other), order, "the same, in the same order");
        assert_eq!(other.parlor.json_lines(["who"]).unwrap().len(), PEOPLE);
    }
}
