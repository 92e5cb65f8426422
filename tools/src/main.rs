//! The command line: chat, run, verify, conformance, doctor, trace, tokenize, inspect, quantize, synth, bench, devices.

#![forbid(unsafe_code)]

mod bench;
mod chat;
mod conformance;
#[cfg_attr(not(feature = "constraints"), path = "constrain_absent.rs")]
mod constrain;
mod demo;
mod device;
mod devices;
mod doctor;
mod draft;
mod flags;
mod inspect;
mod interrupt;
mod load;
mod memory;
mod mix;
mod observe;
mod output;
mod probe;
mod progress;
mod prompt_cache;
mod quantize;
mod receipt;
mod run;
mod sampling;
mod shapes;
mod synth;
mod template;
mod tokenize;
mod tools;
mod trace;
mod verify;

use clap::{Parser, Subcommand};
use fidelis_engine::gguf::guard;
use std::process::ExitCode;

/// Runs GGUF language models on the CPU, with the same bits everywhere.
#[derive(Parser)]
#[command(name = "fidelis", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Chat with a model; without -m with the small one inside this program.
    Chat(Box<chat::Chat>),
    /// Answer one prompt: text alone goes to stdout.
    Run(Box<run::Run>),
    /// Replay a receipt of `run --receipt` and say whether every bit agrees.
    Verify(verify::Verify),
    /// Compare two ways of running a model, or another engine's recording: which operation is wrong, and why.
    Conformance(Box<conformance::Conformance>),
    /// Find out what is wrong with a model file, or with what another engine makes of it.
    Doctor(Box<doctor::Doctor>),
    /// Record the checkpoints of a run.
    Trace(Box<trace::Trace>),
    /// Show the tokens of a text.
    Tokenize(tokenize::Tokenize),
    /// Show what is in a model file.
    Inspect(inspect::Inspect),
    /// Write a model file in another format.
    Quantize(quantize::Quantize),
    /// Write a file of random weights at a real model's shape.
    Synth(synth::Synth),
    /// Measure tokens per second, and how near the machine's limits that is.
    Bench(Box<bench::Bench>),
    /// List where models can run: the CPU, and GPUs behind the plug-in.
    Devices(Box<devices::Devices>),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(flags::with_two_dashes(std::env::args())) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; everything else is 1, as elsewhere.
            let code = u8::from(error.use_stderr());
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = guard::install() {
        eprintln!("a model file that is cut short will end this program by a signal: {error}");
    }
    let done = match cli.command {
        Command::Chat(chat) => chat.execute(),
        Command::Run(run) => run.execute(),
        Command::Verify(verify) => verify.execute(),
        Command::Conformance(conformance) => match conformance.execute() {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Doctor(doctor) => match doctor.execute() {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Trace(trace) => trace.execute(),
        Command::Tokenize(tokenize) => tokenize.execute(),
        Command::Inspect(inspect) => inspect.execute(),
        Command::Quantize(quantize) => quantize.execute(),
        Command::Synth(synth) => synth.execute(),
        Command::Bench(bench) => bench.execute(),
        Command::Devices(devices) => devices.execute(),
    };
    // Whatever came of it, the file is the reason.
    let done = match guard::lost() {
        Some(lost) => Err(lost.into()),
        None => done,
    };
    match done {
        Ok(()) => interrupt::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut said = error.to_string();
            for cause in error.chain().skip(1).map(ToString::to_string) {
                if cause != said {
                    eprintln!("  because: {cause}");
                }
                said = cause;
            }
            ExitCode::from(verify::exit_code(&error))
        }
    }
}
