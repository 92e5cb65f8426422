//! What can go wrong on a device.

/// Why a call of the plug-in fails.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no adapter of that number.
    #[error("there is no adapter {index}: {count} found")]
    NoAdapter {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The adapter lacks something that every kernel needs.
    #[error("{adapter} cannot run models: {why}")]
    Unfit {
        /// The adapter's name.
        adapter: String,
        /// What it lacks.
        why: String,
    },
    /// The driver gave no device.
    #[error("{adapter} gives no device: {why}")]
    Open {
        /// The adapter's name.
        adapter: String,
        /// The driver's reason.
        why: String,
    },
    /// What is asked for does not fit.
    #[error("{bytes} bytes of device memory for {what} cannot be had: {why}")]
    Memory {
        /// How much.
        bytes: u64,
        /// What there is; 0: unknown.
        available: u64,
        /// What for.
        what: String,
        /// What stands against it.
        why: String,
    },
    /// A weight format without a kernel.
    #[error("no kernel of this plug-in reads {format}")]
    Format {
        /// Its name, or its number.
        format: String,
    },
    /// Something the kernels cannot do.
    #[error("{what} is not supported")]
    Unsupported {
        /// What.
        what: String,
    },
    /// The caller's data contradict themselves.
    #[error("{what}")]
    Invalid {
        /// How.
        what: String,
    },
    /// The device is gone.
    #[error("the device is lost: {why}")]
    Lost {
        /// The driver's reason.
        why: String,
    },
    /// The device does not finish.
    #[error("the device did not finish within {seconds} seconds")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// A value that is not a number, or infinite.
    #[error("{what} has a value that is not finite")]
    NonFinite {
        /// Where.
        what: &'static str,
    },
    /// A key or value that the cache's format cannot hold.
    #[error(
        "a key or value is more than a cache in f16 holds (65504); remember keys and values as f32"
    )]
    CacheOverflow,
    /// A failure that is one operation's.
    #[error("operation {op}: {source}")]
    Op {
        /// Its index.
        op: usize,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// The driver or wgpu refused something.
    #[error("{what}: {why}")]
    Refused {
        /// What was tried.
        what: String,
        /// The reason given.
        why: String,
    },
}

impl GpuError {
    /// The caller's data contradict themselves.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// The same, as the failure of an operation.
    pub fn of_op(self, op: usize) -> Self {
        match self {
            Self::Op { .. } => self,
            error => Self::Op {
                op,
                source: Box::new(error),
            },
        }
    }
}
