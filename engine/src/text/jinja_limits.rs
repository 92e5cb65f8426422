//! What a template may take: it comes with a model's file, from whoever made that.
//!
//! Its length, the instructions that it takes, and the numbers by which filters make much of little are limited here. What it
//! keeps in memory is not: a text that is joined to itself doubles, and the library counts no bytes.

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};

/// Bytes of a template at most. Published ones have some thousands, and the library takes time with the square of an expression's length.
pub(super) const BYTES: usize = 64 << 10;

/// Instructions of a template of no message; published ones take about a hundred.
const STEPS: u64 = 100_000;

/// Instructions for each message: ten times what published templates take.
const STEPS_A_MESSAGE: u64 = 1_000;

/// Instructions at most: lists nested by each of them must not be too deep for [`apart`].
const MOST_STEPS: u64 = 1_000_000;

/// Bytes of the stack on which templates are read and rendered.
///
/// The library calls itself for each operator of a template's expression and for each level of a list in a list.
const STACK: usize = 256 << 20;

/// The largest width, indent or count that a filter is given.
const WIDTH: usize = 10_000;

/// Instructions for a conversation.
pub(super) fn steps(messages: usize) -> u64 {
    let more = STEPS_A_MESSAGE.saturating_mul(messages as u64);
    STEPS.saturating_add(more).min(MOST_STEPS)
}

/// Replaces the filters that are given a size by ones that look at it first.
pub(super) fn add(environment: &mut Environment<'static>) {
    for (name, filter) in [
        ("batch", Value::from_function(filters::batch)),
        ("slice", Value::from_function(filters::slice)),
        ("indent", Value::from_function(filters::indent)),
    ] {
        environment.add_filter(name, move |state: &State, all: Rest<Value>| {
            all.iter().skip(1).try_for_each(size)?;
            filter.call(state, &all)
        });
    }
    let filter = Value::from_function(filters::format);
    environment.add_filter("format", move |state: &State, all: Rest<Value>| {
        all.first().map_or(Ok(()), widths)?;
        filter.call(state, &all)
    });
}

/// A method of Python's that the library does not have itself.
pub(super) fn method(
    state: &State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if method == "format" {
        widths(value)?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}

fn too_large() -> Error {
    let reason = format!("a width, an indent or a count is more than {WIDTH}");
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// Refuses a large number, on its own or among named arguments.
pub(super) fn size(argument: &Value) -> Result<(), Error> {
    match argument.kind() {
        ValueKind::Number if argument.as_usize().is_none_or(|n| n > WIDTH) => Err(too_large()),
        ValueKind::Map => {
            let mut keys = argument.try_iter()?;
            keys.try_for_each(|key| size(&argument.get_item(&key)?))
        }
        _ => Ok(()),
    }
}

/// Refuses a format that names a large width.
fn widths(format: &Value) -> Result<(), Error> {
    let text = format.as_str().unwrap_or_default();
    let runs = text.split(|character: char| !character.is_ascii_digit());
    let is_small = |run: &str| run.parse().is_ok_and(|n: usize| n <= WIDTH);
    if runs.filter(|run| !run.is_empty()).all(is_small) {
        Ok(())
    } else {
        Err(too_large())
    }
}

/// Does `work` on a thread with a stack that is deep enough; `None` if it panicked, which is a fault of the library.
///
/// Where there are no threads, it is done here.
pub(super) fn apart<T: Send>(work: impl Fn() -> T + Sync) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("chat template".to_owned())
            .stack_size(STACK);
        match thread.spawn_scoped(scope, &work) {
            Ok(thread) => thread.join().ok(),
            Err(_) => Some(work()),
        }
    })
}
