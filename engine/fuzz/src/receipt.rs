//! Receipts, as far as they are verified without a model.

use fidelis_conformance::receipt::{Receipt, SigningKey};
use std::hint::black_box;

/// Reads `bytes` as a receipt.
pub fn receipt(bytes: &[u8]) {
    let Ok(opened) = Receipt::read(bytes) else {
        return;
    };
    let receipt = opened.receipt;
    let key = SigningKey::from_bytes(&[7; 32]);
    if let Some(signature) = opened.signature {
        black_box(
            signature
                .check(&key.verifying_key(), &opened.checksum)
                .is_ok(),
        );
    }
    let _ = black_box((
        receipt.check_rules(),
        receipt.check_sense(),
        receipt.check_prompt(320),
    ));
    let _ = black_box(receipt.sampler.settings());
    // What was read is written, and reads as the same.
    let text = receipt
        .to_text(Some(&key))
        .expect("its numbers came from JSON");
    let again = Receipt::read(text.as_bytes()).expect("as it was written");
    assert_eq!(again.receipt, receipt);
}
