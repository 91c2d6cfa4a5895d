//! `parlor nick`: what this identity calls itself.

use parlor_api::{Reply, Request};

use super::Context;
use crate::errors::{Failure, Outcome};

pub fn run(context: &Context, new: Option<String>) -> Outcome {
    let Reply::Identity(identity) = context.ask(&Request::Nick { set: new })? else {
        return Err(Failure::unexpected_reply());
    };
    context.out.answer(&identity, || vec![identity.nick.clone()])
}
