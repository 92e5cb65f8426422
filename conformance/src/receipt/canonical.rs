//! One text for one JSON value, whatever the file's white space and order of fields.

use serde_json::Value;

/// The value without white space, the fields of every object in the order of their names' code points.
///
/// Strings escape `"`, `\` and control characters alone (`\b \t \n \f \r`, else `\u00xx` in lower case). Integers are written as
/// such, other numbers as the shortest decimals that read back as the same `f64`, with a digit after the point (`1.0`, `0.05`, `1e-45`).
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    add(value, &mut text);
    text
}

fn add(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => {
            text.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                add(value, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (place, (name, value)) in fields.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                add(value, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    // Expected: Python's json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).
    #[test]
    fn fields_are_sorted_and_white_space_goes() {
        let text = r#" { "b" : [ 1 , 0.05, null ], "a": {"é": "\u0001\n\"/\u00e9", "Z": true}, "é": -1.0 } "#;
        let value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            canonical(&value),
            r#"{"a":{"Z":true,"é":"\u0001\n\"/é"},"b":[1,0.05,null],"é":-1.0}"#
        );
    }
}
