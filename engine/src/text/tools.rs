//! Calls of tools, as chat templates have models write them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A function that the model asks to be called.
///
/// In a conversation's JSON it is as OpenAI and Hugging Face write it: `{"type": "function", "function": {"name": …, "arguments": {…}}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", from = "Wire")]
pub struct ToolCall {
    /// Which function.
    pub name: String,
    /// What it is given: an object.
    pub arguments: Value,
}

/// A call in a conversation.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "type", default = "function")]
    kind: String,
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    /// OpenAI's is JSON in a string.
    arguments: Value,
}

fn function() -> String {
    "function".to_owned()
}

impl From<ToolCall> for Wire {
    fn from(call: ToolCall) -> Self {
        Self {
            kind: function(),
            function: Function {
                name: call.name,
                arguments: call.arguments,
            },
        }
    }
}

impl From<Wire> for ToolCall {
    fn from(wire: Wire) -> Self {
        let Function { name, arguments } = wire.function;
        let object = match &arguments {
            Value::String(text) => serde_json::from_str::<Map<_, _>>(text).ok(),
            _ => None,
        };
        Self {
            name,
            arguments: object.map_or(arguments, Value::Object),
        }
    }
}

/// An answer, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What is no call, or none that can be understood.
    pub text: String,
    /// The calls, in order.
    pub calls: Vec<ToolCall>,
}

/// How a model writes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolFormat {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, any number of times within text: Hermes, Qwen.
    Hermes,
    /// `[TOOL_CALLS][{"name": …, "arguments": {…}}, …]`: Mistral.
    Mistral,
    /// `{"name": …, "parameters": {…}}` and nothing else, perhaps behind `<|python_tag|>`, several parted by `;`: Llama 3.1.
    Llama,
}

impl ToolFormat {
    /// The format that a template's source asks for; `None` if it asks for none of them.
    pub fn of_template(source: &str) -> Option<Self> {
        let has = |text: &str| source.contains(text);
        if has("<tool_call>") {
            Some(Self::Hermes)
        } else if has("[TOOL_CALLS]") {
            Some(Self::Mistral)
        } else if has("<|python_tag|>") || (has("tools") && has("parameters")) {
            Some(Self::Llama)
        } else {
            None
        }
    }

    /// Finds the calls in an answer. Marks that are control tokens of the model may be missing in its text.
    ///
    /// What looks like a call and is none that can be understood stays text: then all of a Mistral or Llama answer, and of
    /// a Hermes answer that call.
    pub fn parse(self, answer: &str) -> Answer {
        let found = match self {
            Self::Hermes => return hermes(answer),
            Self::Mistral => mistral(answer),
            Self::Llama => llama(answer),
        };
        found.unwrap_or_else(|| Answer {
            text: answer.to_owned(),
            calls: Vec::new(),
        })
    }
}

/// A call from its JSON, whose arguments are under one of two names.
fn call(value: Value) -> Option<ToolCall> {
    let Value::Object(mut fields) = value else {
        return None;
    };
    let Some(Value::String(name)) = fields.remove("name") else {
        return None;
    };
    // A call without any is one without arguments.
    let arguments = fields
        .remove("arguments")
        .or_else(|| fields.remove("parameters"))
        .unwrap_or_else(|| Value::Object(Map::new()));
    let call = ToolCall::from(Wire {
        kind: function(),
        function: Function { name, arguments },
    });
    call.arguments.is_object().then_some(call)
}

fn hermes(answer: &str) -> Answer {
    let (open, close) = ("<tool_call>", "</tool_call>");
    let mut found = Answer::default();
    let mut rest = answer;
    while let Some(at) = rest.find(open) {
        let inside = &rest[at + open.len()..];
        // The last one may lack its end, if the end stopped the answer.
        let (body, after) = inside.split_once(close).unwrap_or((inside, ""));
        match serde_json::from_str(body).ok().and_then(call) {
            Some(call) => {
                found.text.push_str(&rest[..at]);
                found.calls.push(call);
            }
            None => found.text.push_str(&rest[..rest.len() - after.len()]),
        }
        rest = after;
    }
    found.text.push_str(rest);
    if !found.calls.is_empty() {
        found.text = found.text.trim().to_owned();
    }
    found
}

fn mistral(answer: &str) -> Option<Answer> {
    let (text, list) = match answer.split_once("[TOOL_CALLS]") {
        Some((text, list)) => (text.trim(), list),
        None => ("", answer),
    };
    let list: Vec<Value> = serde_json::from_str(list).ok()?;
    let calls: Vec<ToolCall> = list.into_iter().map(call).collect::<Option<_>>()?;
    (!calls.is_empty()).then(|| Answer {
        text: text.to_owned(),
        calls,
    })
}

fn llama(answer: &str) -> Option<Answer> {
    let body = answer.trim();
    let body = body.strip_prefix("<|python_tag|>").unwrap_or(body);
    let mut calls = Vec::new();
    let mut rest = body.trim();
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let value: Value = values.next()?.ok()?;
        // Any JSON object may be an answer; a call has a name and parameters.
        let is_call = value.get("parameters").or_else(|| value.get("arguments"));
        is_call?;
        calls.push(call(value)?);
        rest = rest[values.byte_offset()..].trim_start();
        rest = rest.strip_prefix(';').unwrap_or(rest).trim_start();
    }
    (!calls.is_empty()).then(|| Answer {
        text: String::new(),
        calls,
    })
}
