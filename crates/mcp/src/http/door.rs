//! Who is let in, and what they find: the token comes first, then the library's checks of `Host` and `Origin`, so that a
//! page in a browser gets nothing, whatever names it goes by. Must not read a body before it knows the token.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::exchange::{Exchange, Written};
use super::sessions::Sessions;
use super::{PATH, Token};
use crate::in_flight::InFlight;
use crate::node_link::NodeLinks;
use crate::server::Server;

/// The longest message and what JSON makes of it; more does not fit the node's socket either.
const BODY_BYTES_MAX: usize = 2 << 20;
const SCHEME: &str = "bearer ";

/// The door.
pub(super) struct Door {
    service: StreamableHttpService<Server, Sessions>,
    token: Token,
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

impl Door {
    pub(super) fn new(links: NodeLinks, token: Token, port: u16, stopping: CancellationToken) -> Self {
        let names = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
        let origins = names.clone().map(|name| format!("http://{name}"));
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(names)
            .with_allowed_origins(origins)
            .with_json_response(true)
            .with_max_request_body_bytes(BODY_BYTES_MAX)
            .with_cancellation_token(stopping);
        let make = move || Ok(Server::new(links.link(), Arc::new(InFlight::default())));
        Self { service: StreamableHttpService::new(make, Arc::new(Sessions::new()), config), token }
    }

    /// Answers one request that came over the connection `written` is about.
    pub(super) async fn answer<B>(&self, request: Request<B>, written: Arc<Written>) -> Answer
    where
        B: Body + Send + 'static,
        B::Error: std::fmt::Display,
    {
        let mut answer = self.let_in(request, written).await;
        // What was refused was perhaps not read to its end, and then nothing can follow it: that has to be said.
        if answer.status().is_client_error() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn let_in<B>(&self, mut request: Request<B>, written: Arc<Written>) -> Answer
    where
        B: Body + Send + 'static,
        B::Error: std::fmt::Display,
    {
        if request.uri().path() != PATH {
            return refusal(StatusCode::NOT_FOUND, "MCP is spoken at /mcp\n");
        }
        if !self.knows(request.headers()) {
            let mut answer = refusal(
                StatusCode::UNAUTHORIZED,
                "show the token that `parlor mcp --http` printed: `Authorization: Bearer TOKEN`\n",
            );
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        written.let_in();
        let exchange = Exchange::new(written);
        request.extensions_mut().insert(exchange.clone());
        self.service.handle(request).await.map(|body| exchange.watch(body).boxed())
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        // Two of them mean that two programs disagree about who asks.
        let (Some(one), None) = (shown.next(), shown.next()) else { return false };
        let Ok(text) = one.to_str() else { return false };
        let Some((scheme, token)) = text.split_at_checked(SCHEME.len()) else { return false };
        scheme.eq_ignore_ascii_case(SCHEME) && self.token.is(token.trim())
    }
}

fn refusal(status: StatusCode, words: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(words.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
