//! Chats with a model, a line of stdin at a time; words appear as they are made.
//!
//! ```sh
//! cargo run --release -p fidelis-engine --example chat -- FILE.gguf
//! ```

use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session};
use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, Tokenizer};
use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: chat FILE.gguf")?;
    let file = File::open(path.as_ref())?;
    let gguf = file.gguf()?;
    let model = Model::read(&gguf)?;
    let tokenizer = Tokenizer::read(&gguf)?;
    let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or("");
    let template = ChatTemplate::read(&gguf, text(tokenizer.bos()), text(tokenizer.eos()))?
        .ok_or("the file has no chat template")?;
    let backend = CpuBackend::new(&model.graph, &CpuSettings::new(2048)?)?;
    let mut session = Session::new(backend, &tokenizer, Sampler::greedy());
    let mut conversation = Vec::new();
    for line in std::io::stdin().lines() {
        conversation.push(Message::new("user", &line?));
        let prompt = template.render(&conversation, true)?;
        let ids = tokenizer.encode(&prompt, Specials::Parse, Bos::Auto)?;
        // Of the conversation, only what is new is read.
        let mut reply = session.reply(&ids, Limits::default(), |_, _| ControlFlow::Continue(()))?;
        let mut answer = String::new();
        for piece in &mut reply {
            let piece = piece?;
            print!("{}", piece.text);
            std::io::stdout().flush()?;
            answer.push_str(&piece.text);
        }
        let rest = reply.finish();
        println!("{rest}");
        conversation.push(Message::new("assistant", &(answer + &rest)));
    }
    Ok(())
}
