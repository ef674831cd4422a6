//! One target under libFuzzer; `SLUICE_FUZZ_TARGET` names it. Where `SLUICE_FUZZ_SEEDS` names a folder, the target's
//! seeds are written into it first.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn target() -> fn(&[u8]) {
    let name = std::env::var("SLUICE_FUZZ_TARGET").unwrap_or_default();
    let target = fuzz::TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("SLUICE_FUZZ_TARGET: no target {name:?}"));
    if let Ok(folder) = std::env::var("SLUICE_FUZZ_SEEDS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed)
                .expect("the folder can be written");
        }
    }
    target.run
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET.get_or_init(target)(bytes));
