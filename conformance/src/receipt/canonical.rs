//! One text for one JSON value, whatever the file's white space and order of fields.

use serde_json::Value;

/// The value without white space, the fields of every object in the order of their names' code points.
///
/// - Strings escape `"`, `\` and control characters alone (`\b \t \n \f \r`, else `\u00xx` in lower case).
/// - A number written with digits alone, perhaps after a minus sign, is an integer and stays as it is. There are those from
///   −2⁶³ to 2⁶⁴ − 1; larger ones and `-0` count as the others.
/// - Every other number (with a point or an exponent) is the `f64` nearest to it, ties to even, and becomes the string
///   `"0x` and the 16 hexadecimal digits of that `f64`'s bits, in lower case: `0.05` is `"0x3fa999999999999a"`. So no rule
///   for printing decimals is needed. No field may hold either a number or a string, so the two are not confused.
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
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(value) => text.push_str(&format!("\"0x{:016x}\"", value.to_bits())),
            None => text.push_str(&number.to_string()),
        },
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    // Expected: Python's json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False), floats replaced
    // by "0x" + struct.pack(">d", value).hex().
    #[test]
    fn fields_are_sorted_and_white_space_goes() {
        let text = r#" { "b" : [ 1 , 0.05, null ], "a": {"é": "\u0001\n\"/\u00e9", "Z": true}, "é": -1.0 } "#;
        let value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            canonical(&value),
            r#"{"a":{"Z":true,"é":"\u0001\n\"/é"},"b":[1,"0x3fa999999999999a",null],"é":"0xbff0000000000000"}"#
        );
    }

    // Bits: Python's struct.pack(">d", value).hex().
    #[test]
    fn a_number_that_is_no_integer_is_the_bits_of_its_f64() {
        for (number, expected) in [
            ("1e-7", "\"0x3e7ad7f29abcaf48\""),
            ("1e-5", "\"0x3ee4f8b588e368f1\""),
            ("0.00001", "\"0x3ee4f8b588e368f1\""),
            ("1e16", "\"0x4341c37937e08000\""),
            ("3.4e38", "\"0x47eff933c78cdfad\""),
            ("1e-45", "\"0x3696d601ad376ab9\""),
            ("-0.0", "\"0x8000000000000000\""),
            ("-0", "\"0x8000000000000000\""),
            ("1.0", "\"0x3ff0000000000000\""),
            ("1E0", "\"0x3ff0000000000000\""),
            ("2.5", "\"0x4004000000000000\""),
            ("18446744073709551616", "\"0x43f0000000000000\""),
            ("1", "1"),
            ("0", "0"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let value = serde_json::from_str(number).expect("JSON");
            assert_eq!(canonical(&value), expected, "{number}");
        }
    }

    // Sampler settings as they are written: 1e-45 is the f32 of least size, in the f64 nearest to that decimal.
    #[test]
    fn written_f32_are_read_as_the_f64_of_their_decimals() {
        for (number, expected) in [
            (1e-7_f32, "\"0x3e7ad7f29abcaf48\""),
            (3.4e38, "\"0x47eff933c78cdfad\""),
            (1e-45, "\"0x3696d601ad376ab9\""),
            (1e16, "\"0x4341c37937e08000\""),
            (-0.0, "\"0x8000000000000000\""),
        ] {
            let written = serde_json::to_string(&number).expect("finite");
            let value = serde_json::from_str(&written).expect("JSON");
            assert_eq!(canonical(&value), expected, "{written}");
        }
    }
}
