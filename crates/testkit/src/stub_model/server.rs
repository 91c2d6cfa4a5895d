//! The HTTP side of the stub: one thread, loopback only, every body bounded.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::dialect::{self, Dialect};
use super::{MAX_BODY_BYTES, Reply, Request, Shared};
use crate::{Error, Result};

/// Serves `listener` from a thread of its own until `stopped` is dropped.
pub(super) fn start(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) -> Result<()> {
    let failed = Error::file("cannot serve", "the stub model");
    let prepare = || {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) })?;
        Ok((runtime, listener))
    };
    let (runtime, listener) = prepare().map_err(failed)?;
    let app =
        axum::Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(shared);
    std::thread::spawn(move || {
        runtime.block_on(async {
            let serve = std::pin::pin!(axum::serve(listener, app).into_future());
            futures_util::future::select(serve, stopped).await;
        });
        // A scripted answer may still block; nobody will read it.
        runtime.shutdown_background();
    });
    Ok(())
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = |name: &header::HeaderName| name.as_str().to_owned();
    let mut request = Request {
        number: 0,
        arrived: Instant::now(),
        method: method.to_string(),
        path: uri.path().to_owned(),
        headers: headers
            .iter()
            .map(|(n, v)| (name(n), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    shared.record(&mut request);
    let Some(dialect) = dialect::of(&request.method, &request.path) else {
        return json_response(StatusCode::OK, &harmless(&request));
    };
    let asked = (request.path.clone(), request.body.clone());
    // A scripted answer may block, and other sessions must be served meanwhile.
    match tokio::task::spawn_blocking(move || shared.reply(&request)).await {
        Ok(reply) => reply_response(dialect, &reply, &asked),
        Err(panicked) => {
            let why = format!("the script of the stub panicked: {panicked}");
            error_response(500, &dialect.error(500, "api_error", &why))
        }
    }
}

fn reply_response(dialect: &dyn Dialect, reply: &Reply, (path, body): &(String, Value)) -> Response {
    if let Reply::Failure { status, kind } = reply {
        return error_response(*status, &dialect.error(*status, kind, "scripted by the test"));
    }
    if !dialect.streams(path, body) {
        return json_response(StatusCode::OK, &dialect.whole(reply, body));
    }
    let events = dialect.events(reply, body).into_iter().map(Ok::<_, Infallible>);
    let stream = Body::from_stream(futures_util::stream::iter(events));
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], stream)
        .into_response()
}

/// What is answered to anything but a turn of the model.
fn harmless(request: &Request) -> Value {
    if request.path.ends_with("/count_tokens") {
        return json!({"input_tokens": 10});
    }
    if request.path.ends_with("/v1/models") {
        let model = json!({
            "type": "model", "id": "claude-stub", "display_name": "Stub", "created_at": "2026-01-01T00:00:00Z",
        });
        return json!({"data": [model], "has_more": false, "first_id": "claude-stub", "last_id": "claude-stub"});
    }
    json!({})
}

fn error_response(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_response(status, body)
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
