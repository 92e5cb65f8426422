//! Templates that go on for ever, nest without end or ask for too much: an error or a text, never the end of the program.

use fidelis_engine::text::{ChatTemplate, Message, TemplateError};

fn render(source: &str) -> Result<String, TemplateError> {
    let talk = [Message::new("user", "Hi")];
    ChatTemplate::new(source, "<s>", "</s>")?.render(&talk, true)
}

#[track_caller]
fn refused(source: &str, wanted: &str) {
    let error = render(source).expect_err(source).to_string();
    assert!(error.contains(wanted), "{source}: {error}");
}

#[test]
fn a_template_that_goes_on_for_ever_is_stopped() {
    for source in [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in [1] * 999999999 %}{% endfor %}",
        "{% macro f(n) %}{% for i in range(9) %}{{ f(n + 1) if n < 9 }}{% endfor %}{% endmacro %}{{ f(0) }}",
    ] {
        refused(source, "takes more steps than a conversation of its length");
    }
    refused(
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "recursion",
    );
}

#[test]
fn a_long_conversation_is_no_endless_one() {
    let talk: Vec<Message> = (0..5_000)
        .map(|turn| Message::new(["user", "assistant"][turn % 2], "Hi"))
        .collect();
    let source = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}{% endif %}{% if m.role == 'user' %}{{ '[INST] ' ~ m.content | trim ~ ' [/INST]' }}{% else %}{{ ' ' + m.content | trim + eos_token }}{% endif %}{% endfor %}";
    let template = ChatTemplate::new(source, "<s>", "</s>").expect("Jinja");
    let text = template.render(&talk, false).expect("all of it");
    assert_eq!(text, "[INST] Hi [/INST] Hi</s>".repeat(2_500));
}

#[test]
fn sizes_that_no_conversation_needs_are_refused() {
    for source in [
        "{{ [1] | tojson(indent=99999999999) }}",
        "{{ 'a\nb' | indent(99999999999) }}",
        "{{ 'a\nb' | indent(width=99999999999) }}",
        "{{ [1, 2] | batch(99999999999) | list }}",
        "{{ [1, 2] | slice(99999999999) | list }}",
        "{{ '%99999999999d' | format(1) }}",
        "{{ '{:99999999999}'.format(1) }}",
    ] {
        refused(source, "more than 10000");
    }
    // What they are for stays.
    for (source, wanted) in [
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ [1, 2, 3] | batch(2) | list }}", "[[1, 2], [3]]"),
        ("{{ '%05.1f|%s' | format(2.5, 'x') }}", "002.5|x"),
        ("{{ '{}-{:>3}'.format('a', 1) }}", "a-  1"),
    ] {
        assert_eq!(render(source).expect(source), wanted, "{source}");
    }
}

#[test]
fn what_is_nested_deep_does_not_end_the_program() {
    // Lists in lists, made, compared, shown and written as JSON.
    let nested = |end: &str| {
        format!(
            "{{% set ns = namespace(x=[]) %}}{{% for i in range(9000) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{end}"
        )
    };
    for end in [
        "",
        "{{ ns.x }}",
        "{{ ns.x | tojson }}",
        "{{ ns.x == ns.x }}",
    ] {
        assert!(render(&nested(end)).is_ok(), "{end}");
    }
    // Operators upon operators, as long as a template may be: read or refused.
    for (open, each, close) in [
        ("{{ a", ".b", " }}"),
        ("{{ a", "|upper", " }}"),
        ("{{ 1", "+1", " }}"),
        ("{{ a", "+1", " }}"),
        ("{{ 1", "~1", " }}"),
        ("{{ ", "-", "1 }}"),
        ("{{ ", "not ", "1 }}"),
        ("{{ ", "(", " }}"),
        ("{% if a %}", "{% elif a %}", "{% endif %}"),
        ("{% if a %}", "{% if a %}", ""),
    ] {
        let room = (64 << 10) - open.len() - close.len();
        let source = format!("{open}{}{close}", each.repeat(room / each.len()));
        let _ = render(&source);
    }
}

#[test]
fn a_template_longer_than_any_is_refused() {
    let long = "x".repeat((64 << 10) + 1);
    refused(&long, "has 65537 bytes, and at most 65536 are read");
    assert_eq!(render(&long[1..]).expect("as long as may be"), long[1..]);
}

// minijinja 2.24 panics where it turns an empty list around.
#[test]
fn a_fault_of_the_library_is_an_error() {
    for source in [
        "{% for m in messages[1:][::-1] %}{{ m.role }}{% endfor %}",
        "{{ messages[::-9223372036854775808] | list }}",
    ] {
        if let Err(error) = render(source) {
            assert!(matches!(error, TemplateError::Library), "{source}: {error}");
        }
    }
    assert_eq!(render("{{ messages[::-1] | length }}").expect("one"), "1");
}
