//! Plug-ins written in C, compiled here: a whole one, and libraries that are none.

#![cfg(unix)]

use fidelis_engine::backend::offload::{
    GpuLayers, OffloadBackend, OffloadError, OffloadSettings, Plugin,
};
use fidelis_engine::backend::{Backend, BackendError, CpuSettings, Logits, Step};
use fidelis_engine::graph::{Activation, Graph, Op, TensorId, WeightId};
use fidelis_engine::shape::Shape;
use fidelis_engine::tensor::Tensor;
use fidelis_simd::Format;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a plug-in; `None`, which is said, if there is no C compiler and none is required.
fn compiled(source: &str, defect: Option<&str>) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = defect.unwrap_or(source).to_lowercase();
    let file = format!("{DLL_PREFIX}{name}_{}{DLL_SUFFIX}", std::process::id());
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-I",
        ])
        .arg(root.join("abi/include"))
        .args(defect.map(|defect| format!("-D{defect}")))
        .arg("-o")
        .arg(&library)
        .arg(root.join(format!("tests/plugins/{source}.c")));
    match command.output() {
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("NOT TESTED: no C compiler ({error})");
            None
        }
        Err(error) => panic!("no C compiler: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            Some(library)
        }
    }
}

/// Loads a library with a defect.
fn refused(defect: &str) -> Option<OffloadError> {
    let path = compiled("broken", Some(defect))?;
    let error = Plugin::open(&path).err();
    std::fs::remove_file(path).expect("it was there");
    Some(error.unwrap_or_else(|| panic!("{defect} was loaded")))
}

macro_rules! refuses {
    ($defect:literal, $error:pat) => {
        if let Some(error) = refused($defect) {
            assert!(matches!(error, $error), "{}: {error:?}", $defect);
        }
    };
}

#[test]
fn a_library_that_is_no_plug_in_is_refused_by_what_is_wrong() {
    refuses!("NULL_ENTRY", OffloadError::Refused { wanted: 1, .. });
    refuses!(
        "OLD_VERSION",
        OffloadError::Version {
            found: 0,
            wanted: 1,
            ..
        }
    );
    refuses!("SHORT_TABLE", OffloadError::ShortTable { found: 16, .. });
    refuses!(
        "NULL_FUNCTION",
        OffloadError::BrokenTable {
            what: "devices is null",
            ..
        }
    );
    refuses!(
        "CROOKED_TABLE",
        OffloadError::BrokenTable {
            what: "it is not aligned",
            ..
        }
    );
    refuses!(
        "NO_ENTRY",
        OffloadError::MissingSymbol {
            symbol: "fidelis_offload_entry",
            ..
        }
    );
}

#[test]
fn files_that_are_no_libraries_are_refused() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, wanted) in [
        (here.join("nowhere.so"), "there is no plug-in at"),
        (here.to_owned(), "there is no plug-in at"),
        (here.join("Cargo.toml"), "cannot be loaded as a library"),
    ] {
        let error = Plugin::open(&path).expect_err("no plug-in").to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    // The working directory is not looked at: only beside the program, where a build of the workspace may have put it.
    let name = format!("{DLL_PREFIX}fidelis_offload_gpu{DLL_SUFFIX}");
    let program = std::env::current_exe().expect("a program");
    let lies_there = program.with_file_name(name).exists();
    match Plugin::beside_program() {
        Ok(_) => assert!(lies_there),
        Err(OffloadError::Missing { .. }) => assert!(!lies_there),
        Err(error) => panic!("{error}"),
    }
}

/// `logits = 2.5 · table[token]`.
fn embedding<'a>(bytes: &'a [u8], format: Format, rows: usize, width: usize) -> Graph<'a> {
    Graph {
        ops: vec![Op::Embed {
            table: WeightId(0),
            scale: 2.5,
            out: TensorId(0),
        }],
        activations: vec![Activation {
            name: "logits".to_owned(),
            width,
        }],
        weights: vec![Tensor {
            name: "token_embd.weight",
            format,
            shape: Shape::matrix(width, rows),
            bytes,
        }],
        ropes: vec![],
        caches: vec![],
        logits: TensorId(0),
    }
}

