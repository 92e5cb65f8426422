//! Conversations as text, by the file's own Jinja template.

use super::message::Message;
use super::tools::ToolFormat;
use super::{jinja_limits, template_functions};
use crate::gguf::{Gguf, GgufError};
use minijinja::{Environment, context};
use serde_json::Value;

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
    /// The template is longer than any that is known.
    #[error("the chat template has {bytes} bytes, and at most {most} are read")]
    Long {
        /// Its length.
        bytes: usize,
        /// The longest that is read.
        most: usize,
    },
    /// The library that reads and renders templates panicked.
    #[error("the chat template meets a fault of the library that renders it")]
    Library,
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
    tools: Option<ToolFormat>,
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
    /// [`TemplateError::Syntax`] if it is not valid Jinja, [`TemplateError::Long`] if it is too much of it.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        let source = Self::named(source).unwrap_or(source);
        if source.len() > jinja_limits::BYTES {
            return Err(TemplateError::Long {
                bytes: source.len(),
                most: jinja_limits::BYTES,
            });
        }
        let source = without_generation_marks(source);
        let tools = ToolFormat::of_template(&source);
        let environment = jinja_limits::apart(|| environment(source.clone()));
        Ok(Self {
            environment: environment.ok_or(TemplateError::Library)??,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            tools,
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

    /// How the template writes calls of tools; `None` if it knows no tools.
    pub fn tool_format(&self) -> Option<ToolFormat> {
        self.tools
    }

    /// The conversation as text; `open` begins the assistant's next turn.
    ///
    /// A template that refuses a system message gets it at the head of the first user message.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Render`] with what the template says, or that it goes on for too long.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, TemplateError> {
        self.render_with_tools(messages, &[], open)
    }

    /// The same with tools that the assistant may call: functions, each described by an object as OpenAI and Hugging Face do.
    ///
    /// # Errors
    ///
    /// As for [`Self::render`].
    pub fn render_with_tools(
        &self,
        messages: &[Message],
        tools: &[Value],
        open: bool,
    ) -> Result<String, TemplateError> {
        self.try_render(messages, tools, open)
            .or_else(|error| match messages {
                [system, user, rest @ ..] if system.role == "system" && user.role == "user" => {
                    let joined =
                        Message::new("user", &format!("{}\n\n{}", system.content, user.content));
                    let folded: Vec<Message> = std::iter::once(joined)
                        .chain(rest.iter().cloned())
                        .collect();
                    self.try_render(&folded, tools, open).map_err(|_| error)
                }
                _ => Err(error),
            })
    }

    fn try_render(
        &self,
        messages: &[Message],
        tools: &[Value],
        open: bool,
    ) -> Result<String, TemplateError> {
        let failed = |error: minijinja::Error| TemplateError::Render {
            line: error.line().unwrap_or(0),
            reason: reason(&error),
        };
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(jinja_limits::steps(messages.len() + tools.len())));
        let rendered = jinja_limits::apart(|| {
            let mut context = context! {
                messages => messages,
                add_generation_prompt => open,
                bos_token => self.bos,
                eos_token => self.eos,
            };
            // Templates ask whether there are tools by `is defined`, by `is not none` or by their truth.
            if !tools.is_empty() {
                context = context! { tools => tools, ..context };
            }
            environment.get_template(NAME)?.render(context)
        });
        rendered.ok_or(TemplateError::Library)?.map_err(failed)
    }
}

/// What a template is called in its environment.
const NAME: &str = "chat";

/// An environment with the template of this source.
fn environment(source: String) -> Result<Environment<'static>, TemplateError> {
    let mut environment = Environment::new();
    template_functions::add(&mut environment);
    let added = environment.add_template_owned(NAME, source);
    added.map_err(|error| TemplateError::Syntax {
        line: error.line().unwrap_or(0),
        reason: reason(&error),
    })?;
    Ok(environment)
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
    if error.kind() == minijinja::ErrorKind::OutOfFuel {
        return "it takes more steps than a conversation of its length needs".to_owned();
    }
    error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned)
}
