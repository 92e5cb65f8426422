//! Lines from the user: edited on a terminal, plain otherwise.

use anyhow::{Context, Result};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io::BufRead;

/// Where lines come from.
pub(super) struct Input {
    editor: Option<DefaultEditor>,
}

/// What came.
pub(super) enum Line {
    /// A message or a command; continuation lines are joined.
    Text(String),
    /// Ctrl-C at the prompt.
    Interrupt,
    /// No more.
    End,
}

impl Input {
    /// From a terminal, with editing and history, or from stdin as it is.
    pub(super) fn new(terminal: bool) -> Self {
        Self {
            editor: terminal.then(DefaultEditor::new).and_then(Result::ok),
        }
    }

    /// The next message.
    pub(super) fn line(&mut self) -> Result<Line> {
        let mut text = String::new();
        loop {
            let line = match &mut self.editor {
                Some(editor) => match editor.readline(if text.is_empty() { "> " } else { ". " }) {
                    Ok(line) => line,
                    Err(ReadlineError::Interrupted) => return Ok(Line::Interrupt),
                    Err(ReadlineError::Eof) => return Ok(Line::End),
                    Err(error) => return Err(error).context("cannot read from the terminal"),
                },
                None => match plain()? {
                    Some(line) => line,
                    None if text.is_empty() => return Ok(Line::End),
                    None => return Ok(Line::Text(text)),
                },
            };
            match line.strip_suffix('\\') {
                Some(begun) => {
                    text.push_str(begun);
                    text.push('\n');
                }
                None => {
                    text.push_str(&line);
                    break;
                }
            }
        }
        if let Some(editor) = &mut self.editor {
            // A history that cannot grow is no reason to stop.
            let _ = editor.add_history_entry(&text);
        }
        Ok(Line::Text(text))
    }
}

/// A line of stdin without its end; `None` at the end.
fn plain() -> Result<Option<String>> {
    let mut bytes = Vec::new();
    if std::io::stdin()
        .lock()
        .read_until(b'\n', &mut bytes)
        .context("cannot read stdin")?
        == 0
    {
        return Ok(None);
    }
    while bytes
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        bytes.pop();
    }
    crate::tokenize::text(bytes, "a line of stdin").map(Some)
}
