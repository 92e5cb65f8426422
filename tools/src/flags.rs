//! llama.cpp's flags of one dash and several letters, for a parser that has none.

/// What stands for what.
const SHORT: [(&str, &str); 25] = [
    ("-md", "--model-draft"),
    ("-tb", "--threads-batch"),
    ("-ub", "--ubatch-size"),
    ("-ctk", "--cache-type-k"),
    ("-ctv", "--cache-type-v"),
    ("-sys", "--system-prompt"),
    ("-sysf", "--system-prompt-file"),
    ("-st", "--single-turn"),
    ("-cnv", "--conversation"),
    ("-no-cnv", "--no-conversation"),
    ("-ngl", "--n-gpu-layers"),
    ("-dev", "--device"),
    ("-sp", "--special"),
    ("-fa", "--flash-attn"),
    ("-mli", "--multiline-input"),
    ("-lv", "--log-verbosity"),
    ("-pg", "--pg"),
    ("-nkvo", "--no-kv-offload"),
    ("-hf", "--hf-repo"),
    ("-mu", "--model-url"),
    ("-kvu", "--kv-unified"),
    ("-bf", "--binary-file"),
    ("-jf", "--json-schema-file"),
    ("-lm", "--load-mode"),
    ("-lcs", "--lookup-cache-static"),
];

/// The arguments, with such flags spelled out.
pub(crate) fn with_two_dashes(
    arguments: impl Iterator<Item = String>,
) -> impl Iterator<Item = String> {
    let mut only_values = false;
    arguments.map(move |argument| {
        only_values |= argument == "--";
        let long = SHORT
            .iter()
            .find(|(short, _)| !only_values && *short == argument);
        long.map_or(argument, |(_, long)| (*long).to_owned())
    })
}
