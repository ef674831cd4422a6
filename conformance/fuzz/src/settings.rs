//! Configuration text, with the patterns in it.

use config::Pattern;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Err(problems) = config::parse(text) {
        assert!(!problems.is_empty(), "a refusal names what is wrong");
        for problem in problems {
            let _shown = problem.to_string();
        }
    }
    if let Ok(pattern) = Pattern::parse(text.lines().next().unwrap_or_default()) {
        let _matches = pattern.matches(text);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../../config/examples/every-key.toml"),
        include_str!("../../../config/examples/kafka.toml"),
        include_str!("../../../config/examples/migration.toml"),
        include_str!("../../../config/examples/stand-alone.toml"),
        "re:(a+)+$\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
        "re:(((a{1,100}){1,100}){1,100}){1,100}",
        "*a*a*a*a*a*a*a*a*a*a*b",
    ];
    files.map(|text| text.as_bytes().to_vec()).to_vec()
}
