//! A file with what was read of it, owned as one.

use crate::constrain::Searched;
use crate::failure::Failure;
use crate::ffi::FIDELIS_ABORTED;
use fidelis_engine::gguf::{File, Gguf, Value};
use fidelis_engine::model::{Config, Model};
use fidelis_engine::session::ModelDigest;
use fidelis_engine::text::Tokenizer;
use self_cell::self_cell;
use std::ffi::CString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// Where a model's bytes are.
pub(crate) enum Source {
    File(File),
    /// The caller keeps them.
    Memory(&'static [u8]),
}

/// What was read of them.
pub(crate) struct Parts<'a> {
    pub(crate) gguf: Gguf<'a>,
    pub(crate) config: Config,
    pub(crate) tokenizer: Tokenizer,
}

self_cell!(
    struct Cell {
        owner: Source,
        #[covariant]
        dependent: Parts,
    }
);

/// A model, shared by its sessions.
pub(crate) struct Holder {
    cell: Cell,
    pub(crate) name: CString,
    pub(crate) architecture: CString,
    pub(crate) description: CString,
    /// Equal for equal lists of tokens, within one process.
    pub(crate) vocabulary: u64,
    /// Elements of all tensors.
    pub(crate) parameters: u64,
    /// Bytes of all parts of the file.
    pub(crate) bytes: u64,
    digest: OnceLock<ModelDigest>,
    pub(crate) searched: Searched,
}

/// Told how far loading is, from 0 to 1; may break it off.
pub(crate) type Progress<'p> = &'p dyn Fn(f32) -> ControlFlow<()>;

impl Holder {
    /// Reads header and vocabulary, and that every tensor has its place; weights are left where they are.
    pub(crate) fn read(source: Source, progress: Progress<'_>) -> Result<Self, Failure> {
        let step = |done| match progress(done) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Failure::new(FIDELIS_ABORTED, "loading was broken off")),
        };
        step(0.0)?;
        let cell = Cell::try_new(source, |source| {
            let gguf = match source {
                Source::File(file) => file.gguf()?,
                Source::Memory(bytes) => Gguf::read(bytes)?,
            };
            step(0.25)?;
            let config = Model::read(&gguf)?.config;
            step(0.5)?;
            let tokenizer = Tokenizer::read(&gguf)?;
            Ok::<_, Failure>(Parts {
                gguf,
                config,
                tokenizer,
            })
        })?;
        step(1.0)?;
        Ok(Self::describe(cell))
    }

    fn describe(cell: Cell) -> Self {
        let parts = cell.borrow_dependent();
        let tensors = parts.gguf.tensors();
        let parameters = tensors.iter().map(|tensor| tensor.shape.len() as u64).sum();
        let bytes = match cell.borrow_owner() {
            Source::File(file) => file.len_bytes(),
            Source::Memory(bytes) => bytes.len() as u64,
        };
        let config = &parts.config;
        let description = format!(
            "{}, {} layers, {:.1} million parameters, {:.1} MB",
            config.architecture,
            config.layers,
            parameters as f64 / 1e6,
            bytes as f64 / 1e6
        );
        Self {
            name: c_text(&config.name),
            architecture: c_text(&config.architecture),
            description: c_text(&description),
            vocabulary: fingerprint(&parts.tokenizer),
            parameters,
            bytes,
            digest: OnceLock::new(),
            searched: Searched::default(),
            cell,
        }
    }

    pub(crate) fn parts(&self) -> &Parts<'_> {
        self.cell.borrow_dependent()
    }

    /// What saved sessions know the model by; every byte is read the first time.
    pub(crate) fn digest(&self) -> &ModelDigest {
        self.digest.get_or_init(|| match self.cell.borrow_owner() {
            Source::File(file) => ModelDigest::of(&file.parts().collect::<Vec<_>>()),
            Source::Memory(bytes) => ModelDigest::of(&[bytes]),
        })
    }

    /// Positions, if no number is asked for: those that the model was trained for, up to 4096.
    pub(crate) fn context(&self) -> usize {
        self.parts().config.context.min(4096)
    }

    /// A value of the file's metadata as text: strings as they are, arrays as their length and type.
    pub(crate) fn metadata(&self, key: &str) -> Option<String> {
        Some(match *self.parts().gguf.get(key)? {
            Value::Str(text) => text.to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::U8(x) => x.to_string(),
            Value::I8(x) => x.to_string(),
            Value::U16(x) => x.to_string(),
            Value::I16(x) => x.to_string(),
            Value::U32(x) => x.to_string(),
            Value::I32(x) => x.to_string(),
            Value::U64(x) => x.to_string(),
            Value::I64(x) => x.to_string(),
            Value::F32(x) => x.to_string(),
            Value::F64(x) => x.to_string(),
            Value::Array(array) => format!("[{} {}]", array.len(), array.kind()),
        })
    }
}

/// Up to the first NUL.
fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

fn fingerprint(tokenizer: &Tokenizer) -> u64 {
    let mut hasher = DefaultHasher::new();
    let count = u32::try_from(tokenizer.vocabulary_len()).unwrap_or(u32::MAX);
    (0..count).for_each(|id| tokenizer.token_text(id).hash(&mut hasher));
    hasher.finish()
}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Holder>();
};