fn settings() -> OffloadSettings {
    OffloadSettings {
        device: 0,
        layers: GpuLayers::All,
        tier: None,
        observe: false,
        cpu: CpuSettings::new(8).expect("a level"),
    }
}

#[test]
fn a_plug_in_written_in_c_runs_a_graph() {
    let Some(path) = compiled("embed", None) else {
        return;
    };
    let plugin = Plugin::open(&path).expect("a plug-in");
    assert_eq!(plugin.about(), "embeddings in C");
    assert_eq!(plugin.devices().expect("a list").len(), 1);
    let values: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let graph = embedding(&bytes, Format::F32, 5, 4);
    let mut uploaded = Vec::new();
    let made = OffloadBackend::new(&graph, &plugin, &settings(), |done, all| {
        uploaded.push((done, all));
    });
    let mut backend = made.expect("a back end");
    assert_eq!(uploaded, [(0, 80), (80, 80)]);
    let step = |tokens, logits| Step {
        tokens,
        position: 0,
        logits,
    };
    let logits = backend
        .forward(&step(&[3, 0], Logits::All))
        .expect("a step");
    assert_eq!(logits, [30.0, 32.5, 35.0, 37.5, 0.0, 2.5, 5.0, 7.5]);
    backend.reset();
    let logits = backend
        .forward(&step(&[3, 1], Logits::Last))
        .expect("a step");
    assert_eq!(logits, [10.0, 12.5, 15.0, 17.5]);
    backend.reset();
    let error = backend
        .forward(&step(&[5], Logits::Last))
        .expect_err("no such token");
    assert!(
        matches!(
            error,
            BackendError::Token {
                token: 5,
                vocabulary: 5
            }
        ),
        "{error}"
    );

    let halves = embedding(&bytes[..40], Format::F16, 5, 4);
    let error = OffloadBackend::new(&halves, &plugin, &settings(), |_, _| {})
        .err()
        .expect("no halves");
    let said = "the device does not support embedding in F16 (logits): F32 alone";
    assert_eq!(error.to_string(), said);
    let error = OffloadBackend::new(
        &graph,
        &plugin,
        &OffloadSettings {
            device: 1,
            ..settings()
        },
        |_, _| {},
    );
    let error = error.err().expect("one device");
    assert_eq!(
        error.to_string(),
        "the plug-in finds 1 devices, so there is none with the number 1"
    );
}

#[test]
fn a_plug_in_without_devices_is_said_to_have_none() {
    let Some(path) = compiled("broken", Some("NO_DEVICE")) else {
        return;
    };
    let plugin = Plugin::open(&path).expect("a plug-in");
    assert_eq!(plugin.devices().expect("a list").len(), 0);
    let bytes = [0; 80];
    let graph = embedding(&bytes, Format::F32, 5, 4);
    let error = OffloadBackend::new(&graph, &plugin, &settings(), |_, _| {})
        .err()
        .expect("no device");
    assert!(
        matches!(error, BackendError::Offload(OffloadError::NoDevice)),
        "{error}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_plug_in_in_rust_exports_one_symbol() {
    let path = fidelis_offload_reference::path().expect("a path");
    let listed = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(path)
        .output();
    let listed = match listed {
        Err(error) if std::env::var_os("CI").is_none() => {
            return println!("NOT TESTED: no nm ({error})");
        }
        listed => listed.expect("binutils"),
    };
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // Versions of the linker's are no symbols.
    let symbols: Vec<&str> = listed
        .lines()
        .filter(|line| !line.contains(" A "))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(symbols, ["fidelis_offload_entry"]);
}
