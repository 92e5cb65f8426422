//! Conversations as text, by the file's own Jinja template.

use super::template_functions;
use crate::gguf::{Gguf, GgufError};
use minijinja::{Environment, context};
use serde::{Deserialize, Serialize};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// A turn.
    pub fn new(role: &str, content: &str) -> Self {
        Self {
            role: role.to_owned(),
            content: content.to_owned(),
        }
    }
}

/// Why a conversation cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file's key is not a string.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The template is not valid Jinja.
    #[error("the chat template cannot be read (line {line}): {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The template gave up on the conversation.
    #[error("the chat template does not render (line {line}): {reason}")]
    Render {
        /// Where, from 1.
        line: usize,
        /// What it says.
        reason: String,
    },
}

/// A chat template.
///
/// ```
/// use fidelis_engine::text::{ChatTemplate, Message};
///
/// let template = ChatTemplate::new("chatml", "", "")?;
/// let text = template.render(&[Message::new("user", "Hello")], true)?;
/// assert_eq!(text, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
/// # Ok::<(), fidelis_engine::text::TemplateError>(())
/// ```
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

/// The formats that `--chat-template` knows by name, as their makers published them.
const NAMED: [(&str, &str); 8] = [
    (
        "chatml",
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    ),
    (
        "zephyr",
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    ),
    (
        "llama2",
        "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content %}{% elif m.role == 'user' %}[INST] {% if ns.system %}<<SYS>>\n{{ ns.system }}\n<</SYS>>\n\n{% set ns.system = '' %}{% endif %}{{ m.content }} [/INST]{% else %} {{ m.content }} {{ eos_token }}{{ bos_token }}{% endif %}{% endfor %}",
    ),
    (
        "llama3",
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    ),
    (
        "gemma",
        "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}{% else %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ ns.system if m.role == 'user' else '' }}{{ m.content | trim }}<end_of_turn>\n{% set ns.system = '' if m.role == 'user' else ns.system %}{% endif %}{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    ),
    (
        "phi3",
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    ),
    (
        "mistral",
        "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content ~ '\n\n' %}{% elif m.role == 'user' %}[INST] {{ ns.system }}{{ m.content }}[/INST]{% set ns.system = '' %}{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
    ),
    (
        "plain",
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
    ),
];

impl ChatTemplate {
    /// The file's template; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`] if it is not valid Jinja.
    pub fn read(gguf: &Gguf<'_>, bos: &str, eos: &str) -> Result<Option<Self>, TemplateError> {
        gguf.str("tokenizer.chat_template")?
            .map(|source| Self::new(source, bos, eos))
            .transpose()
    }

    /// A template from its Jinja source, or one of the formats known by name.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`] if it is not valid Jinja.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        let source = without_generation_marks(Self::named(source).unwrap_or(source));
        let mut environment = Environment::new();
        template_functions::add(&mut environment);
        environment
            .add_template_owned("chat", source)
            .map_err(|error| TemplateError::Syntax {
                line: error.line().unwrap_or(0),
                reason: reason(&error),
            })?;
        Ok(Self {
            environment,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
        })
    }

    /// The source of the format that is known by this name.
    pub fn named(name: &str) -> Option<&'static str> {
        let named = NAMED.iter().find(|(known, _)| *known == name);
        named.map(|(_, source)| *source)
    }

    /// The names of the formats that are known by name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// The conversation as text; `open` begins the assistant's next turn.
    ///
    /// A template that refuses a system message gets it at the head of the first user message.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Render`] with what the template says.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, TemplateError> {
        self.try_render(messages, open)
            .or_else(|error| match messages {
                [system, user, rest @ ..] if system.role == "system" && user.role == "user" => {
                    let joined =
                        Message::new("user", &format!("{}\n\n{}", system.content, user.content));
                    let folded: Vec<Message> = std::iter::once(joined)
                        .chain(rest.iter().cloned())
                        .collect();
                    self.try_render(&folded, open).map_err(|_| error)
                }
                _ => Err(error),
            })
    }

    fn try_render(&self, messages: &[Message], open: bool) -> Result<String, TemplateError> {
        let failed = |error: minijinja::Error| TemplateError::Render {
            line: error.line().unwrap_or(0),
            reason: reason(&error),
        };
        let template = self.environment.get_template("chat").map_err(failed)?;
        let context = context! {
            messages => messages,
            add_generation_prompt => open,
            bos_token => self.bos,
            eos_token => self.eos,
        };
        template.render(context).map_err(failed)
    }
}

/// The source without `generation` blocks, which mark for training what the assistant says.
///
/// An empty comment takes the place of each mark, so that white-space control stays.
fn without_generation_marks(source: &str) -> String {
    let mut out = source.to_owned();
    for word in ["generation", "endgeneration"] {
        for open in ["{%-", "{%"] {
            for close in ["-%}", "%}"] {
                let comment = format!("{open} {close}").replace('%', "#");
                for (before, after) in [(" ", " "), ("", "")] {
                    out = out.replace(&format!("{open}{before}{word}{after}{close}"), &comment);
                }
            }
        }
    }
    out
}

fn reason(error: &minijinja::Error) -> String {
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned)
}
