//! A process that is killed while it saves leaves the old file or the new one.

use super::{Opened, answer, file, ids, sampling, settings};
use fidelis_conformance::tiny::Kind;
use fidelis_engine::backend::{CacheFormat, Tier};
use rand_core::Rng;
use rand_pcg::Pcg64;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Names the file to the process that saves.
const VARIABLE: &str = "FIDELIS_TEST_SAVES_TO";

/// What is saved in turns: texts of different lengths.
fn two_texts() -> [Vec<u8>; 2] {
    let mut both = [Vec::new(), Vec::new()];
    save_in_turns(|turn, opened, session| {
        if turn < 2 {
            both[turn] = opened.saved(session);
        }
        turn < 2
    });
    both
}

/// Reads one text, then another, and so on, until `save` has enough.
fn save_in_turns(
    mut save: impl FnMut(usize, &Opened<'_>, &fidelis_engine::session::Session<'_>) -> bool,
) {
    let bytes = file(Kind::Gemma3, 1);
    let opened = Opened::new(&bytes);
    let here = settings(Tier::F32, CacheFormat::F32);
    let mut sessions = [30, 70].map(|length| {
        let mut session = opened.session(&here, sampling(length as u64));
        answer(&mut session, &ids(length, 1), 3);
        session
    });
    for turn in 0.. {
        if !save(turn, &opened, &mut sessions[turn % 2]) {
            return;
        }
    }
}

/// The process that is killed: started by the test below, and by nobody else.
#[test]
#[ignore = "it saves until it is killed, by the test that starts it"]
fn saves_until_it_is_killed() {
    let path = std::env::var_os(VARIABLE).expect("started by the other test");
    save_in_turns(|_, opened, session| {
        session
            .save(Path::new(&path), &opened.digest, &[])
            .expect("the folder can be written to");
        std::io::stdout().write_all(b"#").is_ok() && std::io::stdout().flush().is_ok()
    });
}

#[test]
fn a_process_killed_while_it_saves_leaves_the_old_file_or_the_new_one() {
    let folder = std::env::temp_dir().join(format!("fidelis-killed-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("session");
    let texts = two_texts();
    assert!(texts[0] != texts[1] && !texts[0].is_empty());
    let mut random = Pcg64::new(11, 54);
    let (mut interrupted, mut round) = (0, 0);
    // A kill may also come between two saves.
    while interrupted < 20 && round < 200 {
        round += 1;
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "killed::saves_until_it_is_killed"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test can be started");
        let mut said = child.stdout.take().expect("piped");
        // So many saves, and a moment more that ends somewhere in the next one.
        let mut left = 1 + random.next_u32() % 4;
        let mut byte = [0];
        while left > 0 && said.read(&mut byte).expect("a pipe") == 1 {
            left -= u32::from(byte == *b"#");
        }
        assert_eq!(left, 0, "the child saves");
        for _ in 0..random.next_u32() % 400_000 {
            std::hint::spin_loop();
        }
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        let found = fs::read(&path).expect("there");
        assert!(texts.contains(&found), "round {round}: neither old nor new");
        let files = fs::read_dir(&folder).expect("a folder").count();
        interrupted += usize::from(files > 1);
        for entry in fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry").path();
            if entry != path {
                fs::remove_file(entry).expect("ours");
            }
        }
    }
    println!("{interrupted} of {round} were killed while they wrote");
    assert!(interrupted > 0, "none was killed while it wrote");
    fs::remove_dir_all(&folder).expect("ours");
}
