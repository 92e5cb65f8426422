//! What chat templates expect of Jinja beyond the language itself.

use super::{jinja_limits, template_clock};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

/// Adds the functions, filters, methods and white-space rules of Hugging Face's templates.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(jinja_limits::method);
    jinja_limits::add(environment);
    environment.add_function(
        "raise_exception",
        |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        },
    );
    template_clock::add(environment);
    environment.add_filter("tojson", to_json);
}

/// A value as JSON, with `, ` and `: ` between parts as Python writes it; `indent` spaces a level.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let failed =
        |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let indent: Option<usize> = options.get("indent")?;
    // Python's other options change nothing here: keys keep their order and text is not escaped to ASCII.
    let _ = (
        options.get::<Option<bool>>("ensure_ascii")?,
        options.get::<Option<bool>>("sort_keys")?,
        options.get::<Option<Value>>("separators")?,
    );
    options.assert_all_used()?;
    let mut out = Vec::new();
    use serde::Serialize;
    match indent {
        Some(indent) => {
            jinja_limits::size(&indent.into())?;
            let spaces = " ".repeat(indent);
            let format = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value
                .serialize(&mut serde_json::Serializer::with_formatter(
                    &mut out, format,
                ))
                .map_err(failed)?;
        }
        None => value
            .serialize(&mut serde_json::Serializer::with_formatter(
                &mut out, Spaced,
            ))
            .map_err(failed)?,
    }
    Ok(Value::from_safe_string(
        String::from_utf8_lossy(&out).into_owned(),
    ))
}

/// Python's default separators.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
