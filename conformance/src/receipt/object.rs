//! JSON in which no object names a field twice.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// A value that [`Deserialize`] refuses if any object in it repeats a field; the error names the field.
///
/// Parsers differ in which of two fields they keep, so such a text could say one thing to us and another to others.
/// Names are compared after their escapes are undone.
pub(super) struct Unique(pub(super) Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("repeated field `{name}`")));
            }
            let Unique(value) = fields.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::Unique;
    use serde_json::Value;

    #[test]
    fn a_value_without_repetitions_is_what_serde_json_reads() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 0.5, "é\n", {}], "b": {"a": -0.0}}"#;
        let plain: Value = serde_json::from_str(text).expect("JSON");
        let Unique(unique) = serde_json::from_str(text).expect("JSON");
        assert_eq!(unique, plain);
    }

    #[test]
    fn a_repeated_field_is_refused_by_name_at_every_depth() {
        for (text, name) in [
            (r#"{"a": 1, "b": 2, "a": 1}"#, "a"),
            (r#"[0, {"x": {"deep": [{"q": 0, "q": 0}]}}]"#, "q"),
            // The second name is the first with an escape.
            (r#"{"prompt": 1, "\u0070rompt": 2}"#, "prompt"),
        ] {
            let error = serde_json::from_str::<Unique>(text).err().expect("refused");
            assert!(error.is_data(), "{error}");
            let says = format!("repeated field `{name}` at line 1");
            assert!(error.to_string().starts_with(&says), "{error}");
        }
    }
}
