//! Tools in chat templates: told of, called, and understood again.

use fidelis_engine::text::{Answer, ChatTemplate, Message, ToolCall, ToolFormat};
use serde_json::{Value, json};

/// As Hermes and Qwen have it: tags within text.
const HERMES: &str = "\
{%- if tools %}<|im_start|>system\nTools:
{%- for tool in tools %}\n{{ tool | tojson }}{% endfor %}
Answer a call as <tool_call>{\"name\": …, \"arguments\": …}</tool_call>.<|im_end|>\n{% endif %}
{%- for m in messages %}<|im_start|>{{ m.role }}
{%- if m.content %}\n{{ m.content }}{% endif %}
{%- for call in m.tool_calls or [] %}{% set f = call.function %}
<tool_call>\n{\"name\": \"{{ f.name }}\", \"arguments\": {{ f.arguments | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// As Mistral has it: a list behind a mark.
const MISTRAL: &str = "\
{{ bos_token }}{% if tools is defined and tools is not none %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]
{%- elif m.role == 'tool' %}[TOOL_RESULTS]{{ {'content': m.content} | tojson }}[/TOOL_RESULTS]
{%- elif m.tool_calls %}[TOOL_CALLS][{% for call in m.tool_calls %}{{ call.function | tojson }}{{ ', ' if not loop.last }}{% endfor %}]{{ eos_token }}
{%- else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";

/// As Llama 3.1 has it: one object, whose arguments are parameters.
const LLAMA: &str = "\
{{ bos_token }}{% if tools %}You may answer with {\"name\": …, \"parameters\": …}.{% for t in tools %}\n{{ t | tojson(indent=2) }}{% endfor %}{% endif %}
{%- for m in messages %}<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}<|end_header_id|>\n\n{% if m.tool_calls %}{% set f = m.tool_calls[0].function %}{\"name\": \"{{ f.name }}\", \"parameters\": {{ f.arguments | tojson }}}
{%- else %}{{ m.content }}{% endif %}<|eot_id|>{% endfor %}
{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "weather", "description": "The weather of a town", "parameters":
        {"type": "object", "properties": {"town": {"type": "string"}, "days": {"type": "integer"}}, "required": ["town"]}}})
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments,
    }
}

/// A question, the calls that answer it, and a result.
fn conversation(calls: Vec<ToolCall>) -> Vec<Message> {
    let mut assistant = Message::new("assistant", "");
    assistant.tool_calls = calls;
    let user = Message::new("user", "How is the weather in Málaga?");
    vec![user, assistant, Message::new("tool", "sunny \"25\"")]
}

#[test]
fn what_a_template_writes_of_a_call_is_understood_as_that_call() {
    let town = || {
        call(
            "weather",
            json!({"town": "Málaga \"ñ\"\n", "days": 3, "at": {"b": [1.5, null], "a": {}}}),
        )
    };
    let two = || vec![town(), call("now", json!({}))];
    for (source, format, end, calls) in [
        (HERMES, ToolFormat::Hermes, "<|im_end|>", two()),
        (MISTRAL, ToolFormat::Mistral, "</s>", two()),
        (LLAMA, ToolFormat::Llama, "<|eot_id|>", vec![town()]),
    ] {
        let template = ChatTemplate::new(source, "<s>", "</s>").expect("Jinja");
        assert_eq!(template.tool_format(), Some(format));
        let messages = conversation(calls.clone());
        let render = |messages| template.render_with_tools(messages, &[weather()], false);
        let before = render(&messages[..1]).expect("renders");
        let with_call = render(&messages[..2]).expect("renders");
        let said = with_call
            .strip_prefix(&before)
            .expect("a longer conversation");
        let said = said
            .strip_suffix(end)
            .or_else(|| said.trim_end().strip_suffix(end));
        let said = said.unwrap_or_else(|| panic!("{with_call:?}"));
        let said = said
            .rsplit_once("<|end_header_id|>\n\n")
            .map_or(said, |parts| parts.1);
        let said = said.strip_prefix("<|im_start|>assistant").unwrap_or(said);
        let wanted = Answer {
            text: String::new(),
            calls,
        };
        assert_eq!(format.parse(said), wanted, "{said:?}");
        // Marks that are control tokens are not in an answer's text.
        if format != ToolFormat::Hermes {
            assert_eq!(format.parse(&said.replace("[TOOL_CALLS]", "")), wanted);
        }
        let whole = render(&messages).expect("renders");
        let result = whole
            .strip_prefix(&with_call)
            .expect("a longer conversation");
        assert!(result.contains("sunny"), "{result:?}");
        // The keys of a tool stay in their order, and without tools none is told of.
        let told = before.replace([' ', '\n'], "");
        assert!(
            told.contains(&weather().to_string().replace(' ', "")),
            "{told}"
        );
        assert!(
            !template
                .render(&messages, false)
                .expect("renders")
                .contains("The weather of a town")
        );
    }
}

