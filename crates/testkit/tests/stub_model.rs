//! The stub model as a server: what it answers, records and refuses, asked by `curl`-like plain HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use parlor_testkit::stub_model::{MAX_BODY_BYTES, MAX_REQUESTS, Reply, StubModel};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// Sends one request on a connection of its own and returns (status, headers and body).
fn ask(model: &StubModel, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = model.base_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    (status, answer)
}

fn turn(tools: &[&str], stream: bool) -> String {
    let tools: Vec<Value> = tools.iter().map(|name| json!({ "name": name })).collect();
    let user = json!({"role": "user", "content": [{"type": "text", "text": "hello"}]});
    let metadata = json!({"user_id": "{\"session_id\":\"s-1\"}"});
    json!({"model": "m", "stream": stream, "tools": tools, "messages": [user], "metadata": metadata})
        .to_string()
}

fn message(model: &StubModel, tools: &[&str]) -> Value {
    let (status, answer) = ask(model, "POST", "/v1/messages?beta=true", &turn(tools, false));
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[test]
fn replies_come_in_order_then_by_the_closure_and_only_to_conversations() {
    let model = StubModel::start().unwrap();
    model.push([Reply::text("one"), Reply::tool("Bash", json!({"command": "true"}))]);
    model.reply_with(|request| Reply::text(format!("for {}", request.session_id().unwrap())));
    assert_eq!(
        message(&model, &[])["content"][0]["text"],
        "ok",
        "a side request takes nothing from the script"
    );
    let first = message(&model, &["Bash"]);
    assert_eq!(first["content"][0]["text"], "one");
    let second = message(&model, &["Bash"]);
    assert_eq!((&second["content"][0]["name"], &second["stop_reason"]), (&json!("Bash"), &json!("tool_use")));
    assert_eq!(message(&model, &["Bash"])["content"][0]["text"], "for s-1");
    assert_ne!(first["id"], second["id"], "equal ids would be merged into one message");
    assert_eq!((model.requests().len(), model.conversations().len()), (4, 3));
}

#[test]
fn a_stream_is_the_events_of_the_api_in_order() {
    let model = StubModel::start().unwrap();
    model.push([Reply::tool("Bash", json!({"command": "a\nb"}))]);
    let (status, answer) = ask(&model, "POST", "/v1/messages", &turn(&["Bash"], true));
    assert_eq!(status, 200);
    assert!(answer.contains("content-type: text/event-stream"), "{answer}");
    let events: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    assert_eq!(events, [&["message_start"][..], &block, &["message_delta", "message_stop"]].concat());
    let data = answer.lines().filter_map(|line| line.strip_prefix("data: "));
    let data: Vec<Value> = data.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(data[2]["delta"]["partial_json"], "{\"command\":\"a\\nb\"}");
    assert_eq!(data[4]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn a_deferred_tool_is_searched_for_first_and_given_up_on_in_the_end() {
    let model = StubModel::start().unwrap();
    model.push([Reply::mcp("parlor", "send_message", json!({"text": "hi"}))]);
    let mut answer = message(&model, &["ToolSearch"]);
    for _ in 0..4 {
        let call = answer["content"][0].clone();
        assert_eq!(call["name"], "ToolSearch");
        assert_eq!(call["input"]["query"], "select:mcp__parlor__send_message");
        answer = after(&model, &["ToolSearch"], &call);
    }
    let found = after(&model, &["ToolSearch", "mcp__parlor__send_message"], &answer["content"][0]);
    assert_eq!(found["content"][0]["name"], "mcp__parlor__send_message");
    assert_eq!(found["content"][0]["input"], json!({"text": "hi"}));

    model.push([Reply::mcp("parlor", "gone", json!({}))]);
    let mut answer = message(&model, &["ToolSearch"]);
    for _ in 0..5 {
        answer = after(&model, &["ToolSearch"], &answer["content"][0].clone());
    }
    assert_eq!(answer["content"][0]["text"], "stub: the tool mcp__parlor__gone never became available");
}

/// The turn that brings the result of `call`.
fn after(model: &StubModel, tools: &[&str], call: &Value) -> Value {
    let mut body: Value = serde_json::from_str(&turn(tools, false)).unwrap();
    let result = json!({"type": "tool_result", "tool_use_id": call["id"], "content": "found"});
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": [call]}));
    messages.push(json!({"role": "user", "content": [result]}));
    let (_, answer) = ask(model, "POST", "/v1/messages", &body.to_string());
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[test]
fn whatever_else_is_asked_gets_something_harmless() {
    let model = StubModel::start().unwrap();
    let (status, counted) = ask(&model, "POST", "/v1/messages/count_tokens", &turn(&["Bash"], false));
    assert!(status == 200 && counted.contains("input_tokens"), "{counted}");
    let (status, models) = ask(&model, "GET", "/v1/models?limit=100", "");
    assert!(status == 200 && models.contains("\"data\":[{"), "{models}");
    assert_eq!(ask(&model, "HEAD", "/", "").0, 200);
    assert_eq!(ask(&model, "POST", "/anything", "no json").0, 200);
    assert_eq!(model.conversations().len(), 0);
    let numbers: Vec<usize> = model.requests().iter().map(|request| request.number).collect();
    assert_eq!((numbers, model.mark()), (vec![1, 2, 3, 4], 4));
}

#[test]
fn errors_and_panics_of_a_script_reach_the_asker() {
    let model = StubModel::start().unwrap();
    model.push([Reply::failure(529, "overloaded_error")]);
    let (status, answer) = ask(&model, "POST", "/v1/messages", &turn(&["Bash"], true));
    assert!(status == 529 && answer.contains("overloaded_error"), "{answer}");
    model.reply_with(|_| panic!("not scripted"));
    let (status, answer) = ask(&model, "POST", "/v1/messages", &turn(&["Bash"], true));
    assert!(status == 500 && answer.contains("the script of the stub panicked"), "{answer}");
}

#[test]
fn waiting_sees_a_request_that_is_still_unanswered() {
    let model = StubModel::start().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    model.reply_with(move |_| {
        held.lock().unwrap().recv().unwrap();
        Reply::text("at last")
    });
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| message(&model, &["Bash"]));
        let request =
            model.wait_for_request(|request| request.prompt().as_deref() == Some("hello"), SOON).unwrap();
        assert_eq!((request.number, asking.is_finished()), (1, false));
        assert_eq!(ask(&model, "GET", "/v1/models", "").0, 200, "others are served meanwhile");
        release.send(()).unwrap();
        assert_eq!(asking.join().unwrap()["content"][0]["text"], "at last");
    });
    let refused = model.wait_for_request(|_| false, Duration::from_millis(10)).unwrap_err().to_string();
    assert!(refused.contains("user: \"hello\""), "{refused}");
}

#[test]
fn what_is_recorded_is_bounded() {
    let model = StubModel::start().unwrap();
    assert_eq!(ask(&model, "POST", "/v1/messages", &" ".repeat(MAX_BODY_BYTES + 1)).0, 413);
    assert_eq!(model.mark(), 0, "a refused body is not kept");
    for _ in 0..MAX_REQUESTS + 3 {
        ask(&model, "GET", "/v1/models", "");
    }
    let kept = model.requests();
    assert_eq!((kept.len(), kept[0].number, model.mark()), (MAX_REQUESTS, 4, MAX_REQUESTS + 3));
}

#[test]
fn a_dropped_stub_serves_no_more() {
    let model = StubModel::start().unwrap();
    let address = model.base_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    drop(model);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "the open connection ends");
}

