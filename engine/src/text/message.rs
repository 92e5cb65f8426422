//! What a conversation consists of.

use super::tools::ToolCall;
use serde::{Deserialize, Serialize};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What was said; of a tool, the result of a call.
    #[serde(default, deserialize_with = "text_or_null")]
    pub content: String,
    /// What the assistant asks to be called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

/// A text; none, where an assistant only calls, is empty.
fn text_or_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

impl Message {
    /// A turn.
    pub fn new(role: &str, content: &str) -> Self {
        Self {
            role: role.to_owned(),
            content: content.to_owned(),
            tool_calls: Vec::new(),
        }
    }
}
