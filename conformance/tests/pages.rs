//! A model runs from its map: pages are dropped behind the reader, and the bits stay.
#![cfg(target_os = "linux")]

use fidelis_engine::backend::{CpuBackend, CpuSettings, Logits, Observer, Step, Tier};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use std::path::{Path, PathBuf};

/// More than a part of a product, and what the system brings in beside it.
const BOUND: usize = 512 << 10;

/// Bytes of a file that are in memory as this program's pages.
fn resident(path: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux");
    let mut is_ours = false;
    let mut bytes = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if !first.ends_with(':') {
            is_ours = line.ends_with(path.to_str().expect("a name"));
        } else if is_ours && first == "Rss:" {
            let kib: usize = words
                .next()
                .and_then(|kib| kib.parse().ok())
                .expect("a number");
            bytes += kib << 10;
        }
    }
    bytes
}

/// The most that is resident at any checkpoint.
struct Most<'p> {
    path: &'p Path,
    bytes: usize,
    seen: usize,
}

impl Observer for Most<'_> {
    fn wants(&self, name: &str) -> bool {
        !name.ends_with("attn_scores") && !name.ends_with("attn_probs")
    }

    fn saw(&mut self, _: &str, _: &[usize], _: &[f64]) {
        self.bytes = self.bytes.max(resident(self.path));
        self.seen += 1;
    }
}

/// The most that is seen resident while another thread does `work`.
fn sample(path: &Path, work: impl FnOnce() + Send) -> usize {
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        let mut most = 0;
        while !worker.is_finished() {
            most = most.max(resident(path));
        }
        worker.join().expect("it runs");
        most
    })
}

/// A copy of the demo model that no other test maps.
fn copy() -> PathBuf {
    let demo =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/demo-model/demo-llama-q4_k_m.gguf");
    let copy = std::env::temp_dir().join(format!("fidelis-pages-{}.gguf", std::process::id()));
    std::fs::copy(demo, &copy).expect("the demo model");
    copy
}

#[test]
fn dropped_pages_keep_a_model_small_and_change_no_bit() {
    let path = copy();
    let file = File::open(&path).expect("the demo model");
    let gguf = file.gguf().expect("a file");
    let model = Model::read(&gguf).expect("a model");
    let steps: [&[u32]; 4] = [&[1; 70], &[9], &[11], &[700]];
    for tier in [Tier::Fast, Tier::F32, Tier::Audit] {
        for threads in [1, 2] {
            let settings = CpuSettings {
                threads,
                tier,
                ..CpuSettings::new(256).expect("a level")
            };
            let make = || CpuBackend::new(&model.graph, &settings).expect("it can be made");
            let (mut keeping, mut dropping) = (make(), make());
            dropping.drop_pages_of(&file);
            let mut position = 0;
            for tokens in steps {
                let step = Step {
                    tokens,
                    position,
                    logits: Logits::Last,
                };
                position += tokens.len();
                let expected = keeping.forward(&step).expect("it fits").to_vec();
                let all = resident(&path);
                assert!(
                    all > 4 * BOUND,
                    "{tier:?}: only {all} bytes would be resident"
                );
                let found = dropping.forward(&step).expect("it fits");
                assert_eq!(found, expected, "{tier:?}, {threads} threads");
                assert_eq!(resident(&path), 0, "{tier:?}, {threads} threads");
            }
            // Within a step, between its stages.
            let mut most = Most {
                path: &path,
                bytes: 0,
                seen: 0,
            };
            let step = Step {
                tokens: &[5],
                position,
                logits: Logits::Last,
            };
            let expected = keeping.forward(&step).expect("it fits").to_vec();
            file.parts().for_each(|part| file.drop_pages(part));
            let found = dropping
                .forward_observed(&step, &mut most)
                .expect("it fits");
            assert_eq!(found, expected, "{tier:?}");
            assert!(
                most.seen > 50 && most.bytes < BOUND,
                "{tier:?}: {} bytes",
                most.bytes
            );
            let sampled = sample(&path, || {
                for position in position + 1..position + 40 {
                    let step = Step {
                        tokens: &[5],
                        position,
                        logits: Logits::Last,
                    };
                    dropping.forward(&step).expect("it fits");
                }
            });
            assert!(
                sampled < BOUND,
                "{tier:?}, {threads} threads: {sampled} bytes"
            );
            println!("{tier:?}, {threads} threads: at most {sampled} bytes were seen");
        }
    }
    std::fs::remove_file(&path).expect("it is ours");
}

#[test]
fn bytes_of_another_origin_are_left_alone() {
    let path = std::env::temp_dir().join(format!("fidelis-origin-{}.gguf", std::process::id()));
    std::fs::write(&path, [7; 9000]).expect("a file");
    let (mapped, read) = (
        File::open(&path).expect("it is there"),
        File::read(&path).expect("it is there"),
    );
    let own = vec![3_u8; 100_000];
    for file in [&mapped, &read] {
        file.drop_pages(&own);
        file.drop_pages(&[]);
        file.parts().for_each(|part| file.drop_pages(part));
        assert!(file.parts().all(|part| part == [7; 9000]));
    }
    assert!(own.iter().all(|&byte| byte == 3));
    assert_eq!((mapped.bytes_read(), read.bytes_read()), (0, 9000));
    std::fs::remove_file(&path).expect("it is ours");
}
