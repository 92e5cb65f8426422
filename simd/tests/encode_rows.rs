//! What encoding promises besides small errors.

use fidelis_simd::dense::Dequantise;
use fidelis_simd::encode::{EncodeError, encode_row, is_supported};
use fidelis_simd::{Format, Level};

fn supported() -> impl Iterator<Item = Format> {
    Format::ALL
        .iter()
        .copied()
        .filter(|&format| is_supported(format))
}

fn encode(format: Format, values: &[f32]) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![0xa5; format.bytes_of(values.len()).expect("whole blocks")];
    encode_row(format, values, &mut bytes).map(|()| bytes)
}

fn decode(format: Format, row: &[u8], len: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; len];
    Dequantise {
        format,
        row,
        out: &mut out,
    }
    .on(Level::best());
    out
}

/// 1024 values between −1 and 1 without a pattern.
fn values() -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..1024).map(|_| next()).collect()
}

#[test]
fn the_formats_of_the_mixes_are_supported() {
    use Format::{BF16, F16, F32, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
    let expected = [
        F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16,
    ];
    assert_eq!(supported().collect::<Vec<_>>(), expected);
}

#[test]
fn zeros_stay_zeros() {
    for format in supported() {
        let bytes = encode(format, &[0.0; 512]).expect("zeros are finite");
        assert_eq!(decode(format, &bytes, 512), [0.0; 512], "{format}");
    }
}

#[test]
fn blocks_are_independent() {
    let values = values();
    for format in supported() {
        let whole = encode(format, &values).expect("finite");
        let parts = values
            .chunks(256)
            .flat_map(|part| encode(format, part).expect("finite"));
        assert_eq!(whole, parts.collect::<Vec<_>>(), "{format}");
    }
}

#[test]
fn no_value_makes_another_block_worse() {
    let mut values = values();
    for format in supported() {
        values[0] = 0.5;
        let before = encode(format, &values).expect("finite");
        values[0] = 60_000.0;
        let after = encode(format, &values).expect("finite");
        let bytes = format.block_bytes();
        assert_eq!(before[bytes..], after[bytes..], "{format}");
        assert_ne!(before[..bytes], after[..bytes], "{format}");
    }
}

#[test]
fn a_power_of_two_times_the_values_gives_as_much_times_the_result() {
    // True where no half is subnormal: scales of scales of values of 1 are near 2⁻¹².
    let values = values();
    let larger: Vec<f32> = values.iter().map(|x| x * 64.0).collect();
    for format in supported() {
        let once = decode(format, &encode(format, &values).expect("finite"), 1024);
        let found = decode(format, &encode(format, &larger).expect("finite"), 1024);
        let wrong = once.iter().zip(&found).position(|(x, y)| x * 64.0 != *y);
        assert_eq!(wrong, None, "{format}");
    }
}

#[test]
fn the_extremes_of_the_range_are_met() {
    for format in supported() {
        for largest in [65_504.0, 6e-5, 1e-7, 6e-8] {
            let values: Vec<f32> = (0..256)
                .map(|i| if i % 2 == 0 { largest } else { -largest })
                .collect();
            let found = decode(format, &encode(format, &values).expect("in range"), 256);
            for (x, y) in values.iter().zip(found) {
                // The smallest half is 6e-8: nothing is further off than that and a step.
                let bound = largest / 7.0 + 6e-8;
                assert!((x - y).abs() <= bound, "{format}: {x:e} became {y:e}");
            }
        }
        let nothing = encode(format, &[1e-30; 256]).expect("in range");
        let found = decode(format, &nothing, 256);
        assert!(found.iter().all(|y| y.abs() <= 1e-29), "{format}");
    }
}

#[test]
fn halves_are_rounded_to_nearest_even() {
    // 1 + 2⁻¹¹ lies between two halves, as does half of the smallest; 1 + 2⁻⁸ between two BF16.
    let half = [
        (1.0 + 1.0 / 2048.0, 0x3c00),
        (1.0 + 3.0 / 2048.0, 0x3c02),
        (1.0 + 1.25 / 2048.0, 0x3c01),
        (-65_504.0, 0xfbff),
        (1.0 / 33_554_432.0, 0x0000),
        (1.5 / 33_554_432.0, 0x0001),
        (3.0 / 33_554_432.0, 0x0002),
    ];
    let bf16 = [
        (1.0 + 1.0 / 256.0, 0x3f80),
        (1.0 + 3.0 / 256.0, 0x3f82),
        (1.0 + 1.25 / 256.0, 0x3f81),
        (-2.0, 0xc000),
        (f32::MIN_POSITIVE, 0x0080),
    ];
    for (format, cases) in [(Format::F16, &half[..]), (Format::BF16, &bf16[..])] {
        for &(value, expected) in cases {
            let found = encode(format, &[value]).expect("in range");
            assert_eq!(
                u16::from_le_bytes([found[0], found[1]]),
                expected,
                "{format}: {value:e}"
            );
        }
    }
}

#[test]
fn constants_survive_to_the_precision_of_a_half() {
    for format in supported() {
        // Smaller ones have subnormal scales, which are coarser.
        for constant in [1.0_f32, -1.0, 0.37, -0.002_5, 300.0] {
            let bytes = encode(format, &[constant; 256]).expect("finite");
            for found in decode(format, &bytes, 256) {
                let bound = constant.abs() * if format == Format::BF16 { 4e-3 } else { 6e-4 };
                assert!(
                    (found - constant).abs() <= bound,
                    "{format}: {constant} became {found}"
                );
            }
        }
    }
}

#[test]
fn bad_rows_are_errors_that_say_where() {
    for format in supported() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.5; 512];
            values[300] = bad;
            assert_eq!(
                encode(format, &values),
                Err(EncodeError::NotFinite { index: 300 })
            );
        }
        let mut values = vec![0.5; 512];
        values[511] = -f32::MAX;
        let expected = EncodeError::OutOfRange {
            format,
            index: 511,
            value: -f32::MAX,
        };
        match format {
            Format::F32 => assert!(encode(format, &values).is_ok()),
            _ => assert_eq!(encode(format, &values), Err(expected)),
        }
        if format.block_len() > 1 {
            let error = encode_row(format, &[0.0; 31], &mut [0; 1024]);
            assert_eq!(error, Err(EncodeError::PartialBlock { format, values: 31 }));
        }
        let wanted = format.bytes_of(512).expect("whole blocks");
        for found in [0, wanted - 1, wanted + 1] {
            let error = encode_row(format, &[0.0; 512], &mut vec![0; found]);
            assert_eq!(error, Err(EncodeError::WrongRoom { wanted, found }));
        }
    }
    let error = encode_row(Format::IQ2_XXS, &[0.0; 256], &mut [0; 66]);
    assert_eq!(
        error,
        Err(EncodeError::Unsupported {
            format: Format::IQ2_XXS
        })
    );
}

#[test]
fn the_bytes_are_the_same_on_every_machine() {
    // Our own bytes, as a fingerprint: a machine that rounds or fuses differently ends up elsewhere.
    let values = values();
    let found: Vec<(Format, u64)> = supported()
        .map(|format| {
            let bytes = encode(format, &values).expect("finite");
            let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            (format, hash)
        })
        .collect();
    let expected = [
        (Format::F32, 9_874_831_401_313_092_021),
        (Format::F16, 16_727_564_316_696_668_596),
        (Format::Q4_0, 5_816_740_630_698_269_840),
        (Format::Q4_1, 13_045_831_394_640_266_967),
        (Format::Q5_0, 3_854_277_492_319_232_829),
        (Format::Q5_1, 14_639_580_823_812_606_313),
        (Format::Q8_0, 9_800_627_099_148_164_898),
        (Format::Q4_K, 13_997_484_372_658_997_042),
        (Format::Q5_K, 16_343_880_558_953_101_708),
        (Format::Q6_K, 16_374_651_676_739_124_957),
        (Format::BF16, 10_673_732_145_850_071_022),
    ];
    assert_eq!(found, expected);
}
