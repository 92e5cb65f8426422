//! `fidelis tokenize`.

use crate::output;
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_engine::gguf::File;
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::io::Read;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Tokenize {
    /// GGUF file; one with a vocabulary alone serves.
    #[arg(short, long)]
    model: PathBuf,
    /// The text.
    #[arg(short, long)]
    prompt: Option<String>,
    /// A file with the text.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Read the text from stdin.
    #[arg(long)]
    stdin: bool,
    /// Only the ids, as a list.
    #[arg(long)]
    ids: bool,
    /// No beginning-of-sequence token.
    #[arg(long)]
    no_bos: bool,
    /// Control tokens in the text are text.
    #[arg(long)]
    no_parse_special: bool,
    /// Say how many there are.
    #[arg(long)]
    show_count: bool,
}

/// All of stdin, as text.
pub(crate) fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .context("cannot read stdin")?;
    text(bytes, "stdin")
}

/// Bytes as text, or where they are none.
pub(crate) fn text(bytes: Vec<u8>, source: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        anyhow::anyhow!(
            "{source} is not UTF-8: byte {} begins no character",
            error.utf8_error().valid_up_to()
        )
    })
}

impl Tokenize {
    pub(crate) fn execute(&self) -> Result<()> {
        let text = match (&self.prompt, &self.file, self.stdin) {
            (Some(prompt), None, false) => prompt.clone(),
            (None, Some(path), false) => text(
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
                &path.display().to_string(),
            )?,
            (None, None, true) => read_stdin()?,
            _ => bail!("give the text by one of --prompt, --file and --stdin"),
        };
        let file = File::open(&self.model)?;
        let tokenizer = Tokenizer::read(&file.gguf()?)?;
        let specials = if self.no_parse_special {
            Specials::AsText
        } else {
            Specials::Parse
        };
        let ids = tokenizer.encode(
            &text,
            specials,
            if self.no_bos { Bos::Never } else { Bos::Auto },
        )?;
        if self.ids {
            output::text(&format!("{ids:?}\n"))?;
        } else {
            for &id in &ids {
                let piece = String::from_utf8_lossy(&tokenizer.piece(id)).into_owned();
                let shown = if piece.is_empty() {
                    tokenizer.token_text(id).unwrap_or_default().to_owned()
                } else {
                    piece
                };
                output::text(&format!("{id:6} -> {shown:?}\n"))?;
            }
        }
        if self.show_count {
            output::text(&format!("Total number of tokens: {}\n", ids.len()))?;
        }
        Ok(())
    }
}