#[test]
fn calls_are_found_within_text_and_malformed_ones_stay_text() {
    let now = || vec![call("now", json!({}))];
    for (format, said, text, calls) in [
        (ToolFormat::Hermes, "Just talk.\n", "Just talk.\n", vec![]),
        (
            ToolFormat::Hermes,
            "I look.\n<tool_call>{\"name\": \"now\"}</tool_call>\n",
            "I look.",
            now(),
        ),
        // The end token came in place of the mark.
        (
            ToolFormat::Hermes,
            "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n",
            "",
            now(),
        ),
        (
            ToolFormat::Hermes,
            "<tool_call>{\"name\": \"now\", \"argum",
            "<tool_call>{\"name\": \"now\", \"argum",
            vec![],
        ),
        (
            ToolFormat::Hermes,
            "<tool_call>{\"name\": 3}</tool_call>",
            "<tool_call>{\"name\": 3}</tool_call>",
            vec![],
        ),
        (
            ToolFormat::Hermes,
            "<tool_call>no</tool_call> <tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>",
            "<tool_call>no</tool_call>",
            now(),
        ),
        (ToolFormat::Hermes, "<tool_call>", "<tool_call>", vec![]),
        (
            ToolFormat::Hermes,
            "<tool_call>{\"name\": \"now\", \"arguments\": [1]}",
            "<tool_call>{\"name\": \"now\", \"arguments\": [1]}",
            vec![],
        ),
        // OpenAI's arguments are JSON in a string.
        (
            ToolFormat::Hermes,
            "<tool_call>{\"name\": \"now\", \"arguments\": \"{}\"}</tool_call>",
            "",
            now(),
        ),
        (
            ToolFormat::Mistral,
            "[TOOL_CALLS] [{\"name\": \"now\", \"arguments\": {}}]",
            "",
            now(),
        ),
        (
            ToolFormat::Mistral,
            "I look. [TOOL_CALLS][{\"name\": \"now\"}]",
            "I look.",
            now(),
        ),
        (
            ToolFormat::Mistral,
            "[TOOL_CALLS][{\"name\": \"now\"}",
            "[TOOL_CALLS][{\"name\": \"now\"}",
            vec![],
        ),
        (ToolFormat::Mistral, "[1, 2]", "[1, 2]", vec![]),
        (ToolFormat::Mistral, "[]", "[]", vec![]),
        (
            ToolFormat::Llama,
            "<|python_tag|>{\"name\": \"now\", \"parameters\": {}}",
            "",
            now(),
        ),
        (
            ToolFormat::Llama,
            "{\"name\": \"now\", \"parameters\": {}}; {\"name\": \"now\", \"parameters\": {}}",
            "",
            [now(), now()].concat(),
        ),
        (
            ToolFormat::Llama,
            "{\"name\": \"Ada\"}",
            "{\"name\": \"Ada\"}",
            vec![],
        ),
        (
            ToolFormat::Llama,
            "{\"name\": \"now\", \"parameters\": {}} or not",
            "{\"name\": \"now\", \"parameters\": {}} or not",
            vec![],
        ),
        (ToolFormat::Llama, "print(1)", "print(1)", vec![]),
        (ToolFormat::Llama, "", "", vec![]),
    ] {
        let wanted = Answer {
            text: text.to_owned(),
            calls,
        };
        assert_eq!(format.parse(said), wanted, "{format:?}: {said:?}");
    }
}

#[test]
fn templates_that_know_no_tools_have_no_format() {
    for name in ChatTemplate::names() {
        let template = ChatTemplate::new(name, "<s>", "</s>").expect("Jinja");
        assert_eq!(template.tool_format(), None, "{name}");
    }
}

#[test]
fn messages_read_back_as_they_were_written_and_as_others_write_them() {
    for message in conversation(vec![call("weather", json!({"town": "Málaga"}))]) {
        let text = serde_json::to_string(&message).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Message>(&text).expect("a message"),
            message
        );
        assert_eq!(text.contains("tool_calls"), message.role == "assistant");
    }
    let open_ai = r#"{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
        "function": {"name": "weather", "arguments": "{\"town\": \"Málaga\"}"}}]}"#;
    let message: Message = serde_json::from_str(open_ai).expect("a message");
    assert_eq!(message.content, "");
    assert_eq!(
        message.tool_calls,
        [call("weather", json!({"town": "Málaga"}))]
    );
}
