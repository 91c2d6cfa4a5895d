//! OpenAI Responses, as Codex speaks it.
//!
//! What hooks add arrives as a message of role `developer`.

use serde_json::{Value, json};

use super::{Dialect, View, list, mcp_parts, named, part_texts};
use crate::stub_model::Reply;
use crate::stub_model::reply::fresh_id;

/// The tool that runs code.
const CODE_TOOL: &str = "exec";

pub(super) struct Responses;

impl Dialect for Responses {
    fn view(&self, body: &Value) -> View {
        let items = list(&body["input"]);
        let prompt = part_texts(&body["instructions"]).into_iter().map(|text| ("prompt".to_owned(), text));
        let said = items.iter().flat_map(|item| {
            let role = item["role"].as_str().unwrap_or_default();
            part_texts(&item["content"]).into_iter().map(move |text| (role.to_owned(), text))
        });
        let newer = items.rsplit(is_of_model).next().unwrap_or_default();
        View {
            texts: prompt.chain(said).collect(),
            // A request for a title offers a tool, too; what sets it apart is that its answer is to be JSON.
            tools: if body["text"]["format"]["type"] == "json_schema" {
                Vec::new()
            } else {
                tools(body).flat_map(tool_names).collect()
            },
            results: items.iter().filter_map(result).collect(),
            new_results: newer.iter().filter_map(result).collect(),
            session_id: body["prompt_cache_key"].as_str().map(str::to_owned),
        }
    }

    fn tool_name(&self, name: &str) -> String {
        if name == "Bash" { "exec_command".to_owned() } else { name.to_owned() }
    }

    fn tool_input(&self, name: &str, input: &Value) -> Value {
        if name == "Bash" { json!({"cmd": input["command"]}) } else { input.clone() }
    }

    fn whole(&self, reply: &Reply, body: &Value) -> Value {
        response("completed", body, vec![self.item(reply, body)])
    }

    fn events(&self, reply: &Reply, body: &Value) -> Vec<String> {
        let item = self.item(reply, body);
        let begun = response("in_progress", body, vec![]);
        let mut events = vec![json!({"type": "response.created", "response": begun})];
        if let Reply::Text(text) = reply {
            let mut empty = item.clone();
            empty["content"] = json!([]);
            events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": empty}));
            events.push(json!({
                "type": "response.output_text.delta", "item_id": item["id"], "output_index": 0,
                "content_index": 0, "delta": text,
            }));
        }
        events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
        events
            .push(json!({"type": "response.completed", "response": response("completed", body, vec![item])}));
        events.iter().map(named).collect()
    }
}

impl Responses {
    fn item(&self, reply: &Reply, body: &Value) -> Value {
        match reply {
            Reply::Text(text) | Reply::Failure { kind: text, .. } => json!({
                "type": "message", "id": fresh_id("msg"), "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }),
            Reply::Tool { id, name, input } if wants_code(body) => json!({
                "type": "custom_tool_call", "id": fresh_id("ctc"), "call_id": id, "namespace": "functions",
                "name": CODE_TOOL, "input": code(&self.tool_name(name), &self.tool_input(name, input)),
                "status": "completed",
            }),
            Reply::Tool { id, name, input } => self.call(id, name, input),
        }
    }

    fn call(&self, id: &str, name: &str, input: &Value) -> Value {
        let arguments = self.tool_input(name, input).to_string();
        let mut item = json!({
            "type": "function_call", "id": fresh_id("fc"), "call_id": id, "name": self.tool_name(name),
            "arguments": arguments, "status": "completed",
        });
        // Tools of an MCP server stand in a namespace that is named after it.
        if let Some((server, tool)) = mcp_parts(name) {
            item["namespace"] = json!(format!("mcp__{server}"));
            item["name"] = json!(tool);
        }
        item
    }
}

/// The tools of a request: the newest models are told of them in an item of their own.
fn tools(body: &Value) -> impl Iterator<Item = &Value> {
    let told = list(&body["input"]).iter().filter(|item| item["type"] == "additional_tools");
    list(&body["tools"]).iter().chain(told.flat_map(|item| list(&item["tools"])))
}

/// Whether the model is to call tools from code: then there is one tool that runs it.
fn wants_code(body: &Value) -> bool {
    tools(body)
        .any(|tool| tool["name"] == "functions" && tool_names(tool).iter().any(|name| name == CODE_TOOL))
}

/// Code that calls one tool and gives its text back.
fn code(name: &str, input: &Value) -> String {
    format!(
        "const r = await tools.{name}({input});\n\
         text(typeof r === 'string' ? r : r.content ? r.content.map(c => c.text).join('\\n') : JSON.stringify(r));"
    )
}

fn response(status: &str, body: &Value, output: Vec<Value>) -> Value {
    json!({
        "id": fresh_id("resp"), "object": "response", "status": status, "model": body["model"], "output": output,
        "usage": {
            "input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 15,
        },
    })
}

/// The names a tool offers: its own, or those of everything in its namespace. Its own functions have a namespace, too.
fn tool_names(tool: &Value) -> Vec<String> {
    let Some(name) = tool["name"].as_str().or_else(|| tool["type"].as_str()) else { return Vec::new() };
    if tool["type"] != "namespace" {
        return vec![name.to_owned()];
    }
    let inner = list(&tool["tools"]).iter().filter_map(|inner| inner["name"].as_str());
    let space =
        if name == "functions" { String::new() } else { format!("{}__", name.trim_end_matches("__")) };
    inner.map(|inner| format!("{space}{inner}")).collect()
}

fn is_of_model(item: &Value) -> bool {
    let calls = ["function_call", "custom_tool_call", "reasoning"];
    item["role"] == "assistant" || calls.iter().any(|call| item["type"] == *call)
}

fn result(item: &Value) -> Option<(String, String)> {
    if item["type"] != "function_call_output" && item["type"] != "custom_tool_call_output" {
        return None;
    }
    let output = part_texts(&item["output"]).join("\n");
    Some((item["call_id"].as_str()?.to_owned(), output))
}