#[test]
fn all_four_apis_are_asked_one_script_and_seen_by_one_view() {
    let model = StubModel::start().unwrap();
    let said = |role: &str| json!([{"role": role, "content": "hello"}]);
    let function = json!([{"type": "function", "function": {"name": "s_t"}}]);
    let asks = [
        ("/v1/messages", json!({"messages": said("user"), "tools": [{"name": "mcp__s__t"}]}), "mcp__s__t"),
        (
            "/v1/responses",
            json!({"input": said("user"), "tools": [{"type": "namespace", "name": "mcp__s", "tools": [{"name": "t"}]}]}),
            "mcp__s",
        ),
        (
            "/v1beta/models/m:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}], "tools": [{"functionDeclarations": [{"name": "mcp_s_t"}]}]}),
            "mcp_s_t",
        ),
        ("/v1/chat/completions", json!({"messages": said("user"), "tools": function}), "s_t"),
    ];
    for (number, (path, body, name)) in asks.iter().enumerate() {
        model.push([Reply::mcp("s", "t", json!({"n": 7})), Reply::text("said so")]);
        let (status, called) = ask(&model, "POST", path, &body.to_string());
        assert!(status == 200 && called.contains(&format!("\"{name}\"")), "{path}: {called}");
        let (_, text) = ask(&model, "POST", path, &body.to_string());
        assert!(text.contains("said so"), "{path}: {text}");
        let request = &model.conversations()[3 * number];
        assert_eq!(request.prompt().as_deref(), Some("hello"), "{path}");
        assert!(
            request.offers_tool("mcp__s__t") && !request.offers_tool("mcp__s__u"),
            "{path}: {:?}",
            request.tools()
        );
        model.push([Reply::failure(503, "busy")]);
        assert_eq!(ask(&model, "POST", path, &body.to_string()).0, 503, "{path}");
    }
}

#[test]
fn a_request_of_codex_for_a_title_is_no_conversation() {
    let model = StubModel::start().unwrap();
    let mut body = json!({"input": [], "tools": [{"type": "custom", "name": "apply_patch"}]});
    ask(&model, "POST", "/v1/responses", &body.to_string());
    body["text"] = json!({"format": {"type": "json_schema"}});
    ask(&model, "POST", "/v1/responses", &body.to_string());
    assert_eq!(model.conversations().len(), 1);
}
