//! Tools that a model may ask to be called.

use anyhow::{Context, Result};
use clap::Args;
use fidelis_engine::text::{Answer, ChatTemplate, ToolCall, ToolFormat};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Tools that a model may ask to be called.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ToolOptions {
    /// A JSON list of functions, as OpenAI describes them: the template tells the model of them.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

/// Functions that were described, and how the model calls them.
pub(crate) struct Tools {
    pub(crate) functions: Vec<Value>,
    pub(crate) format: ToolFormat,
}

impl ToolOptions {
    /// The tools, if there are any.
    pub(crate) fn read(&self, template: Option<&ChatTemplate>) -> Result<Option<Tools>> {
        let Some(path) = &self.tools else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let functions: Vec<Map<String, Value>> = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a JSON list of functions", path.display()))?;
        let format = template.and_then(ChatTemplate::tool_format).context(
            "the chat template knows no tools, or none in a form that is understood; give one by --chat-template-file",
        )?;
        let functions = functions.into_iter().map(Value::Object).collect();
        Ok(Some(Tools { functions, format }))
    }
}

/// The functions to tell the model of.
pub(crate) fn functions(tools: Option<&Tools>) -> &[Value] {
    tools.map_or(&[], |tools| &tools.functions)
}

/// A call as a line of JSON.
pub(crate) fn line(call: &ToolCall) -> Value {
    json!({"name": call.name, "arguments": call.arguments})
}

/// An answer for a reader of lines: its text, if there is any, then a line of JSON for each call.
pub(crate) fn lines(answer: &Answer) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !answer.text.is_empty() || answer.calls.is_empty() {
        lines.push(answer.text.clone());
    }
    lines.extend(answer.calls.iter().map(|call| line(call).to_string()));
    lines.join("\n") + "\n"
}
