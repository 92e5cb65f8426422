//! Texts of fixed size hold what fits and give what is readable.

use fidelis_abi::Text;

#[test]
fn a_text_is_cut_at_a_character() {
    for length in [0, 1, 505, 506, 507, 508, 509, 2000] {
        let written = "é".repeat(length) + "x";
        let text = Text::new(&written);
        let kept = text.as_str();
        assert!(written.starts_with(kept), "{length}");
        // Two bytes a character, 508 of them; one byte may stay free.
        assert!(
            kept.len() == written.len().min(508),
            "{length}: {}",
            kept.len()
        );
    }
    assert_eq!(Text::new(&"a€".repeat(200)).as_str().len(), 508);
    assert_eq!(
        Text::new(&("a".to_owned() + &"€".repeat(200)))
            .as_str()
            .len(),
        508
    );
    assert_eq!(
        Text::new(&("aa".to_owned() + &"€".repeat(200)))
            .as_str()
            .len(),
        506
    );
}

#[test]
fn what_another_wrote_is_read_without_trust() {
    let mut text = Text::new("good\u{e9}");
    text.length = u32::MAX;
    assert!(text.as_str().starts_with("goodé\0"));
    text.bytes[4] = 0xff;
    assert_eq!(text.as_str(), "good");
}
